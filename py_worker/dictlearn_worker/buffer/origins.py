"""What the rows of a buffer were computed from: enough to compute them again, at a small part of their size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from ..text.contexts import Batch

NOWHERE = -1
# On a CPU few enough that what is computed from them leaves no holes in the heap; a GPU wants fewer launches.
ROWS_AT_ONCE = {"cpu": 256, "cuda": 8192}


@dataclass
class Held:
    """One batch of contexts that went through the model together, of which `live` rows are still in the buffer.

    There are hundreds of them, so a token has 2 or 4 bytes and not the 18 of `Batch`. ids: uint16 or int32; keep, mask:
    bool, mostly True everywhere and then one value that is repeated; all (contexts, positions). `cut`: whether a large
    batch is cut into passes, which decides the last bits of its rows. `sums` (reads) tells whether rows that are
    computed again are the same, see `fingerprint`.
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

        Which positions hold text matters to evaluation alone; here the kept ones stand for them.
        """
        mask = None if self.mask is None else self.mask.long()
        return Batch(ids=self.ids.long(), mask=mask, keep=self.keep, real=self.keep)


class Origins:
    """For every slot the batch that its row came from, `append` (rows), and the row's number in it, `row` (rows).

    A whole batch is kept while one of its rows is: the last bits of a row depend on what it is computed together with.
    """

    def __init__(self, rows: int) -> None:
        self.append = torch.full((rows,), NOWHERE, dtype=torch.int32)
        self.row = torch.zeros(rows, dtype=torch.int32)
        self.held: dict[int, Held] = {}
        self._appends = 0

    def record(self, slots: torch.Tensor, batch: Batch, sums: torch.Tensor, *, cut: bool = True) -> None:
        """The rows of `batch`, whose fingerprint is `sums`, went into `slots` (count), over what was there."""
        if len(slots) == 0:
            return
        # The slots lie all over: these three go through them in a third of the time that an index in brackets takes.
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
        """Both maps and the tokens of every batch held: 8 bytes a row, and up to 6 a token."""
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
        """Takes over such a state."""
        self.append, self.row, self._appends = state["append"], state["row"], int(state["appends"])
        for number, live in counted(self.append):
            ids, keep, sums = (state[f"held.{number}.{name}"] for name in ("ids", "keep", "sums"))
            # States of before there were passes have rows of one.
            cut = bool(state.get(f"held.{number}.cut", False))
            self.held[number] = held(ids, keep, state.get(f"held.{number}.mask"), sums, cut=cut, live=live)


def counted(numbers: torch.Tensor) -> Iterator[tuple[int, int]]:
    """How often each number but `NOWHERE` is there, ascending. They lie close together, so nothing is sorted."""
    if len(numbers) == 0:
        return
    first = int(numbers.min())
    for number, count in enumerate(torch.bincount(numbers - first).tolist(), first):
        if count > 0 and number != NOWHERE:
            yield number, count


def held(
    ids: torch.Tensor, keep: torch.Tensor, mask: torch.Tensor | None, sums: torch.Tensor, *, cut: bool, live: int
) -> Held:
    """In as few bytes as it takes."""
    short = torch.uint16 if int(ids.long().max()) < 2**16 else torch.int32
    return Held(ids.to(short), repeated(keep), None if mask is None else repeated(mask), sums, cut, live)


def repeated(mask: torch.Tensor) -> torch.Tensor:
    """The same mask (contexts, positions); where it is True everywhere, as one value with strides of 0."""
    return torch.ones((1, 1), dtype=torch.bool).expand(mask.shape) if bool(mask.all()) else mask


def fingerprint(values: Iterable[torch.Tensor]) -> torch.Tensor:
    """For each tensor the sum of its bits, read as whole numbers, modulo 2^64: any flipped bit changes it.

    On their device, for which nothing waits.
    """
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    sums = []
    for value in values:
        # torch widens what it sums as a whole: a part at a time.
        parts = value.contiguous().view(whole[value.element_size()]).split(rows_at_once(value.device))
        sums.append(torch.stack([part.sum(dtype=torch.int64) for part in parts]).sum())
    return torch.stack(sums)


def rows_at_once(device: torch.device) -> int:
    """How many rows are looked at at once there. What is found does not depend on it."""
    return ROWS_AT_ONCE.get(device.type, ROWS_AT_ONCE["cuda"])
