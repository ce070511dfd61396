"""Steps of the worker, of the plain reference procedure, and bare products, one at a time on request.

Reads one JSON request a line, answers one JSON object a line: `prepare` makes rows and weights and writes them to a file for
the other libraries, `take` times one step of one side.
"""

import time

import torch
from answers import answer_lines
from peak import product
from safetensors.torch import save_file
from step_peers import l0_of, ours, reference, start


class Sides:
    """All sides start from the same weights; `rows` are shared."""

    def __init__(self, request):
        width, size, batch, l0 = (request[key] for key in ("width", "features", "batch", "l0"))
        rows = torch.randn(request["batches"] * batch, width, generator=torch.Generator().manual_seed(1))
        self.rows = rows.split(batch)
        plain = start(width, size, l0)
        self.dictionary, step = ours(plain, width, size)
        weights = {key: value.contiguous() for key, value in plain.state_dict().items()}
        save_file({"rows": rows, **weights}, request["prepare"])
        self.takes = {
            "dictlearn": step,
            "reference": reference(plain, size),
            "product": product(),
        }

    def take(self, name, batch):
        begin = time.perf_counter()
        self.takes[name](self.rows[batch])
        return time.perf_counter() - begin


class Steps:
    """Answers requests in turn."""

    sides = None

    def answer(self, request):
        if "prepare" not in request:
            return {"seconds": self.sides.take(request["take"], request["batch"])}
        self.sides = None
        self.sides = Sides(request)
        return {"l0": l0_of(self.sides.dictionary, self.sides.rows[0]), "torch": torch.__version__}


if __name__ == "__main__":
    answer_lines(Steps().answer)
