"""The elementwise work between two products, each in one call: by torch, or on CUDA by a Triton kernel.

On a GPU these passes cost as much as the products: each reads or writes m * B numbers, and torch needs one for each
operation. `kernels_for` returns the kernels if available; they compute the same, except for the order of sums.
"""

from __future__ import annotations

import functools
import warnings
from types import ModuleType

import torch


@functools.cache
def kernels_for(device: torch.device, dtype: torch.dtype) -> ModuleType | None:
    """`kernels.py`, for masters of `dtype` on `device`, or None: not on CUDA, not float32, or no Triton.

    This depends on the installed software, never on a measurement: the same machine gives the same bytes.
    """
    if device.type != "cuda" or dtype != torch.float32:
        return None
    try:
        from . import kernels

        z, bias = torch.zeros(1, 16, device=device), torch.zeros(1, device=device)
        for features in (z, z.bfloat16()):
            kernels.activate(z, bias, features)
            kernels.gate(features.clone(), features, 0.0)
    except ImportError:
        return None
    except Exception as error:
        # Triton compiles at the first call. That fails without a C compiler, or for an unknown card.
        warnings.warn(f"Steps on {device} are slower than they could be: Triton failed with {error!r}.", stacklevel=2)
        return None
    return kernels


def activate(z: torch.Tensor, bias: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    """Puts ReLU(z + bias) into f; returns the sums (C) of f's rows, in z's dtype. z and f: (C, B), bias: (C).

    f is z itself, or narrower; z may be overwritten. Features are not negative, so a sum is 0 exactly if the feature is
    0 on every row.
    """
    z.add_(bias.unsqueeze(1)).relu_()
    if f is not z:
        f.copy_(z)
    return f.sum(dim=1, dtype=z.dtype)


def gate(slope: torch.Tensor, f: torch.Tensor, penalty: float | torch.Tensor) -> torch.Tensor:
    """Puts (slope + penalty) [f > 0] into slope; both are (C, B). Returns the sums (C) of its rows before rounding."""
    wide = slope.to(wide_dtype(slope))
    wide += penalty
    torch.ops.aten.threshold_backward.grad_input(wide, f.to(wide.dtype), 0, grad_input=wide)
    if wide is not slope:
        slope.copy_(wide)
    return wide.sum(dim=1)


def wide_dtype(values: torch.Tensor) -> torch.dtype:
    """The dtype in which `values` are summed: their own, but float32 for bfloat16."""
    return torch.promote_types(values.dtype, torch.float32)
