"""The contexts that a buffer's rows were computed from: enough to recompute them, at a fraction of their size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from ..text.contexts import Batch

NOWHERE = -1
# On a CPU few enough that the temporaries do not fragment the heap; a GPU wants fewer launches.
ROWS_AT_ONCE = {"cpu": 256, "cuda": 8192}


@dataclass
class Held:
    """One batch of contexts that went through the model together, with `live` rows still in the buffer.

    There are hundreds, so a token takes 2 or 4 bytes instead of the 18 of `Batch`. ids: uint16 or int32; keep, mask:
    bool, mostly True everywhere and then one repeated value; all (contexts, positions). `cut`: whether a
    large batch is cut into passes, which decides the last bits of its rows. `sums` (reads) tells whether recomputed
    rows are the same, see `fingerprint`.
    """

    ids: torch.Tensor
    keep: torch.Tensor
    mask: torch.Tensor | None
    sums: torch.Tensor
    cut: bool
    live: int

    @property
    def batch(self) -> Batch:
        """The contexts as the model reads them.

        Which positions hold text matters only to evaluation; here the kept positions stand in for them.
        """
        mask = None if self.mask is None else self.mask.long()
        return Batch(ids=self.ids.long(), mask=mask, keep=self.keep, real=self.keep)


class Origins:
    """For every slot the batch that its row came from, `append` (rows), and the row's number in it, `row` (rows).

    A whole batch is kept while one of its rows is: the last bits of a row depend on the rows computed with it.
    """

    def __init__(self, rows: int) -> None:
        self.append = torch.full((rows,), NOWHERE, dtype=torch.int32)
        self.row = torch.zeros(rows, dtype=torch.int32)
        self.held: dict[int, Held] = {}
        self._appends = 0

    def record(self, slots: torch.Tensor, batch: Batch, sums: torch.Tensor, *, cut: bool = True) -> None:
        """The rows of `batch`, whose fingerprint is `sums`, now fill `slots` (count), replacing their previous rows."""
        if len(slots) == 0:
            return
        # The slots are scattered: these three functions take a third of the time of indexing with brackets.
        slots = slots.long()
        for number, count in counted(self.append.index_select(0, slots)):
            self.held[number].live -= count
            if self.held[number].live == 0:
                del self.held[number]
        self.append.index_fill_(0, slots, self._appends)
        self.row.index_copy_(0, slots, torch.arange(len(slots), dtype=torch.int32))
        mask = None if batch.mask is None else batch.mask.bool()
        self.held[self._appends] = held(batch.ids, batch.keep, mask, sums, cut=cut, live=len(slots))
        self._appends += 1

    def slots_of(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The slots that hold rows of a batch, and the numbers of these rows in it."""
        slots = (self.append == number).nonzero().flatten()
        return slots, self.row[slots].long()

    def state(self) -> dict[str, torch.Tensor]:
        """Both maps and the tokens of every batch held: 8 bytes per row, and up to 6 per token."""
        state = {"append": self.append, "row": self.row, "appends": torch.tensor(self._appends)}
        for number, held in self.held.items():
            state[f"held.{number}.ids"] = held.ids
            state[f"held.{number}.keep"] = held.keep
            state[f"held.{number}.sums"] = held.sums.cpu()
            state[f"held.{number}.cut"] = torch.tensor(held.cut)
            if held.mask is not None:
                state[f"held.{number}.mask"] = held.mask
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Restores such a state."""
        self.append, self.row, self._appends = state["append"], state["row"], int(state["appends"])
        for number, live in counted(self.append):
            ids, keep, sums = (state[f"held.{number}.{name}"] for name in ("ids", "keep", "sums"))
            # States saved before there were passes: all rows are of one pass.
            cut = bool(state.get(f"held.{number}.cut", False))
            self.held[number] = held(ids, keep, state.get(f"held.{number}.mask"), sums, cut=cut, live=live)


def counted(numbers: torch.Tensor) -> Iterator[tuple[int, int]]:
    """Counts each number but `NOWHERE`, ascending. They lie close together, so nothing is sorted."""
    if len(numbers) == 0:
        return
    first = int(numbers.min())
    for number, count in enumerate(torch.bincount(numbers - first).tolist(), first):
        if count > 0 and number != NOWHERE:
            yield number, count


def held(
    ids: torch.Tensor, keep: torch.Tensor, mask: torch.Tensor | None, sums: torch.Tensor, *, cut: bool, live: int
) -> Held:
    """The ids in the smallest dtype that holds them."""
    short = torch.uint16 if int(ids.long().max()) < 2**16 else torch.int32
    return Held(ids.to(short), repeated(keep), None if mask is None else repeated(mask), sums, cut, live)


def repeated(mask: torch.Tensor) -> torch.Tensor:
    """The same mask (contexts, positions); if it is True everywhere, one value with strides of 0."""
    return torch.ones((1, 1), dtype=torch.bool).expand(mask.shape) if bool(mask.all()) else mask


def fingerprint(values: Iterable[torch.Tensor]) -> torch.Tensor:
    """For each tensor the sum of its bits, read as integers, modulo 2^64: any flipped bit changes it.

    The sums stay on the tensors' device, so nothing waits.
    """
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    sums = []
    for value in values:
        # In parts, because torch widens all that it sums at once.
        parts = value.contiguous().view(whole[value.element_size()]).split(rows_at_once(value.device))
        sums.append(torch.stack([part.sum(dtype=torch.int64) for part in parts]).sum())
    return torch.stack(sums)


def rows_at_once(device: torch.device) -> int:
    """How many rows are summed at once on that device. The result does not depend on it."""
    return ROWS_AT_ONCE.get(device.type, ROWS_AT_ONCE["cuda"])
