"""A model's modules, and when a forward pass reaches their inputs and outputs."""

from __future__ import annotations

from typing import Any, Literal

import torch

from .. import protocol as p
from ..registry import Context, method
from .language_model import LanguageModel


@method("model.modules")
def modules(context: Context, params: p.ModelModulesParams) -> p.ModelModulesResult:
    """Runs one pass over contexts of token 0."""
    model = context.objects.get(params.model, LanguageModel)
    return p.ModelModulesResult(modules=catalogue(model, params.contexts, params.tokens))


@torch.no_grad()
def catalogue(model: LanguageModel, contexts: int, tokens: int) -> list[p.ModuleFacts]:
    """Runs the model with a pair of hooks on every module, and counts the hooks' events.

    Events are numbered in the order of the forward pass, a module's input before those of its children.
    """
    inputs: dict[str, p.ModuleSide] = {}
    outputs: dict[str, p.ModuleSide] = {}
    calls: dict[str, int] = {}
    hooks = []

    def watch(path: str, module: torch.nn.Module) -> None:
        def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls[path] = calls.get(path, 0) + 1
            first = args[0] if args else next(iter(kwargs.values()), None)
            inputs.setdefault(path, side(len(inputs) + len(outputs), first))

        def after(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            outputs.setdefault(path, side(len(inputs) + len(outputs), output))

        hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
        hooks.append(module.register_forward_hook(after, with_kwargs=True))

    # A module registered under two paths is listed under both.
    named = list(model.module.named_modules(remove_duplicate=False))
    ids = torch.zeros((contexts, tokens), dtype=torch.int64, device=model.device)
    try:
        for path, module in named:
            watch(path, module)
        model.call(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return [
        p.ModuleFacts(
            path=path,
            class_name=type(module).__name__,
            parameters=sum(parameter.numel() for parameter in module.parameters()),
            calls=calls.get(path, 0),
            input=inputs.get(path),
            output=outputs.get(path),
        )
        for path, module in named
    ]


def side(event: int, value: Any) -> p.ModuleSide:
    """The tensors of a value, however it is nested."""
    return p.ModuleSide(event=event, kind=kind_of(value), tensors=tensors_of(value, []))


def kind_of(value: Any) -> Literal["tensor", "sequence", "mapping", "other"]:
    """How a part of a value is reached: by nothing, by an index, or by a key."""
    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, (tuple, list)):
        return "sequence"
    return "mapping" if isinstance(value, dict) else "other"


def tensors_of(value: Any, at: list[str]) -> list[p.ModuleTensor]:
    """Depth first; values other than tensors, tuples, lists and dicts are left out."""
    if isinstance(value, torch.Tensor):
        return [p.ModuleTensor(at=at, shape=list(value.shape), dtype=str(value.dtype).removeprefix("torch."))]
    if isinstance(value, dict):
        items = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, (tuple, list)):
        items = [(str(index), each) for index, each in enumerate(value)]
    else:
        items = []
    return [tensor for key, each in items for tensor in tensors_of(each, [*at, key])]
