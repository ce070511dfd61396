"""The operations of the worker in one plain Python loop, without TypeScript, messages or a second process.

Reads one JSON request a line, answers one JSON object a line.
"""

import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "py_worker"))

from answers import answer_lines
from step_peers import reference, start

from dictlearn_worker import protocol as p
from dictlearn_worker.buffer.cached import open_cached
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import Context
from dictlearn_worker.train.operations import batch_for, check_finite, metrics
from dictlearn_worker.train.trainee import Trainee

CPU = torch.device("cpu")


def make(request):
    """Rows that a dictionary can explain: sparse sums of random directions, and a little noise."""
    generator = torch.Generator().manual_seed(0)
    width, rows = request["width"], request["batch"] * request["steps"]
    directions = torch.randn(4 * width, width, generator=generator)
    codes = torch.rand(rows, 4 * width, generator=generator)
    codes = torch.where(codes > 0.95, codes, 0.0)
    noise = torch.randn(rows, width, generator=generator)
    save_file({"inputs": codes @ directions / width**0.5 + 0.01 * noise}, request["make"])
    return {}


def take_steps(source, files, request, ready):
    """Trains the dictionary in `files["initial"]`; `ready()` is called before each draw. Steps per second, and whether
    the weights are those in `files["trained"]`."""
    batch, warmup = request["batch"], request["warmup_steps"]
    dictionary = AutoEncoder(request["width"], request["width"], request["features"], torch.float32)
    dictionary.load_state_dict(torch.load(files["initial"], weights_only=True))
    adam = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)
    loss = p.Loss(reconstruction="mse", sparsity="l1")
    trainee = Trainee(dictionary, adam)
    context = Context(Objects())
    handles = {"source": context.objects.put(source), "trainee": context.objects.put(trainee)}

    start = time.perf_counter()
    for step in range(request["steps"]):
        ready()
        numbers = p.StepNumbers(
            trainee=handles["trainee"],
            site=0,
            first_step=step,
            scale=1.0,
            lr=[request["lr"] * min((step + 1) / warmup, 1.0)],
            sparsity_penalty=[request["sparsity_penalty"]],
            loss=loss,
            adam=adam,
            fired="forward",
            autocast=None,
        )
        source.draw(batch)
        taken = trainee.step(*batch_for(source, 0, trainee, 1.0), numbers, 0)
        check_finite([taken], p.TrainStepsParams(source=handles["source"], rows=[batch], trainees=[numbers]))
        if step % request["log_steps"] == 0:
            metrics(context, p.TrainMetricsParams(**handles, site=0, scale=1.0, loss=loss, dead_since=step - 1000))
    seconds = time.perf_counter() - start

    trained = torch.load(files["trained"], weights_only=True)
    same = all(torch.equal(tensor, trained[key]) for key, tensor in dictionary.state_dict().items())
    return {"steps_per_second": request["steps"] / seconds, "same_weights": same}


def train(request):
    files = request["train"]
    source = open_cached(Path(files["rows"]), request["batch"], torch.float32, CPU)
    return take_steps(source, files, request, lambda: None)


def train_reference(request):
    """The plain reference loop on the same rows: its step, with its second encoding."""
    rows = load_file(request["reference"])["inputs"].split(request["batch"])
    step = reference(start(request["width"], request["features"], None), request["features"])
    begin = time.perf_counter()
    for batch in rows[: request["steps"]]:
        step(batch)
    return {"steps_per_second": request["steps"] / (time.perf_counter() - begin)}


if __name__ == "__main__":
    answer_lines(
        lambda request: (make if "make" in request else train if "train" in request else train_reference)(request)
    )
