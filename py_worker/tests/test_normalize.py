"""Scaled rows: the saved weights are for unscaled rows."""

from __future__ import annotations

import torch
from golden import Batches

from dictlearn_worker import protocol as p
from dictlearn_worker.buffer.operations import within_norm
from dictlearn_worker.dictionary.layouts import save
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.models.language_model import Read
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import HANDLERS, Context


def dictionary(d_in: int = 5, d_out: int = 5, size: int = 12) -> AutoEncoder:
    made = AutoEncoder(d_in, d_out, size, torch.float64)
    made.initialise(torch.Generator().manual_seed(3))
    with torch.no_grad():
        for bias in made.biases:
            bias.normal_()
    return made


def test_saved_weights_hold_for_rows_that_are_not_scaled(tmp_path) -> None:
    """If x̂ is the reconstruction of s·x, the saved dictionary reconstructs x as x̂ / s, with features f / s."""
    for d_in, d_out in ((5, 5), (5, 7)):
        trained, scale = dictionary(d_in, d_out), 0.25
        save(trained, tmp_path / "ae.pt", 1 / scale)
        saved = AutoEncoder(d_in, d_out, trained.size, trained.dtype)
        saved.load_state_dict(torch.load(tmp_path / "ae.pt", weights_only=True))
        x = torch.randn(20, d_in, dtype=torch.float64)
        f = trained.encode(scale * x)
        assert (f > 0).any()
        torch.testing.assert_close(saved.encode(x), f / scale)
        torch.testing.assert_close(saved.decode(saved.encode(x)), trained.decode(f) / scale)
        assert torch.equal(saved.encoder.weight, trained.encoder.weight)


def test_mean_square_norm_of_inputs_and_targets() -> None:
    context = Context(Objects())
    inputs, targets = torch.full((2, 3, 4), 2.0), torch.full((2, 3, 9), 1.0)
    for source, expected in ((Batches(inputs, None), 16.0), (Batches(inputs, targets), (16.0 + 9.0) / 2)):
        params = p.SourceMeanSquareNormParams(source=context.objects.put(source), site=0)
        assert HANDLERS["source.mean_square_norm"](context, params).mean_square_norm == expected


def test_rows_far_above_the_median_norm_are_left_out() -> None:
    ones = torch.ones(5, 4)
    rows = ones * torch.tensor([1.0, 2.0, 3.0, 6.0, 6.1]).unsqueeze(1)
    assert within_norm({Read("a", "output"): rows}, 2.0).tolist() == [True, True, True, True, False]
    other = ones * torch.tensor([9.0, 1.0, 1.0, 1.0, 1.0]).unsqueeze(1)
    both = {Read("a", "input"): other, Read("a", "output"): rows}
    assert within_norm(both, 2.0).tolist() == [False, True, True, True, False]
