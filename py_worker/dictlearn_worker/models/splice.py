"""Running the model with a value at a site replaced, inside a real nnsight trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..protocol import Site
from .language_model import LanguageModel, ModelInputs, dotted, first_tensor, reads_of

# From a site's inputs and targets, (contexts, positions, width) each, to what stands in the targets' place.
Replacement = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@torch.no_grad()
def logits_and_values(
    model: LanguageModel, ids: torch.Tensor, mask: torch.Tensor | None, site: Site
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The untouched model: logits (contexts, positions, vocabulary), and the site's inputs and targets in that pass."""
    envoy = envoy_at(model, site)
    inside, outside = (read.kind == "input" for read in reads_of(site))
    with model.traced.trace(ModelInputs.of(ids, mask, model.device), use_cache=False):
        # nnsight wants values in the order in which the forward pass comes by them: inputs before outputs.
        given = envoy.inputs.save() if inside else None  # pyright: ignore[reportAttributeAccessIssue]
        result = None if outside else envoy.output.save()  # pyright: ignore[reportAttributeAccessIssue]
        logits = model.traced.output.logits.save()
    inputs = first_tensor(given) if inside else first_tensor(result)
    targets = inputs if inside == outside else first_tensor(result)
    return logits, inputs, targets


@torch.no_grad()
def logits_with(
    model: LanguageModel, ids: torch.Tensor, mask: torch.Tensor | None, site: Site, replace: Replacement
) -> torch.Tensor:
    """Logits (contexts, positions, vocabulary) of the model with the site's targets replaced.

    in: the module's input is replaced, so the module runs on it. out and in_to_out: its output is, in_to_out from its
    input. Where the value is a tuple, its first tensor is replaced and the rest stays.
    """
    envoy = envoy_at(model, site)
    with model.traced.trace(ModelInputs.of(ids, mask, model.device), use_cache=False):
        if site.io == "in":
            given = envoy.inputs
            envoy.inputs = with_first_tensor(given, replaced(replace, given, given))
        elif site.io == "out":
            result = envoy.output
            envoy.output = with_first_tensor(result, replaced(replace, result, result))
        else:
            given = envoy.inputs
            result = envoy.output
            envoy.output = with_first_tensor(result, replaced(replace, given, result))
        logits = model.traced.output.logits.save()
    return logits  # noqa: RET504  a trace cannot be returned out of


def logits_of_values(
    model: LanguageModel, ids: torch.Tensor, mask: torch.Tensor | None, site: Site
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The untouched model's logits (contexts, positions, vocabulary) with a graph back to the site's targets.

    Also the inputs and targets themselves, (contexts, positions, width); the targets are the graph's leaf.
    """
    envoy = envoy_at(model, site)
    inside, outside = (read.kind == "input" for read in reads_of(site))
    with torch.enable_grad(), model.traced.trace(ModelInputs.of(ids, mask, model.device), use_cache=False):
        # nnsight wants values in the order in which the forward pass comes by them: inputs before outputs.
        given = envoy.inputs.save() if inside else None  # pyright: ignore[reportAttributeAccessIssue]
        if outside:
            leaf = leaf_of(given).save()  # pyright: ignore[reportAttributeAccessIssue]
            envoy.inputs = with_first_tensor(given, leaf)
        else:
            result = envoy.output
            leaf = leaf_of(result).save()  # pyright: ignore[reportAttributeAccessIssue]
            envoy.output = with_first_tensor(result, leaf)
        logits = model.traced.output.logits.save()
    return logits, leaf if inside == outside else first_tensor(given), leaf


def leaf_of(value: Any) -> torch.Tensor:
    """The first tensor in `value` as one that gradients are taken of; the weights take none."""
    return first_tensor(value).detach().clone().requires_grad_(True)


@torch.no_grad()
def replaced(replace: Replacement, inputs: Any, targets: Any) -> torch.Tensor:
    """The new value, in the old one's dtype. nnsight runs a trace in a thread, which has a gradient mode of its own."""
    old = first_tensor(targets)
    new = replace(first_tensor(inputs), old)
    assert new.shape == old.shape, "a replacement has the shape of what it replaces"
    return new.to(old.dtype)


def with_first_tensor(value: Any, new: torch.Tensor) -> Any:
    """The same value with `new` in place of what `first_tensor` finds."""
    if isinstance(value, torch.Tensor):
        return new
    if isinstance(value, dict):
        done = False
        items = {}
        for key, each in value.items():
            found = not done and first_tensor(each) is not None
            items[key] = with_first_tensor(each, new) if found else each
            done = done or found
        return items
    parts = list(value)
    index = next(i for i, each in enumerate(parts) if first_tensor(each) is not None)
    parts[index] = with_first_tensor(parts[index], new)
    return tuple(parts) if isinstance(value, tuple) else parts


def envoy_at(model: LanguageModel, site: Site) -> Any:
    """Nnsight's view of the site's module."""
    assert set(reads_of(site)) <= set(model.order), "the caller asks for the widths of a site before it reads there"
    return model.envoy(dotted(site.submodule))
