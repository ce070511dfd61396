"""The FLOPs of a forward pass and of a training step, against closed forms."""

from __future__ import annotations

import pytest
import torch
from golden import FOLDER
from torch.utils.flop_counter import FlopCounterMode

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.models.flops import count
from dictlearn_worker.models.language_model import LanguageModel
from dictlearn_worker.models.load import load_pretrained, wrap
from dictlearn_worker.train.trainee import Trainee

# tiny-neox: two layers of width D over V tokens.
D, V, T = 32, 264, 24
ATTENTION = T * 8 * D**2 + 4 * T**2 * D
MLP = T * 16 * D**2
HEAD = T * 2 * D * V


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    path = str(FOLDER / "tiny-neox")
    device = torch.device("cpu")
    return wrap(*load_pretrained(path, path, None, None, device, trust=False), device)


@pytest.mark.parametrize(
    ("submodules", "io", "expected"),
    [
        (["gpt_neox.embed_in"], "out", 0),
        (["gpt_neox.layers.0.attention"], "out", ATTENTION),
        (["gpt_neox.layers.0.mlp"], "in", ATTENTION),
        (["gpt_neox.layers.0.mlp"], "in_to_out", ATTENTION + MLP),
        (["gpt_neox.layers.0"], "out", ATTENTION + MLP),
        (["gpt_neox.layers.1.mlp", "gpt_neox.embed_in"], "out", 2 * (ATTENTION + MLP)),
    ],
)
def test_a_model_takes_what_its_matrices_and_its_attention_take(model, submodules, io, expected) -> None:
    sites = [p.Site(submodule=submodule, io=io) for submodule in submodules]
    assert count(model, sites, T) == (expected, 2 * (ATTENTION + MLP) + HEAD)


def test_no_more_tokens_than_the_model_takes(model) -> None:
    site = p.Site(submodule="gpt_neox.layers.0", io="out")
    assert count(model, [site], 10_000) == count(model, [site], model.max_context)


@pytest.mark.parametrize(("d_in", "d_out"), [(12, 12), (12, 20)])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("fired", ["forward", "updated"])
def test_a_step_takes_what_its_products_take(d_in, d_out, fused, fired) -> None:
    """The same formula as in src/train/flops.ts."""
    rows, m = 16, 48
    dictionary = AutoEncoder(d_in, d_out, m, torch.float32)
    dictionary.initialise(torch.Generator().manual_seed(0))
    adam = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=fused)
    trainee = Trainee(dictionary, adam)
    numbers = p.StepNumbers(
        trainee=p.Handle(0, 0),
        site=0,
        first_step=0,
        scale=1.0,
        lr=[1e-3],
        sparsity_penalty=[1e-3],
        loss=p.Loss(reconstruction="mse", sparsity="l1"),
        adam=adam,
        fired=fired,
        autocast=None,
    )
    with FlopCounterMode(display=False) as counter:
        trainee.step(torch.randn(rows, d_in), torch.randn(rows, d_out), numbers, 0)
    encodings = (2 if fused else 3) + (fired == "updated")
    of_the_bias = d_in if fused else 0
    assert counter.get_total_flops() == 2 * m * (rows * (encodings * d_in + 3 * d_out) + of_the_bias)
