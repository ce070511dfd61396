"""Matrix products, by the faster of torch's libraries."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

import torch

from ..threads import one_thread

# The multiplications per product, and per entry of it, from which oneDNN repays its start-up cost.
LEAST_PRODUCT = 2**28
LEAST_INNER = 256
# The multiplications from which a second thread saves more than waking it costs. MKL always wakes it.
LEAST_PARALLEL = 2**21


def product(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The product a @ b of factors of one dtype, summed in the wider `dtype` without rounding between."""
    if a.dtype != dtype:
        return torch.mm(a, b, out_dtype=dtype) if a.is_cuda else product(a.to(dtype), b.to(dtype), dtype)
    # oneDNN's linear layer is x @ W.T, so without a bias it can compute any product.
    return torch.ops.mkldnn._linear_pointwise(a, b.T, None, "none", [], "") if by_onednn(a, b) else a @ b


def biased_product(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor, out: torch.Tensor) -> None:
    """Puts a @ b + bias into `out`, all of one dtype."""
    if by_onednn(a, b):
        torch.add(product(a, b, a.dtype), bias, out=out)
    else:
        torch.addmm(bias, a, b, out=out)


def threads_for(multiplications: int) -> AbstractContextManager[None]:
    """One thread in the block, if no product in it is large enough for a second one to help."""
    return one_thread(where=multiplications < LEAST_PARALLEL)


def by_onednn(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether oneDNN computes a @ b. A function of machine and shapes, never of time."""
    return (
        a.dtype == torch.float32
        and a.device.type == "cpu"
        and a.shape[1] >= LEAST_INNER
        and a.numel() * b.shape[1] >= LEAST_PRODUCT
        and onednn_beats_mkl()
    )


@functools.cache
def onednn_beats_mkl() -> bool:
    """On AMD's processors with AVX-512: torch's `@` is MKL's, which takes a seventh longer there. See docs/log.md."""
    found = getattr(torch.cpu, "get_capabilities", dict)()
    amd = str(found.get("cpu_name", "")).startswith("AMD") and bool(found.get("avx512_f"))
    return amd and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
