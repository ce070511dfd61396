"""What is done to every feature between two products, each in one call: by torch, or on CUDA by a Triton kernel.

On a GPU these passes cost as much as the products: each reads or writes m * B numbers, and torch takes one for each
operation. `kernels_for` says whether there are kernels; they compute the same, but for the order in which sums are
added up.
"""

from __future__ import annotations

import functools
import warnings
from types import ModuleType

import torch


@functools.cache
def kernels_for(device: torch.device, dtype: torch.dtype) -> ModuleType | None:
    """`kernels.py`, for masters of `dtype` on `device`, or None: not on CUDA, not float32, or no Triton.

    That follows from what is installed, never from a measurement: the same machine gives the same bytes.
    """
    if device.type != "cuda" or dtype != torch.float32:
        return None
    try:
        from . import kernels

        for each in (torch.float32, torch.bfloat16):
            features = torch.zeros(1, 16, device=device, dtype=each)
            kernels.activate(features, torch.zeros(1, device=device))
            kernels.gate(features, features.clone(), 0.0)
    except ImportError:
        return None
    except Exception as error:
        # Triton compiles at the first call. Without a C compiler, or for a card that it does not know, it cannot.
        warnings.warn(f"Steps on {device} are slower than they could be: Triton failed with {error!r}.", stacklevel=2)
        return None
    return kernels


def activate(f: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Puts ReLU(f + bias) into f (C, B), bias (C); returns the sums (C) of its rows. In float32 at least.

    No feature is negative, so its sum is 0 where it is 0 on every row, and nowhere else.
    """
    wide = f.to(wide_dtype(f)).add(bias.unsqueeze(1)).relu_()
    f.copy_(wide)
    return f.sum(dim=1, dtype=wide.dtype)


def gate(slope: torch.Tensor, f: torch.Tensor, penalty: float | torch.Tensor) -> torch.Tensor:
    """Puts (slope + penalty) [f > 0] into slope; both are (C, B). Returns the sums (C) of its rows before rounding."""
    wide = slope.to(wide_dtype(slope))
    wide += penalty
    torch.ops.aten.threshold_backward.grad_input(wide, f.to(wide.dtype), 0, grad_input=wide)
    if wide is not slope:
        slope.copy_(wide)
    return wide.sum(dim=1)


def wide_dtype(values: torch.Tensor) -> torch.dtype:
    """What `values` are summed in: their own dtype, but float32 for bfloat16."""
    return torch.promote_types(values.dtype, torch.float32)
