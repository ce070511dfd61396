"""The step on a GPU: its gradients beside those of float64, and its speed at the published size, from a full buffer.

Run by cuda.sh; one JSON object a line.
"""

import itertools
import json
import sys
import time
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parents[1] / "py_worker"), str(Path(__file__).parent / "reference")]

from dictionary import AutoEncoder as PlainAutoEncoder
from draw_peers import ours as full_buffer
from step_peers import ADAM, PENALTY, l0_of, reference, start

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train.operations import batch_for
from dictlearn_worker.train.trainee import Trainee

GPU = torch.device("cuda")
WIDTH, SIZE, BATCH, ROWS = 512, 8192, 8192, 3_840_000
STEPS, REPETITIONS = 20, 7


def show(**found):
    print(json.dumps(found), flush=True)


def numbers(steps, reconstruction="mse", autocast=None):
    return p.StepNumbers(
        trainee=p.Handle(0, 0),
        site=0,
        first_step=0,
        scale=1.0,
        lr=[1e-6] * steps,
        sparsity_penalty=[PENALTY] * steps,
        loss=p.Loss(reconstruction=reconstruction, sparsity="l1"),
        adam=ADAM,
        fired="forward",
        autocast=autocast,
    )


def trainee_of(plain, dtype=torch.float32):
    dictionary = AutoEncoder(WIDTH, WIDTH, len(plain.encoder.bias), dtype)
    dictionary.load_state_dict(plain.state_dict())
    return Trainee(dictionary.to(GPU), ADAM)


def gradients():
    """The largest error of each gradient, relative to its largest number, against autograd in float64 on the GPU.

    Of features that are active on the same rows in both: where a feature is 0 but for rounding, so is which side of 0 it
    is on, and that decides whether the row counts.
    """
    x = torch.randn(1024, WIDTH, generator=torch.Generator().manual_seed(1)).to(GPU)
    for l0, dtype in itertools.product((100, None), (torch.float32, torch.float64)):
        plain = start(WIDTH, SIZE, l0)
        trainee = trainee_of(plain, dtype)
        same = (trainee.dictionary.encode(x.to(dtype)) != 0).T
        trainee.step(x.to(dtype), x.to(dtype), numbers(1), 0)
        double = PlainAutoEncoder(WIDTH, SIZE).double().to(GPU)
        double.load_state_dict(plain.state_dict())
        f = double.encode(x.double())
        ((double.decode(f) - x).pow(2).mean() + PENALTY * f.norm(p=1, dim=-1).mean()).backward()
        same = (same == (f != 0).T).all(dim=1)
        columns, gradient = double.decoder.weight.detach(), double.decoder.weight.grad
        unit = columns / columns.norm(dim=0)
        gradient -= (gradient * unit).sum(dim=0) * unit
        pairs = zip(trainee.optimiser.first_moments, double.named_parameters(), strict=True)
        errors = {}
        for moment, (name, each) in pairs:
            error = (moment.double() / 0.1 - each.grad) / each.grad.abs().max()
            if name != "bias":
                error = error[:, same] if name == "decoder.weight" else error[same]
            errors[name] = float(error.abs().max())
        show(what="gradients", l0=l0, dtype=str(dtype), features_compared=int(same.sum()), errors=errors)


def milliseconds(take, draw):
    """Of one step with its draw: the median over the repetitions, and the extremes."""
    found = []
    for repetition in range(REPETITIONS + 1):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(STEPS):
            take(draw())
        torch.cuda.synchronize()
        if repetition > 0:
            found.append(1000 * (time.perf_counter() - begin) / STEPS)
    found.sort()
    middle = found[len(found) // 2]
    return {"ms": middle, "least": found[0], "most": found[-1], "tokens_per_s": 1000 * BATCH / middle}


def speed():
    """Steps with their draws from a buffer of the published size, on the GPU and on the CPU."""
    for device in ("cuda", "cpu"):
        buffer, values = full_buffer(ROWS, WIDTH, device)
        for part in values.split(BATCH):
            part.copy_(torch.randn(part.shape, device=GPU))
        draws = 0

        def drawn(trainee):
            nonlocal draws
            draws += 1
            if draws * BATCH > ROWS // 2:
                buffer.unread, buffer._free, draws = torch.arange(ROWS), [torch.empty(0, dtype=torch.int64)], 0
                buffer.shuffle()
            buffer.draw(BATCH)
            return batch_for(buffer, 0, trainee, 1.0)[0]

        for tf32, dtype, autocast in ((False, "float32", None), (True, "float32", None), (False, "float32", "bfloat16")):
            torch.set_float32_matmul_precision("high" if tf32 else "highest")
            for l0 in (100, None):
                trainee = trainee_of(start(WIDTH, SIZE, l0), getattr(torch, dtype))
                step = numbers(1, autocast=autocast)
                torch.cuda.reset_peak_memory_stats()
                found = milliseconds(lambda x: trainee.step(x, x, step, 0), lambda: drawn(trainee))
                peak = torch.cuda.max_memory_allocated() / 2**30
                settings = {"rows_on": device, "tf32": tf32, "dtype": dtype, "autocast": autocast}
                l0 = l0_of(trainee.dictionary, buffer.batch(0)[0].to(GPU))
                show(what="step with draw", **settings, l0=l0, peak_gib=peak, **found)
            if device == "cuda" and autocast is None:
                plain = start(WIDTH, SIZE, 100).to(GPU)
                theirs = milliseconds(reference(plain, SIZE), lambda: drawn(trainee))
                show(what="the reference's step, with our draw", tf32=tf32, **theirs)
        del buffer, values


show(what="card", name=torch.cuda.get_device_name(), torch=torch.__version__)
gradients()
speed()
