"""The step in closed form: gradients and training match autograd's, over all features or only over active ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train import encoded, products
from dictlearn_worker.train.loss import reconstruction_term, sparsity_term
from dictlearn_worker.train.pairs import RADIX_LIMIT, stable_order
from dictlearn_worker.train.trainee import Trainee

FUSED = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)
PLAIN = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=False)
TERMS = list(itertools.product(("mse", "rmse"), ("l1", "entropy")))
D_IN, SIZE, ROWS, PENALTY = 24, 700, 50, 0.03


@pytest.fixture(params=["dense", "pairs"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Forces one of the two ways at any density, with features in blocks of which the last one is smaller.

    oneDNN computes products of any size where it can be the faster library.
    """
    monkeypatch.setattr(products, "LEAST_PRODUCT", 0)
    monkeypatch.setattr(products, "LEAST_INNER", 0)
    monkeypatch.setattr(encoded, "LEAST_PLACES", 0)
    monkeypatch.setattr(encoded, "MOST_DENSITY", 1 if request.param == "pairs" else 0)
    monkeypatch.setitem(encoded.BLOCK, "cpu", 1)
    return request.param


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small only lose time to threads, tenfold if other programs run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def dictionary(d_out: int, dtype: torch.dtype, bias: float, size: int = SIZE) -> AutoEncoder:
    """Drawn from a fixed seed; `bias` decides how many features are active. No bias is zero."""
    ae = AutoEncoder(D_IN, d_out, size, dtype)
    ae.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        ae.encoder.bias += bias
        for each in (ae.bias, ae.shift):
            each += 0.1 * torch.randn(len(each), generator=torch.Generator().manual_seed(3)).to(dtype)
    return ae


def numbers(
    step: int, lr: float, penalty: float, loss: p.Loss, fired: str = "forward", autocast: str | None = None
) -> p.StepNumbers:
    return p.StepNumbers(
        trainee=p.Handle(0, 0),
        site=0,
        first_step=step,
        scale=1.0,
        lr=[lr],
        sparsity_penalty=[penalty],
        loss=loss,
        adam=FUSED,
        fired=fired,
        autocast=autocast,
    )


