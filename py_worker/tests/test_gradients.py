"""Every loss has finite gradients in every state of training: no active feature, no error, or neither."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train.loss import entropy, l1, reconstruction_term, root_mean_square_error, sparsity_term

TERMS = list(itertools.product(("mse", "rmse"), ("l1", "entropy")))
DTYPES = (torch.float64, torch.float32, torch.bfloat16)
WIDTH, SIZE, ROWS = 6, 10, 4


def dictionary(dtype: torch.dtype) -> AutoEncoder:
    """Drawn from a fixed seed."""
    ae = AutoEncoder(WIDTH, WIDTH, SIZE, dtype)
    ae.initialise(torch.Generator().manual_seed(0))
    return ae


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("reconstruction", "sparsity"), TERMS)
@pytest.mark.parametrize("where", ["zero features", "zero error", "both", "some rows", "tiny features"])
def test_gradients_are_finite(where: str, reconstruction: str, sparsity: str, dtype: torch.dtype) -> None:
    """Loss and all four gradients are finite, and 0 where nothing can be learned."""
    ae = dictionary(dtype)
    x = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(1)).to(dtype)
    with torch.no_grad():
        if where in ("zero features", "both"):
            ae.encoder.bias.fill_(-100)
        if where == "some rows":
            x[1:3] = 0
            ae.encoder.bias.fill_(-0.4)
        if where == "tiny features":
            ae.encoder.weight.mul_(1e-12)
            ae.encoder.bias.fill_(1e-12)
        y = ae.decode(ae.encode(x)) if where in ("zero error", "both") else x
    f = ae.encode(x)
    loss = p.Loss(reconstruction=reconstruction, sparsity=sparsity)
    total = reconstruction_term(y, ae.decode(f), loss) + 0.1 * sparsity_term(f, loss)
    total.backward()
    assert torch.isfinite(total)
    for name, parameter in ae.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        if where == "both":
            assert not parameter.grad.any(), name
    if where in ("zero features", "both"):
        assert not f.any()
    if where in ("zero error", "both"):
        assert reconstruction_term(y, ae.decode(f), loss).item() == 0


def test_entropy_against_its_closed_form() -> None:
    """A row of k equal features has entropy log k, a row of zeros 0, whatever the scale."""
    f = torch.zeros(4, 8, dtype=torch.float64)
    f[0, :4] = 3.0
    f[1, :2] = 0.01
    f[2, 5] = 7.0
    # Row 3 is a row of zeros.
    assert entropy(f).item() == pytest.approx((math.log(4) + math.log(2)) / 4, abs=1e-5)
    assert entropy(torch.zeros(3, 5)).item() == 0
    assert l1(f).item() == pytest.approx((12 + 0.02 + 7) / 4)


def test_root_is_differentiated_as_a_root() -> None:
    """d sqrt(mean e^2) / d y_hat = e / (n sqrt(mean e^2)), and 0 where the error is 0."""
    y = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    y_hat = torch.zeros_like(y, requires_grad=True)
    root = root_mean_square_error(y, y_hat)
    root.backward()
    assert y_hat.grad is not None
    torch.testing.assert_close(y_hat.grad, -y / (3 * (y.square().mean().sqrt())))
    at_zero = torch.zeros_like(y, requires_grad=True)
    root_mean_square_error(torch.zeros_like(y), at_zero).backward()
    assert at_zero.grad is not None and not at_zero.grad.any()
