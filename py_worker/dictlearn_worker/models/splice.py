"""Running the model with a value at a site replaced, inside a real nnsight trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..protocol import Site
from .language_model import LanguageModel, reads_of
from .values import first_input, first_tensor, with_first_input, with_first_tensor

# From a site's inputs and targets, (contexts, positions, width) each, to the replacement of the targets.
Replacement = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@torch.no_grad()
def logits_and_values(
    model: LanguageModel, ids: torch.Tensor, mask: torch.Tensor | None, site: Site
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The untouched model: logits (contexts, positions, vocabulary), and the site's inputs and targets in that pass."""
    envoy, calls = place_of(model, site)
    inside, outside = (read.kind == "input" for read in reads_of(site))
    with model.forward.checked(), model.traced.trace(model.inputs(ids, mask)) as tracer:
        # nnsight requires values in the order of the forward pass: inputs before outputs. They are
        # copied, because some models change them in place later.
        values = []
        for _ in tracer.iter[calls]:
            if inside:
                values.append(first_input(envoy.inputs).clone())
            if not outside:
                values.append(first_tensor(envoy.output).clone())
        values = values.save()  # pyright: ignore[reportAttributeAccessIssue]
        output = model.traced.output.save()
    return model.forward.logits(output, ids), values[0], values[-1]


@torch.no_grad()
def logits_with(
    model: LanguageModel, ids: torch.Tensor, mask: torch.Tensor | None, site: Site, replace: Replacement
) -> torch.Tensor:
    """Logits (contexts, positions, vocabulary) of the model with the site's targets replaced.

    in: the module's input is replaced, so the module runs on it. out and in_to_out: its output is, in_to_out from its
    input. If the value is a tuple, only its first tensor is replaced.
    """
    envoy, calls = place_of(model, site)
    with model.forward.checked(), model.traced.trace(model.inputs(ids, mask)) as tracer:
        for _ in tracer.iter[calls]:
            if site.io == "in":
                given = envoy.inputs
                old = first_input(given)
                envoy.inputs = with_first_input(given, replaced(replace, old, old))
            elif site.io == "out":
                result = envoy.output
                old = first_tensor(result)
                envoy.output = with_first_tensor(result, replaced(replace, old, old))
            else:
                inputs = first_input(envoy.inputs).clone()
                result = envoy.output
                envoy.output = with_first_tensor(result, replaced(replace, inputs, first_tensor(result)))
        output = model.traced.output.save()
    return model.forward.logits(output, ids)


def logits_of_values(
    model: LanguageModel, ids: torch.Tensor, mask: torch.Tensor | None, site: Site
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The untouched model's logits (contexts, positions, vocabulary) with a graph back to the site's targets.

    Also the inputs and targets themselves, (contexts, positions, width); the targets are the graph's leaf.
    """
    envoy, calls = place_of(model, site)
    inside, outside = (read.kind == "input" for read in reads_of(site))
    with torch.enable_grad(), model.forward.checked(), model.traced.trace(model.inputs(ids, mask)) as tracer:
        # As above. The model continues with a copy: a leaf cannot be changed in place.
        values = []
        for _ in tracer.iter[calls]:
            if outside:
                given = envoy.inputs
                values.append(leaf_of(first_input(given)))
                envoy.inputs = with_first_input(given, values[-1].clone())
            else:
                if inside:
                    values.append(first_input(envoy.inputs).clone())
                result = envoy.output
                values.append(leaf_of(first_tensor(result)))
                envoy.output = with_first_tensor(result, values[-1].clone())
        values = values.save()  # pyright: ignore[reportAttributeAccessIssue]
        output = model.traced.output.save()
    return model.forward.logits(output, ids), values[0], values[-1]


def leaf_of(value: torch.Tensor) -> torch.Tensor:
    """A leaf tensor with the same values that gets gradients; the weights get none."""
    return value.detach().clone().requires_grad_(True)


@torch.no_grad()
def replaced(replace: Replacement, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The new value, in the old one's dtype. nnsight runs a trace in a thread, which has its own gradient mode."""
    new = replace(inputs, targets)
    assert new.shape == targets.shape, "a replacement has the shape of what it replaces"
    return new.to(targets.dtype)


def place_of(model: LanguageModel, site: Site) -> tuple[Any, slice]:
    """Nnsight's envoy of the site's module, and the number of its call."""
    reads = reads_of(site)
    assert set(reads) <= set(model.order), "the caller asks for the widths of a site before it reads there"
    return model.envoy(reads[0].submodule), reads[0].calls
