"""bfloat16 dictionaries and autocast learn as float32 ones do, and their state has the documented dtypes."""

from __future__ import annotations

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train.trainee import Trainee

ADAM = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)
WIDTH, DIRECTIONS, SIZE, ROWS, STEPS = 32, 64, 96, 128, 400
# So low that a bfloat16 weight without a master would round most of its steps away.
LR = 2e-4


def explained(dtype: torch.dtype, autocast: str | None = None) -> tuple[float, Trainee]:
    """Share of the variance of fresh rows that a short training explains."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(DIRECTIONS, WIDTH, generator=generator)

    def batch() -> torch.Tensor:
        strength = torch.rand(ROWS, DIRECTIONS, generator=generator)
        return (strength * (strength > 0.9)) @ directions

    ae = AutoEncoder(WIDTH, WIDTH, SIZE, dtype)
    ae.initialise(torch.Generator().manual_seed(1))
    trainee = Trainee(ae, ADAM)
    for step in range(STEPS):
        x = batch().to(dtype)
        numbers = p.StepNumbers(
            trainee=p.Handle(0, 0),
            site=0,
            first_step=step,
            scale=1.0,
            lr=[LR],
            sparsity_penalty=[1e-3],
            loss=p.Loss(reconstruction="mse", sparsity="l1"),
            adam=ADAM,
            fired="forward",
            autocast=autocast,
        )
        assert trainee.step(x, x, numbers, 0).dtype == dtype
    x = batch().to(dtype)
    with torch.no_grad():
        error = (ae.decode(ae.encode(x)) - x).double().square().sum()
    return 1 - float(error / (x - x.mean(dim=0)).double().square().sum()), trainee


def test_lower_precision_learns_as_much() -> None:
    """Within one point of float32, whether the weights are bfloat16 or only the products are."""
    full, _ = explained(torch.float32)
    assert full > 0.3
    rounded, trainee = explained(torch.bfloat16)
    assert rounded == pytest.approx(full, abs=0.01)
    assert {value.dtype for value in trainee.optimiser.first_moments} == {torch.float32}
    for parameter, master in zip(trainee.optimiser.parameters, trainee.optimiser.masters, strict=True):
        assert parameter.dtype == torch.bfloat16 and torch.equal(parameter, master.bfloat16())
    mixed, trainee = explained(torch.float32, "bfloat16")
    assert mixed == pytest.approx(full, abs=0.01) and mixed != full
    assert trainee.dictionary.dtype == torch.float32 and trainee.optimiser.masters is trainee.optimiser.parameters


def test_double_precision_is_double_throughout() -> None:
    """No part of a float64 run is float32."""
    _, trainee = explained(torch.float64)
    assert {value.dtype for value in trainee.optimiser.second_moments} == {torch.float64}
    assert all(not torch.equal(each, each.float().double()) for each in trainee.dictionary.parameters())
