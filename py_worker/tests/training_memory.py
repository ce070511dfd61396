"""The bytes that a step, a state, metrics and a checkpoint need above the memory held before: a separate program.

`training_memory.py WIDTH SIZE ROWS BIAS FOLDER` prints them, and whether the step was a sparse one.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.layouts import save
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.resume import file
from dictlearn_worker.train.statistics import batch_statistics
from dictlearn_worker.train.trainee import Trainee

ADAM = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)
LOSS = p.Loss(reconstruction="mse", sparsity="l1")
NUMBERS = p.StepNumbers(
    trainee=p.Handle(id=1, generation=1),
    site=0,
    first_step=0,
    scale=1.0,
    lr=[1e-4],
    sparsity_penalty=[1e-3],
    loss=LOSS,
    adam=ADAM,
    fired="forward",
    autocast=None,
)
WARM_UP_SIZE = 1024


def new_trainee(width: int, size: int, bias: float) -> Trainee:
    """`bias` decides how many features are active."""
    dictionary = AutoEncoder(width, width, size, torch.float32)
    dictionary.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        dictionary.encoder.bias += bias
    return Trainee(dictionary, ADAM)


def everything(trainee: Trainee, x: torch.Tensor, folder: Path) -> bool:
    """Whether the first step was sparse."""
    assert trainee.analytic is not None
    _, encoded = trainee.analytic.take(x, x, NUMBERS, 0)
    sparse = encoded.pairs is not None
    del encoded
    write = file.write_behind(folder / "state.safetensors", trainee.state())
    trainee.step(x, x, NUMBERS, 0)
    batch_statistics(trainee.dictionary, x, x, 1.0, LOSS)
    save(trainee.dictionary, folder / "ae.pt", 1.0)
    write.outcome.result()
    return sparse


def peak() -> int:
    """The process's peak memory in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(width: int, size: int, rows: int, bias: float, folder: Path) -> None:
    """Runs once with a small dictionary first, so that all code is loaded."""
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(1))
    everything(new_trainee(width, WARM_UP_SIZE, bias), x, folder)
    trainee = new_trainee(width, size, bias)
    before = peak()
    sparse = everything(trainee, x, folder)
    print(peak() - before, sparse)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), float(sys.argv[4]), Path(sys.argv[5]))
