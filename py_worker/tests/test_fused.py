"""The passes over features: values and sums match autograd's, in every dtype in which features are stored."""

from __future__ import annotations

import pytest
import torch

from dictlearn_worker.train import fused

SIZE, ROWS, PENALTY = 70, 50, 0.03
EPSILON = {torch.float64: 1e-14, torch.float32: 1e-6}
# The dtypes of the sums and of the features.
KEPT = [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.float32, torch.bfloat16)]


def drawn(seed: int, dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize(("wide", "kept"), KEPT, ids=str)
def test_activate_rounds_once_and_sums_what_is_kept(wide, kept) -> None:
    """ReLU(z + bias) in z's dtype, then rounded; exactly the features that are 0 on every row have the sum 0."""
    z, bias = drawn(0, wide, SIZE, ROWS), drawn(1, wide, SIZE)
    bias[7] = -100
    expected = torch.relu(z + bias.unsqueeze(1)).to(kept)
    f = z if kept == wide else torch.empty(SIZE, ROWS, dtype=kept)
    sums = fused.activate(z, bias, f)
    assert torch.equal(f, expected) and f.dtype == kept and sums.dtype == wide
    exact = expected.double().sum(dim=1)
    assert float((sums.double() - exact).abs().max()) <= EPSILON[wide] * float(exact.max())
    assert torch.equal(sums != 0, (expected != 0).any(dim=1)) and not bool(sums[7])


@pytest.mark.parametrize(("wide", "kept"), KEPT, ids=str)
def test_gate_is_the_gradient_of_the_relu(wide, kept) -> None:
    """The gradient of sum(f g) + penalty sum(f) by z, f = ReLU(z), rounded once, after its sums are taken."""
    z = drawn(0, kept, SIZE, ROWS)
    z[3, :] = 0
    slope, z_exact = drawn(1, kept, SIZE, ROWS), z.to(wide).requires_grad_()
    f = torch.relu(z_exact)
    (f * slope.to(wide)).sum().add(f.sum(), alpha=PENALTY).backward()
    assert z_exact.grad is not None
    sums = fused.gate(slope, f.detach().to(kept), PENALTY)
    assert torch.equal(slope, z_exact.grad.to(kept)) and slope.dtype == kept
    exact = z_exact.grad.double().sum(dim=1)
    assert sums.dtype == wide and float((sums - exact).abs().max()) <= EPSILON[wide] * float(exact.abs().max())
    assert not bool(sums[3])


def test_gate_takes_a_penalty_for_each_place() -> None:
    """As with the entropy."""
    slope, f, penalty = (drawn(seed, torch.float32, SIZE, ROWS) for seed in range(3))
    expected = torch.where(f > 0, slope + penalty, 0)
    sums = fused.gate(slope, f.relu(), penalty)
    assert torch.equal(slope, expected)
    torch.testing.assert_close(sums, expected.sum(dim=1))


@pytest.mark.parametrize(("wide", "kept"), KEPT, ids=str)
def test_nan_stays(wide, kept) -> None:
    """In the feature, and in its sum only."""
    z = drawn(0, wide, SIZE, ROWS)
    z[3, 5] = torch.nan
    f = z if kept == wide else torch.empty(SIZE, ROWS, dtype=kept)
    sums = fused.activate(z, torch.zeros(SIZE, dtype=wide), f)
    assert f.isnan().nonzero().tolist() == [[3, 5]] and sums.isnan().nonzero().tolist() == [[3]]


def test_there_are_no_kernels_on_a_cpu() -> None:
    """Triton's are for CUDA and float32 sums."""
    assert fused.kernels_for(torch.device("cpu"), torch.float32) is None
    assert fused.kernels_for(torch.device("cuda", 0), torch.float64) is None
