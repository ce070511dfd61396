"""The next batch, gathered by another thread while the step on this one runs."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from ..memory import upload
from ..models.language_model import Read

GATHERER = ThreadPoolExecutor(1, thread_name_prefix="gather")


def gather(values: dict[Read, torch.Tensor], slots: torch.Tensor) -> dict[Read, torch.Tensor]:
    """The rows (slots, width) of every value; in pinned memory where a GPU may want them from the CPU."""
    drawn = {}
    for read, rows in values.items():
        pinned = rows.device.type == "cpu" and torch.cuda.is_available()
        out = torch.empty((len(slots), rows.shape[1]), dtype=rows.dtype, device=rows.device, pin_memory=pinned)
        drawn[read] = torch.index_select(rows, 0, upload(slots, rows.device), out=out)
    return drawn


class Ahead:
    """Gathers at most one batch ahead. It is a guess: a batch of other slots is gathered on request."""

    def __init__(self) -> None:
        self._slots = torch.empty(0, dtype=torch.int32)
        self._rows: Future[dict[Read, torch.Tensor]] | None = None

    def start(self, values: dict[Read, torch.Tensor], slots: torch.Tensor) -> None:
        """Starts to gather `slots`. Nothing may be written to them before the next `take`."""
        self._slots, self._rows = slots, GATHERER.submit(gather, values, slots)

    def take(self, slots: torch.Tensor) -> dict[Read, torch.Tensor] | None:
        """Waits for the gathered rows and returns them, if they are those of `slots`."""
        rows, self._rows = self._rows, None
        found = None if rows is None else rows.result()
        return found if torch.equal(slots, self._slots) else None
