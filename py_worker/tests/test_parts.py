"""Computations on a few rows at a time give the same results as on all at once."""

from __future__ import annotations

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train import encoded
from dictlearn_worker.train.loss import mean_square_error, sparsity_term
from dictlearn_worker.train.resample import Rows, weigh
from dictlearn_worker.train.statistics import batch_statistics
from dictlearn_worker.train.trainee import Trainee

ADAM = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)


@pytest.fixture
def trainee() -> Trainee:
    """A dictionary of 40 features with inputs of width 12 and outputs of width 9; no bias is zero."""
    dictionary = AutoEncoder(12, 9, 40, torch.float64)
    generator = torch.Generator().manual_seed(0)
    for parameter in dictionary.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return Trainee(dictionary, ADAM)


@pytest.fixture
def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """50 inputs and targets: parts of 7 leave one of another size. The last rows are the largest."""
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(50, width, generator=generator, dtype=torch.float64) for width in (12, 9))
    return x * torch.arange(1, 51).unsqueeze(1), y


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each encoding, in parts of 7 rows."""
    monkeypatch.setattr(encoded, "LEAST_BLOCK", 7)
    monkeypatch.setitem(encoded.BLOCK, "cpu", 1)
    counts: list[int] = []
    encode = AutoEncoder.encode

    def counted(self: AutoEncoder, x: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        counts.append(len(x))
        return encode(self, x, out=out)

    monkeypatch.setattr(AutoEncoder, "encode", counted)
    return counts


@pytest.mark.parametrize("sparsity", ["l1", "entropy"])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_statistics_of_a_batch(trainee, rows, seen, sparsity, scale) -> None:
    """Against the definitions on the whole batch."""
    x, y = rows
    loss = p.Loss(reconstruction="mse", sparsity=sparsity)
    found = batch_statistics(trainee.dictionary, x, y, scale, loss)
    assert seen == [7] * 7 + [1]
    with torch.no_grad():
        f = trainee.dictionary.encode(x)
        y_hat = trainee.dictionary.decode(f)
    expected = (
        mean_square_error(y / scale, y_hat / scale),
        sparsity_term(f / scale, loss),
        (f > 0).double().sum() / len(x),
    )
    for value, right in zip((found.mse, found.sparsity, found.l0), expected, strict=True):
        assert value.item() == pytest.approx(right.item(), rel=1e-12)


def resampling(probability: str) -> p.Resampling:
    """The published one, or the reference's way of weighing."""
    return p.Resampling(
        among="batch",
        rows=50,
        chunk_rows=50,
        probability=probability,  # pyright: ignore[reportArgumentType]
        replacement=False,
        encoder="sampled-input",
        renormalize="resampled",
        moments="all",
        all_dead="fresh",
    )


@pytest.mark.parametrize(("probability", "parts"), [("squared-loss", [7] * 7 + [1]), ("error-norm", [50])])
def test_weights_of_rows(trainee, rows, seen, probability, parts) -> None:
    """The reference encodes all rows at once; compared bit for bit."""
    x, y = rows
    with torch.no_grad():
        weights = weigh(trainee, Rows.of_batch(x, y), resampling(probability))
        assert seen == parts
        error = y - trainee.dictionary.decode(trainee.dictionary.encode(x))
    squared = error.square().mean(dim=1).square()
    expected = squared if probability == "squared-loss" else error.norm(dim=1)
    assert torch.allclose(weights, expected, rtol=1e-12, atol=0)