def rows(width: int, dtype: torch.dtype, seed: int) -> torch.Tensor:
    return torch.randn(ROWS, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def autograd(
    ae: AutoEncoder, x: torch.Tensor, y: torch.Tensor, loss: p.Loss, penalty: float, dtype: torch.dtype
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The loss and the gradients by autograd, in `dtype`, the decoder's without its part along the columns."""
    other = AutoEncoder(ae.input_width, ae.output_width, ae.size, dtype)
    other.load_state_dict(ae.state_dict())
    f = other.encode(x.to(dtype))
    total = reconstruction_term(y.to(dtype), other.decode(f), loss) + penalty * sparsity_term(f, loss)
    total.backward()
    columns, gradient = other.decoder.weight.detach(), other.decoder.weight.grad
    assert gradient is not None
    unit = columns / columns.norm(dim=0)
    gradient -= (gradient * unit).sum(dim=0) * unit
    return total.detach(), [each.grad for each in other.parameters() if each.grad is not None]


def largest_error(trainee: Trainee, gradients: list[torch.Tensor]) -> float:
    """Relative to the largest of each parameter's gradient. After one step the first moment is a tenth of it."""
    return max(
        float((moment.double() / 0.1 - gradient).abs().max()) / (float(gradient.abs().max()) or 1.0)
        for moment, gradient in zip(trainee.optimiser.first_moments, gradients, strict=True)
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize("d_out", [D_IN, 17], ids=["out", "in_to_out"])
@pytest.mark.parametrize("bias", [0.0, -1.0, -100.0], ids=["half active", "few active", "none active"])
@pytest.mark.parametrize(("reconstruction", "sparsity"), TERMS)
def test_gradients_are_those_of_autograd(way, reconstruction, sparsity, bias, d_out, dtype, tolerance) -> None:
    """At one point, against float64."""
    ae = dictionary(d_out, dtype, bias)
    x = rows(D_IN, dtype, 1)
    y = x if d_out == D_IN else rows(d_out, dtype, 2)
    loss = p.Loss(reconstruction=reconstruction, sparsity=sparsity)
    expected, gradients = autograd(ae, x, y, loss, PENALTY, torch.float64)
    active = (ae.encode(x) != 0).sum()
    assert 0 < active < 0.4 * ROWS * SIZE or bias != -1.0
    fired = (ae.encode(x) != 0).any(dim=0)
    trainee = Trainee(ae, FUSED)
    found = trainee.step(x, y, numbers(7, 0.0, PENALTY, loss), 0)
    assert found.item() == pytest.approx(expected.item(), rel=tolerance)
    assert largest_error(trainee, gradients) <= tolerance
    assert torch.equal(trainee.last_fired == 7, fired)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize(("reconstruction", "sparsity"), TERMS)
def test_gradients_are_autograds_at_every_step(monkeypatch, reconstruction, sparsity, dtype, tolerance) -> None:
    """Over 200 steps of training from two thirds of the features active to few, against autograd in the same dtype.

    Each step starts from the same weights, over all features and over active ones in turn.
    """
    monkeypatch.setattr(encoded, "LEAST_PLACES", 0)
    monkeypatch.setitem(encoded.BLOCK, "cpu", 1)
    loss, penalty = p.Loss(reconstruction=reconstruction, sparsity=sparsity), 0.3
    trained, probe = (Trainee(dictionary(D_IN, dtype, 0.3, 96), FUSED) for _ in range(2))
    batches = [rows(D_IN, dtype, seed) for seed in range(40)]
    active = []
    for step in range(200):
        x = batches[step % len(batches)]
        monkeypatch.setattr(encoded, "MOST_DENSITY", step % 2)
        weights = trained.dictionary
        active.append(float((weights.encode(x) != 0).double().mean()))
        expected, gradients = autograd(weights, x, x, loss, penalty, dtype)
        probe.dictionary.load_state_dict(weights.state_dict())
        for moment in probe.optimiser.first_moments:
            moment.zero_()
        found = probe.step(x, x, numbers(step, 0.0, penalty, loss), 0)
        assert found.item() == pytest.approx(expected.item(), rel=tolerance)
        assert largest_error(probe, gradients) <= tolerance
        trained.step(x, x, numbers(step, 1e-2, penalty, loss), 0)
    assert active[0] > 0.6
    assert active[-1] < 0.35


@pytest.mark.parametrize("loss", [p.Loss(reconstruction="mse", sparsity=each) for _, each in TERMS[:2]], ids=str)
def test_autocast_is_as_exact_as_autograd_under_it(monkeypatch, loss) -> None:
    """The norm of each gradient's error. Most products are far below 0 and cancelled by the bias, as in training:
    rounded before the bias is added, the error of the features would be twice as large."""
    monkeypatch.setitem(encoded.BLOCK, "cpu", 1)
    ae = dictionary(D_IN, torch.float32, 0.0)
    with torch.no_grad():
        ae.encoder.weight.copy_(ae.decoder.weight.T)
        ae.encoder.bias.fill_(-2)
    x = rows(D_IN, torch.float32, 1)
    _, exact = autograd(ae, x, x, loss, PENALTY, torch.float64)
    names = [name for name, _ in ae.named_parameters()]
    plain = AutoEncoder(D_IN, D_IN, SIZE, torch.float32)
    plain.load_state_dict(ae.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        f = plain.encode(x)
        y_hat = plain.decode(f)
    (reconstruction_term(x, y_hat.float(), loss) + PENALTY * sparsity_term(f.float(), loss)).backward()
    trainee = Trainee(ae, FUSED)
    found = trainee.step(x, x, numbers(7, 0.0, PENALTY, loss, autocast="bfloat16"), 0)
    assert found.dtype == torch.float32 and (f != 0).sum() > SIZE
    for name, parameter, moment, gradient in zip(
        names, plain.parameters(), trainee.optimiser.first_moments, exact, strict=True
    ):
        assert parameter.grad is not None
        theirs = parameter.grad.double()
        if name == "decoder.weight":
            columns = plain.decoder.weight.detach().double()
            unit = columns / columns.norm(dim=0)
            theirs = theirs - (theirs * unit).sum(dim=0) * unit
        ours, theirs = (float((each - gradient).norm()) for each in (moment.double() / 0.1, theirs))
        assert 0 < ours <= 1.15 * theirs, name


@pytest.mark.parametrize(
    ("dtype", "loss_tolerance", "weight_tolerance"),
    [(torch.float64, 1e-12, 1e-12), (torch.float32, 5e-5, 2e-3)],
    ids=["float64", "float32"],
)
@pytest.mark.parametrize(("reconstruction", "sparsity"), TERMS)
def test_many_steps_are_the_references(way, reconstruction, sparsity, dtype, loss_tolerance, weight_tolerance) -> None:
    """With a warm-up of rate and penalty, against autograd and torch's plain Adam: 200 steps, with the entropy 50.

    Adam divides by the gradient's size: where the gradient is only rounding error, float32 weights differ by part of
    a rate.
    Training on the entropy is chaotic: after 200 steps two plain float64 runs whose initial weights differ
    by 1e-14 are 8e-4 apart, and so are ours and the plain one.
    """
    x = rows(D_IN, dtype, 1)
    loss = p.Loss(reconstruction=reconstruction, sparsity=sparsity)
    fast, plain = (Trainee(dictionary(D_IN, dtype, -0.3, 96), adam) for adam in (FUSED, PLAIN))
    start = fast.dictionary.encoder.weight.detach().clone()
    for step in range(200 if sparsity == "l1" else 50):
        warm = min(1.0, (step + 1) / 20)
        given = numbers(step, 1e-3 * warm, PENALTY * warm, loss, "updated")
        losses = [each.step(x, x, given, 0).item() for each in (fast, plain)]
        assert losses[0] == pytest.approx(losses[1], rel=loss_tolerance)
    assert (fast.dictionary.encoder.weight.detach() - start).abs().max() > 0.02
    for ours, theirs in zip(fast.dictionary.parameters(), plain.dictionary.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=weight_tolerance, atol=weight_tolerance)
    assert torch.equal(fast.last_fired, plain.last_fired)


def test_the_way_follows_from_the_batch_alone() -> None:
    """Few active features of many places: pairs. Many, or few places: all. No state is kept."""
    loss = p.Loss(reconstruction="mse", sparsity="l1")
    x = rows(D_IN, torch.float32, 1)
    large = 2 * encoded.LEAST_PLACES // ROWS

    def pairs(bias: float, size: int) -> bool:
        trainee = Trainee(dictionary(D_IN, torch.float32, bias, size), FUSED)
        assert trainee.analytic is not None
        return trainee.analytic.take(x, x, numbers(0, 0.0, PENALTY, loss), 0)[1].pairs is not None

    assert [pairs(-1.0, large), pairs(0.0, large), pairs(-1.0, SIZE)] == [True, False, False]


@pytest.mark.parametrize("where", ["input", "weight"])
def test_nan_is_seen(way, where) -> None:
    """A NaN anywhere makes the loss NaN, so that the run stops there."""
    ae = dictionary(D_IN, torch.float32, -1.0)
    x = rows(D_IN, torch.float32, 1)
    with torch.no_grad():
        (x if where == "input" else ae.encoder.weight)[3, 2] = torch.nan
    loss = p.Loss(reconstruction="mse", sparsity="l1")
    assert torch.isnan(Trainee(ae, FUSED).step(x, x, numbers(0, 0.0, PENALTY, loss), 0))


def test_order_is_stable_in_both_sorts() -> None:
    """Radix sort and comparison sort give one order."""
    drawn = torch.randint(0, 1000, (5000,), generator=torch.Generator().manual_seed(0))
    expected = torch.tensor(sorted(range(5000), key=drawn.tolist().__getitem__))
    for limit in (1000, RADIX_LIMIT, RADIX_LIMIT + 1):
        assert torch.equal(stable_order(drawn, limit), expected)


def test_the_decoder_is_the_same_in_files(tmp_path) -> None:
    """The decoder lies in memory feature by feature, but is written (d, m) as before."""
    from dictlearn_worker.dictionary.layouts import save

    ae = dictionary(D_IN, torch.float32, 0.0)
    save(ae, tmp_path / "before.pt", 1)
    trainee = Trainee(ae, FUSED)
    assert ae.decoder.weight.T.is_contiguous()
    save(trainee.dictionary, tmp_path / "after.pt", 1)
    assert (tmp_path / "before.pt").read_bytes() == (tmp_path / "after.pt").read_bytes()


def test_pairs_are_used_while_they_are_few(monkeypatch) -> None:
    """At any density: their memory must not grow with the dictionary."""
    monkeypatch.setattr(encoded, "LEAST_PLACES", 0)
    f = torch.zeros(SIZE, ROWS)
    f[:10, 0] = 1

    def pairs(most: int):
        monkeypatch.setattr(encoded, "MOST_PAIRS", most)
        return encoded.encode_blocks(iter([(slice(0, SIZE), f)]), f, sparse=True).pairs

    assert pairs(9) is None
    found = pairs(10)
    assert found is not None
    assert found.features.tolist() == list(range(10))
