"""Dictionaries whose inputs and outputs differ in width: the equations, a step in closed form, and the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.layouts import save
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train.trainee import Trainee

D_IN, D_OUT, SIZE, ROWS = 5, 7, 12, 30
LR, PENALTY, EPSILON = 0.01, 0.03, 1e-8


def dictionary(seed: int = 0, dtype: torch.dtype = torch.float64) -> AutoEncoder:
    """With biases that are not 0, so that they can be distinguished."""
    ae = AutoEncoder(D_IN, D_OUT, SIZE, dtype)
    generator = torch.Generator().manual_seed(seed)
    ae.initialise(generator)
    assert not ae.bias.any() and not ae.input_bias.any()
    with torch.no_grad():
        ae.bias.normal_(generator=generator)
        ae.input_bias.normal_(generator=generator)
    return ae


def rows(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, D_IN, generator=generator, dtype=torch.float64)
    return x, torch.randn(ROWS, D_OUT, generator=generator, dtype=torch.float64)


def test_equations() -> None:
    """f = ReLU(W (x - b_in) + b_enc), y_hat = D f + b."""
    ae, (x, _) = dictionary(), rows(1)
    f = ((x - ae.input_bias) @ ae.encoder.weight.T + ae.encoder.bias).clamp(min=0)
    torch.testing.assert_close(ae.encode(x), f)
    torch.testing.assert_close(ae.decode(f), f @ ae.decoder.weight.T + ae.bias)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("reconstruction", ["mse", "rmse"])
def test_first_step_in_closed_form(reconstruction: str, fused: bool) -> None:
    """The gradients by hand; Adam's first step is lr g / (|g| + eps), the decoder's projected and scaled."""
    ae, (x, y) = dictionary(), rows(2)
    adam = p.Adam(beta1=0.9, beta2=0.999, epsilon=EPSILON, fused=fused)
    start = {name: value.detach().clone() for name, value in ae.named_parameters()}
    weight, columns = start["encoder.weight"], start["decoder.weight"]

    f = ((x - start["input_bias"]) @ weight.T + start["encoder.bias"]).clamp(min=0)
    error = f @ columns.T + start["bias"] - y
    mse = error.square().mean()
    d_hat = 2 * error / error.numel()
    if reconstruction == "rmse":
        d_hat = d_hat / (2 * mse.sqrt())
    d_pre = (d_hat @ columns + PENALTY / ROWS) * (f > 0)
    gradients = {
        "bias": d_hat.sum(dim=0),
        "encoder.weight": d_pre.T @ (x - start["input_bias"]),
        "encoder.bias": d_pre.sum(dim=0),
        "decoder.weight": d_hat.T @ f,
        "input_bias": -(d_pre @ weight).sum(dim=0),
    }
    unit = columns / columns.norm(dim=0)
    gradients["decoder.weight"] -= (gradients["decoder.weight"] * unit).sum(dim=0) * unit

    numbers = p.StepNumbers(
        trainee=p.Handle(0, 0),
        site=0,
        first_step=0,
        scale=1.0,
        lr=[LR],
        sparsity_penalty=[PENALTY],
        loss=p.Loss(reconstruction=reconstruction, sparsity="l1"),
        adam=adam,
        fired="forward",
        autocast=None,
    )
    loss = Trainee(ae, adam).step(x, y, numbers, 0)
    expected = (mse if reconstruction == "mse" else mse.sqrt()) + PENALTY * f.sum(dim=-1).mean()
    torch.testing.assert_close(loss, expected)
    for name, value in ae.named_parameters():
        moved = start[name] - LR * gradients[name] / (gradients[name].abs() + EPSILON)
        if name == "decoder.weight":
            moved = moved / moved.norm(dim=0)
        torch.testing.assert_close(value.detach(), moved, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_file_says_that_there_are_two_biases(dtype: torch.dtype, tmp_path: Path) -> None:
    """`input_bias` is a separate tensor, and the dictionary is restored bit for bit."""
    ae = dictionary(dtype=dtype)
    save(ae, tmp_path / "ae.pt", 1)
    state = torch.load(tmp_path / "ae.pt", weights_only=True)
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "input_bias": (D_IN,),
        "bias": (D_OUT,),
        "encoder.weight": (SIZE, D_IN),
        "encoder.bias": (SIZE,),
        "decoder.weight": (D_OUT, SIZE),
    }
    again = AutoEncoder(D_IN, D_OUT, SIZE, dtype)
    again.load_state_dict(state)
    for key, value in ae.state_dict().items():
        assert value.dtype == dtype and torch.equal(value, again.state_dict()[key]), key


def test_equal_widths_share_one_bias() -> None:
    """As in the reference, where a stretcher of equal widths is an autoencoder with other targets."""
    assert next(name for name, _ in AutoEncoder(5, 5, 3, torch.float32).named_parameters()) == "bias"
    assert not hasattr(AutoEncoder(5, 5, 3, torch.float32), "input_bias")
