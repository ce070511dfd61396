# pyright: reportMissingImports=false, reportInvalidTypeForm=false, reportIndexIssue=false
"""The passes of `fused.py` over the features as Triton kernels: each value is read once and written once.

One program takes one feature and adds up its row in a fixed order, without atomics, so two runs give the same bytes.
Sums are in float32. Triton comes with torch's CUDA builds; only `fused.py` imports this, and only there.
"""

import torch
import triton
import triton.language as tl

# Values of a row at once, and the warps that share them: 16 float32 for each thread, in loads of 16 bytes.
MOST_AT_ONCE = 4096
WARPS = 8


@triton.jit
def activate_rows(z, f, bias, sums, width, AT_ONCE: tl.constexpr):
    """Row by row of z and f (m, width): f <- ReLU(z + bias), sums <- sum f. NaN stays NaN, as in torch."""
    row = tl.program_id(0).to(tl.int64)
    before, after = z + row * width, f + row * width
    shift = tl.load(bias + row).to(tl.float32)
    total = tl.zeros((AT_ONCE,), tl.float32)
    for first in range(0, width, AT_ONCE):
        place = first + tl.arange(0, AT_ONCE)
        inside = place < width
        value = tl.load(before + place, mask=inside, other=0) + shift
        rounded = tl.where((value <= 0) | (place >= width), 0.0, value).to(f.dtype.element_ty)
        tl.store(after + place, rounded, mask=inside)
        total += rounded.to(tl.float32)
    tl.store(sums + row, tl.sum(total, 0))


@triton.jit
def gate_rows(slope, f, sums, penalty, width, AT_ONCE: tl.constexpr):
    """Row by row of slope and f (m, width): slope <- (slope + penalty) [f > 0], sums <- its sum before rounding."""
    row = tl.program_id(0).to(tl.int64)
    start, active = slope + row * width, f + row * width
    total = tl.zeros((AT_ONCE,), tl.float32)
    for first in range(0, width, AT_ONCE):
        place = first + tl.arange(0, AT_ONCE)
        inside = place < width
        value = tl.load(start + place, mask=inside, other=0).to(tl.float32) + penalty
        off = tl.load(active + place, mask=inside, other=0).to(tl.float32) <= 0
        value = tl.where(off, 0.0, value)
        tl.store(start + place, value.to(slope.dtype.element_ty), mask=inside)
        total += value
    tl.store(sums + row, tl.sum(total, 0))


def activate(z: torch.Tensor, bias: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    """As `fused.activate`. z: (C, B), float32; f: the same, or bfloat16; both in one piece."""
    size, width = f.shape
    assert z.is_contiguous() and f.is_contiguous() and bias.is_contiguous()
    assert z.dtype == torch.float32 and z.shape == f.shape
    sums = torch.empty(size, device=f.device, dtype=torch.float32)
    with torch.cuda.device_of(f):
        activate_rows[(size,)](z, f, bias, sums, width, AT_ONCE=at_once(width), num_warps=WARPS)
    return sums


def gate(slope: torch.Tensor, f: torch.Tensor, penalty: float) -> torch.Tensor:
    """As `fused.gate`. slope and f: (C, B), float32 or bfloat16, in one piece."""
    size, width = f.shape
    assert f.is_contiguous() and slope.is_contiguous() and slope.shape == f.shape
    sums = torch.empty(size, device=f.device, dtype=torch.float32)
    with torch.cuda.device_of(f):
        gate_rows[(size,)](slope, f, sums, penalty, width, AT_ONCE=at_once(width), num_warps=WARPS)
    return sums


def at_once(width: int) -> int:
    """A power of two, as Triton's blocks are."""
    return min(MOST_AT_ONCE, triton.next_power_of_2(width))
