"""Resampling: the default rule against its equations, and each switch of the reference alone."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest
import torch
from golden import REFERENCE_RESAMPLING

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.train import draws
from dictlearn_worker.train.draws import draw_distinct
from dictlearn_worker.train.resample import Rows, resample
from dictlearn_worker.train.trainee import Trainee

ADAM = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)
LOSS = p.Loss(reconstruction="mse", sparsity="l1")
DEFAULT = p.Resampling(
    among="held",
    rows=819_200,
    chunk_rows=64,
    probability="squared-loss",
    replacement=False,
    encoder="sampled-input",
    renormalize="resampled",
    moments="all",
    all_dead="fresh",
)
WIDTH, SIZE, ROWS = 8, 24, 200
DEAD = torch.tensor([1, 4, 5, 11, 20])


@dataclass
class Case:
    trainee: Trainee
    x: torch.Tensor
    generator: torch.Generator


def case(dtype: torch.dtype = torch.float64) -> Case:
    """A dictionary after a few steps, so that its moments are not 0, and rows."""
    generator = torch.Generator().manual_seed(3)
    ae = AutoEncoder(WIDTH, WIDTH, SIZE, dtype)
    ae.initialise(generator)
    trainee = Trainee(ae, ADAM)
    x = torch.randn(ROWS, WIDTH, generator=generator, dtype=torch.float64).to(dtype)
    train(trainee, x, range(5), lr=0.01)
    return Case(trainee, x, generator)


def train(trainee: Trainee, x: torch.Tensor, steps: range, lr: float) -> list[float]:
    """Steps on one batch; returns the losses."""
    return [
        float(
            trainee.step(
                x,
                x,
                p.StepNumbers(
                    trainee=p.Handle(0, 0),
                    site=0,
                    first_step=step,
                    scale=1.0,
                    lr=[lr],
                    sparsity_penalty=[0.001],
                    loss=LOSS,
                    adam=ADAM,
                    fired="forward",
                    autocast=None,
                ),
                0,
            )
        )
        for step in steps
    ]


def run(each: Case, dead: torch.Tensor = DEAD, x: torch.Tensor | None = None, **switches: object):
    """Resamples under the defaults except for `switches`."""
    x = each.x if x is None else x
    rows = Rows(len(x), 64, lambda numbers: (x[numbers], x[numbers]))
    return resample(each.trainee, dead, rows, msgspec.structs.replace(DEFAULT, **switches), each.generator, 9)


def test_default_rule() -> None:
    """Encoder rows, columns, biases and moments as Bricken et al. 2023 write them; nothing else changes."""
    each = case()
    ae, optimiser = each.trainee.dictionary, each.trainee.optimiser
    before = {key: value.clone() for key, value in ae.state_dict().items()}
    moments = [value.clone() for value in optimiser.first_moments]
    done, fresh = run(each)
    assert done.tolist() == DEAD.tolist() and not fresh
    alive = torch.ones(SIZE, dtype=torch.bool)
    alive[DEAD] = False
    norm = before["encoder.weight"][alive].norm(dim=1).mean()
    unit = each.x / each.x.norm(dim=1, keepdim=True)
    for feature in DEAD.tolist():
        column = ae.decoder.weight[:, feature]
        source = int((unit @ column).argmax())
        torch.testing.assert_close(column, unit[source])
        torch.testing.assert_close(ae.encoder.weight[feature], unit[source] * norm * 0.2)
        assert ae.encoder.bias[feature] == 0
    assert len(torch.unique(ae.encoder.weight[DEAD], dim=0)) == len(DEAD)
    assert torch.equal(ae.encoder.weight[alive], before["encoder.weight"][alive])
    assert torch.equal(ae.decoder.weight[:, alive], before["decoder.weight"][:, alive])
    assert torch.equal(ae.bias, before["bias"])
    names = [name for name, _ in ae.named_parameters()]
    for name, old, first, second in zip(names, moments, optimiser.first_moments, optimiser.second_moments, strict=True):
        if name == "bias":
            assert torch.equal(first, old)
            continue
        axis = 1 if name == "decoder.weight" else 0
        assert not first.index_select(axis, DEAD).any() and not second.index_select(axis, DEAD).any(), name
        kept = alive.nonzero().flatten()
        assert torch.equal(first.index_select(axis, kept), old.index_select(axis, kept)), name


def test_rows_are_drawn_by_the_square_of_their_loss() -> None:
    """Two rows, one with twice the error: its mean square error is 4 times, and so the odds are 16 to 1."""
    ae = AutoEncoder(2, 2, 3, torch.float64)
    with torch.no_grad():
        for parameter in ae.parameters():
            parameter.zero_()
        ae.decoder.weight[0] = 1
        ae.encoder.weight[0, 0] = 1e-9
    x = torch.tensor([[0.0, 2.0], [-1.0, 0.0]], dtype=torch.float64)
    odds = {"squared-loss": 16 / 17, "error-norm": 2 / 3}
    for probability, expected in odds.items():
        generator = torch.Generator().manual_seed(0)
        hits = 0
        for _ in range(600):
            trainee = Trainee(ae, ADAM)
            rows = Rows(2, 64, lambda numbers: (x[numbers], x[numbers]))
            rule = msgspec.structs.replace(DEFAULT, probability=probability)
            resample(trainee, torch.tensor([2]), rows, rule, generator, 0)
            hits += int(ae.decoder.weight[1, 2] == 1)
            with torch.no_grad():
                ae.decoder.weight[:, 2] = torch.tensor([1.0, 0.0])
                ae.encoder.weight[2] = 0
        assert hits / 600 == pytest.approx(expected, abs=0.05), probability


def test_equal_rows_are_used_once() -> None:
    """Rows that are equal, or multiples of each other, give one feature; the other dead ones wait."""
    each = case()
    distinct = each.x[:3]
    done, _ = run(each, x=torch.cat([distinct, distinct, 2 * distinct]).repeat(4, 1))
    assert len(done) == 3
    assert len(torch.unique(each.trainee.dictionary.encoder.weight[done], dim=0)) == 3


def test_rows_of_zeros_are_never_used() -> None:
    """They have no direction; without other rows, nothing is resampled."""
    each = case()
    x = torch.zeros_like(each.x)
    assert len(run(each, x=x)[0]) == 0
    x[7] = each.x[7]
    assert len(run(each, x=x)[0]) == 1
    assert all(torch.isfinite(value).all() for value in each.trainee.dictionary.state_dict().values())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_every_feature_dead_recovers(dtype: torch.dtype) -> None:
    """Without an alive feature the encoder is initialised again, and training continues and improves."""
    each = case(dtype)
    with torch.no_grad():
        each.trainee.dictionary.encoder.bias.fill_(-1e3)
    everything = torch.arange(SIZE)
    each.trainee.optimiser.adopt(each.trainee.dictionary.encoder.bias, (everything,))
    train(each.trainee, each.x, range(5, 8), lr=0.001)
    assert each.trainee.dead(5).all()
    done, fresh = run(each, dead=everything)
    assert fresh and len(done) == SIZE
    losses = train(each.trainee, each.x, range(8, 60), lr=0.01)
    assert losses[-1] < 0.7 * losses[0]
    assert not each.trainee.dead(8).all()


def test_reference_switches_one_by_one() -> None:
    """Each switch changes only the part of the default rule that it names."""
    each = case()
    run(each, encoder="mean-alive")
    rows = each.trainee.dictionary.encoder.weight[DEAD]
    assert len(torch.unique(rows, dim=0)) == 1

    each = case()
    before = each.trainee.optimiser.first_moments[3].clone()
    run(each, moments="encoder")
    assert torch.equal(each.trainee.optimiser.first_moments[3], before)
    assert not each.trainee.optimiser.first_moments[1][DEAD].any()

    each = case()
    with torch.no_grad():
        each.trainee.dictionary.decoder.weight[:, 0] *= 3
    run(each, renormalize="resampled")
    assert each.trainee.dictionary.decoder.weight[:, 0].norm().item() == pytest.approx(3)
    run(each, renormalize="all")
    assert each.trainee.dictionary.decoder.weight[:, 0].norm().item() == pytest.approx(1)

    each = case()
    done, _ = run(each, x=each.x[:1], replacement=True)
    assert len(done) == len(DEAD)
    assert len(run(each, x=each.x[:1])[0]) == 1


def test_reference_stops_where_it_would_write_nan() -> None:
    """All features dead, and rows whose losses are not finite."""
    each = case()
    rows = Rows.of_batch(each.x, each.x)
    with pytest.raises(WorkerError, match="Every feature is dead after step 9") as error:
        resample(each.trainee, torch.arange(SIZE), rows, REFERENCE_RESAMPLING, each.generator, 9)
    assert error.value.code == "all_dead"
    with torch.no_grad():
        each.trainee.dictionary.bias.fill_(float("nan"))
    for rule in (DEFAULT, REFERENCE_RESAMPLING):
        with pytest.raises(WorkerError, match="not finite") as error:
            resample(each.trainee, DEAD, rows, rule, each.generator, 9)
        assert error.value.code == "non_finite_loss"


def test_draws_without_replacement_follow_the_weights() -> None:
    """First draws are in proportion, no row is drawn twice, and rows of weight 0 never are."""
    weights = torch.tensor([0.0, 1.0, 3.0, 6.0])
    generator = torch.Generator().manual_seed(0)
    first = torch.zeros(4)
    for _ in range(4000):
        drawn = draw_distinct(weights, 2, generator, lambda numbers: numbers[:, None].double())
        assert len(set(drawn.tolist())) == 2
        first[drawn[0]] += 1
    torch.testing.assert_close(first / 4000, weights / 10, atol=0.03, rtol=0)
    assert len(draw_distinct(weights, 9, generator, lambda numbers: numbers[:, None].double())) == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("at_once", [1, 3, 4096])
def test_draws_without_replacement_take_each_direction_once(monkeypatch, at_once, dtype) -> None:
    """The likeliest row of every direction, in the order of the draw; zeros of either sign are the same."""
    monkeypatch.setattr(draws, "ROWS_AT_ONCE", at_once)
    rows = torch.tensor([[0.0, 2.0], [1.0, 0.0], [-0.0, 2.0], [1.0, -0.0], [3.0, 1.0], [0.0, 2.0]], dtype=dtype)
    # So far apart that chance does not matter.
    weights = torch.tensor([1e10, 1e30, 1e40, 1e20, 1e50, 0], dtype=torch.float64)
    for count, expected in ((9, [4, 2, 1]), (2, [4, 2]), (0, [])):
        drawn = draw_distinct(weights, count, torch.Generator().manual_seed(0), lambda numbers: rows[numbers])
        assert drawn.tolist() == expected
