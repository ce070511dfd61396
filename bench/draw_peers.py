"""Draws of batches from a large buffer: the worker's next to the plain reference buffer's, from the same rows.

Reads one JSON request a line, answers one JSON object a line.
"""

import sys
import time
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parents[1] / "py_worker"), str(Path(__file__).parent / "reference")]

from answers import answer_lines
from buffer import ActivationBuffer

from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.protocol import Site, SiteWidths


def ours(rows, width, device="cpu"):
    """A full buffer, and its rows, which are all ones."""
    buffer = ActivationRows(
        [Site(submodule="site", io="out")],
        [SiteWidths(input_width=width, output_width=width)],
        rows,
        dtype=torch.float32,
        device=torch.device(device),
        generator=torch.Generator().manual_seed(0),
        randperm_each=False,
        keep_contexts=False,
    )
    # As if all rows had been appended: their values do not matter.
    (values,) = buffer.values.values()
    values.fill_(1)
    buffer.begin(full=True)
    return buffer, values


def reference(values, batch):
    """The reference's iterator over existing rows, so that it needs no model."""
    buffer = object.__new__(ActivationBuffer)
    buffer.rows, buffer.read = [values], torch.zeros(len(values), dtype=torch.bool)
    buffer.capacity, buffer.out_batch = len(values), batch
    return iter(buffer)


def measure(request):
    rows, width, batch = request["rows"], request["width"], request["batch"]
    assert batch * 2 * (request["repetitions"] + 1) <= rows // 2, "no refresh is due"
    buffer, values = ours(rows, width)
    plain = reference(values, batch)
    sides = {
        "ours": lambda: buffer.draw(batch),
        # The same, after a step that left time for the gather.
        "behind_step": lambda: buffer.draw(batch),
        "reference": lambda: next(plain),
    }
    if request.get("shuffles"):
        sides = {"ours": sides["ours"], "shuffle": buffer.shuffle}
    seconds = {name: [] for name in sides}
    for repetition in range(request["repetitions"] + 1):
        for name, take in sides.items():
            time.sleep(0.1)
            if name == "ours":
                # The batch gathered ahead is discarded: a draw is measured with its gather.
                buffer._ahead.take(torch.empty(0, dtype=torch.int64))
            begin = time.perf_counter()
            take()
            if repetition > 0:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


if __name__ == "__main__":
    answer_lines(measure)
