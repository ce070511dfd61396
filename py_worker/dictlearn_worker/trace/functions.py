"""The tensor functions that a recorded program may call, by name.

Each is the plain PyTorch expression that you would write in an nnsight trace, so the numbers are the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

# Functions of one to three values; a value is a tensor or a Python number.
APPLY: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "matmul": operator.matmul,
    "neg": operator.neg,
    "gt": operator.gt,
    "lt": operator.lt,
    "ge": operator.ge,
    "le": operator.le,
    "eq": operator.eq,
    "abs": torch.abs,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "where": torch.where,
}

# Functions of a tensor, the dimensions to reduce (None: all), and whether they stay with size 1.
REDUCE: dict[str, Callable[..., torch.Tensor]] = {
    "sum": lambda x, dims, keep: x.sum(dim=dims, keepdim=keep),
    "mean": lambda x, dims, keep: x.mean(dim=dims, keepdim=keep),
    "norm": lambda x, dims, keep: torch.linalg.vector_norm(x, dim=dims, keepdim=keep),
    "max": lambda x, dims, keep: x.amax(dim=every(x, dims), keepdim=keep),
    "min": lambda x, dims, keep: x.amin(dim=every(x, dims), keepdim=keep),
    "variance": lambda x, dims, keep: x.var(dim=dims, correction=0, keepdim=keep),
    "logsumexp": lambda x, dims, keep: torch.logsumexp(x, dim=every(x, dims), keepdim=keep),
    "any": lambda x, dims, keep: torch.any(x, dim=every(x, dims), keepdim=keep),
    "all": lambda x, dims, keep: torch.all(x, dim=every(x, dims), keepdim=keep),
}

# Functions of a tensor and one dimension.
ALONG: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "softmax": lambda x, dim: x.softmax(dim=dim),
    "log_softmax": lambda x, dim: x.log_softmax(dim=dim),
    "argmax": lambda x, dim: x.argmax(dim=dim),
    "argmin": lambda x, dim: x.argmin(dim=dim),
    "cumsum": lambda x, dim: x.cumsum(dim=dim),
}

JOIN: dict[str, Callable[..., torch.Tensor]] = {"cat": torch.cat, "stack": torch.stack}


def every(x: torch.Tensor, dims: list[int] | None) -> list[int]:
    """`dims`, or all of them."""
    return list(range(x.ndim)) if dims is None else dims


def index_of(x: torch.Tensor, dim: int, index: Any) -> tuple[Any, ...]:
    """The index expression for `index` of dimension `dim`: `x[:, index]` for dim 1."""
    if not -x.ndim <= dim < x.ndim:
        raise IndexError(f"a tensor of {x.ndim} dimensions has no dimension {dim}")
    return (slice(None),) * (dim % x.ndim) + (index,)


def pick(x: torch.Tensor, dim: int, index: Any) -> torch.Tensor:
    """`x[:, index]`, for dimension 1; a list keeps the dimension, a number drops it."""
    return x[index_of(x, dim, index)]


def put(x: torch.Tensor, dim: int, index: Any, new: Any) -> torch.Tensor:
    """A copy of x with `x[:, index] = new`."""
    copy = x.clone()
    copy[index_of(x, dim, index)] = new.to(x.device, x.dtype) if isinstance(new, torch.Tensor) else new
    return copy
