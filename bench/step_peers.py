"""One step of the worker next to one of the plain reference procedure, on the same rows and weights, in turns.

Reads one JSON request a line, answers one JSON object a line.
"""

import sys
import time
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parents[1] / "py_worker"), str(Path(__file__).parent / "reference")]

from answers import answer_lines
from dictionary import AutoEncoder as PlainAutoEncoder
from dictionary import losses
from peak import product as square_product
from train import ConstrainedAdam as PlainAdam

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train.trainee import Trainee

# So small that the share of active features does not change.
LR, PENALTY = 1e-6, 1e-3
ADAM = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)


def start(width, size, l0):
    """A plain dictionary; with `l0`, one with this many active features on a row of standard normal numbers.

    There each product with a unit encoder row is standard normal itself, so the bias is a quantile.
    """
    torch.manual_seed(0)
    plain = PlainAutoEncoder(width, width, size)
    if l0 is not None:
        with torch.no_grad():
            plain.encoder.weight.copy_(plain.decoder.weight.T)
            plain.encoder.bias.fill_(torch.special.ndtri(torch.tensor(l0 / size)))
    return plain


def reference(plain, size):
    """The step of dictionary_learning ddac948, the second encoding for the window of alive features included."""
    optimiser = PlainAdam(plain, LR)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda _: 1.0)
    alive = torch.zeros(size, dtype=torch.bool, device=plain.bias.device)

    def step(x):
        optimiser.zero_grad()
        reconstruction, sparsity = losses(plain, x, x, False)
        (reconstruction + PENALTY * sparsity).backward()
        optimiser.step()
        scheduler.step()
        with torch.no_grad():
            alive.logical_or_((plain.encode(x) != 0).any(dim=0))

    return step


def ours(plain, width, size):
    dictionary = AutoEncoder(width, width, size, torch.float32)
    dictionary.load_state_dict(plain.state_dict())
    trainee = Trainee(dictionary, ADAM)
    numbers = p.StepNumbers(
        trainee=p.Handle(0, 0),
        site=0,
        first_step=0,
        scale=1.0,
        lr=[LR],
        sparsity_penalty=[PENALTY],
        loss=p.Loss(reconstruction="rmse", sparsity="l1"),
        adam=ADAM,
        fired="forward",
        autocast=None,
    )
    return dictionary, lambda x: trainee.step(x, x, numbers, 0)


@torch.no_grad()
def l0_of(dictionary, x):
    return (dictionary.encode(x) != 0).sum(dim=-1).double().mean().item()


def measure(request):
    width, size, batch, repetitions = (request[key] for key in ("width", "features", "batch", "repetitions"))
    rows = torch.randn(4 * batch, width, generator=torch.Generator().manual_seed(1))
    plain = start(width, size, request["l0"])
    dictionary, step = ours(plain, width, size)
    x = rows[:batch]
    weight, bias = plain.encoder.weight.detach(), plain.encoder.bias.detach()
    product = torch.empty(batch, size)
    sides = {
        "ours": step,
        "reference": reference(plain, size),
        "product": square_product(),
        "encode": lambda x: torch.addmm(bias, x, weight.T, out=product),
    }
    sides = {name: sides[name] for name in request.get("sides", sides)}
    seconds = {name: [] for name in sides}
    # The first round warms up; the sides take turns, so that a slow moment of the machine hits all.
    for repetition in range(repetitions + 1):
        x = rows[(repetition % 4) * batch :][:batch]
        for name, take in sides.items():
            begin = time.perf_counter()
            take(x)
            if repetition > 0:
                seconds[name].append(time.perf_counter() - begin)
    return {**seconds, "l0": l0_of(dictionary, x)}


if __name__ == "__main__":
    answer_lines(measure)
