"""Twelve dictionaries on six sites in one run, next to twelve runs of one.

Reads one JSON request a line, answers one JSON object a line.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "py_worker"))

from answers import answer_lines

from dictlearn_worker import protocol as p
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import Context
from dictlearn_worker.train.operations import steps
from dictlearn_worker.train.trainee import Trainee

ADAM = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=True)


class Run:
    """Dictionaries, given as (site, features), over a full buffer of their sites."""

    def __init__(self, dictionaries, rows, width):
        sites = max(site for site, _ in dictionaries) + 1
        self.context = Context(Objects())
        self.buffer = ActivationRows(
            [p.Site(submodule=f"site{site}", io="out") for site in range(sites)],
            [p.SiteWidths(input_width=width, output_width=width)] * sites,
            rows,
            dtype=torch.float32,
            device=torch.device("cpu"),
            generator=torch.Generator().manual_seed(0),
            randperm_each=False,
            keep_contexts=False,
        )
        generator = torch.Generator().manual_seed(1)
        for values in self.buffer.values.values():
            values.normal_(generator=generator)
        self.rows = rows
        self.trainees = []
        for site, features in dictionaries:
            dictionary = AutoEncoder(width, width, features, torch.float32)
            dictionary.initialise(torch.Generator().manual_seed(2))
            self.trainees.append((self.context.objects.put(Trainee(dictionary, ADAM)), site))
        self.source = self.context.objects.put(self.buffer)

    def seconds(self, count, batch):
        """Times `count` steps in one message."""
        self.buffer.begin(full=True)
        numbers = [
            p.StepNumbers(
                trainee=trainee,
                site=site,
                first_step=0,
                scale=1.0,
                lr=[1e-4] * count,
                sparsity_penalty=[1e-3] * count,
                loss=p.Loss(reconstruction="mse", sparsity="l1"),
                adam=ADAM,
                fired="forward",
                autocast=None,
            )
            for trainee, site in self.trainees
        ]
        params = p.TrainStepsParams(source=self.source, rows=[batch] * count, trainees=numbers)
        begin = time.perf_counter()
        steps(self.context, params)
        return time.perf_counter() - begin


def measure(request):
    batch, count = request["batch"], request["steps"]
    rows, width = (count + 1) * batch, request["width"]
    together = Run([(site, m) for site in range(request["sites"]) for m in request["features"]], rows, width)
    pairs = [m for _ in range(request["sites"]) for m in request["features"]]
    alone = [Run([(0, m)], rows, width) for m in (pairs if request.get("alone", True) else [])]
    found = {"together": [], "alone": []}
    for repetition in range(request["repetitions"] + 1):
        seconds = {"together": together.seconds(count, batch), "alone": sum(run.seconds(count, batch) for run in alone)}
        if repetition > 0:
            for name, each in seconds.items():
                found[name].append(each)
    return found


answer_lines(measure)
