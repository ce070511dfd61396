"""The inputs and outputs of modules: which of their tensors is read, and how it is replaced."""

from __future__ import annotations

from typing import Any

import torch

# A module's inputs in a call: positional and keyword arguments.
Inputs = tuple[tuple[Any, ...], dict[str, Any]]


def first_tensor(value: Any) -> Any:
    """The tensor itself, or the first in (nested) tuples: for a layer the residual stream. None without a tensor."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (tuple, list)):
        return next((tensor for each in value if (tensor := first_tensor(each)) is not None), None)
    return None


def with_first_tensor(value: Any, new: torch.Tensor) -> Any:
    """The same value with `new` in place of the tensor that `first_tensor` finds."""
    if isinstance(value, torch.Tensor):
        return new
    parts = list(value)
    index = next(i for i, each in enumerate(parts) if first_tensor(each) is not None)
    parts[index] = with_first_tensor(parts[index], new)
    if isinstance(value, list):
        return parts
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


def first_input(inputs: Inputs) -> Any:
    """A module's first input tensor: by position, else by keyword, in the order of the call. Or None."""
    args, kwargs = inputs
    return first_tensor((*args, *kwargs.values()))


def with_first_input(inputs: Inputs, new: torch.Tensor) -> Inputs:
    """The same inputs with `new` in place of the tensor that `first_input` finds."""
    args, kwargs = inputs
    found = with_first_tensor((*args, *kwargs.values()), new)
    return found[: len(args)], dict(zip(kwargs, found[len(args) :], strict=True))


def shape_of(tensor: torch.Tensor | None) -> tuple[int, ...] | None:
    """The shape as plain numbers."""
    return None if tensor is None else tuple(tensor.shape)
