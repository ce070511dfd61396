"""A buffer of activations: preallocated rows for every site, and one order in which they are read."""

from __future__ import annotations

import torch

from ..memory import upload
from ..models.language_model import Read, reads_of
from ..protocol import Site, SiteWidths
from .ahead import Ahead, gather
from .finite import FiniteRows
from .origins import Origins
from .source import Source


class ActivationRows(Source):
    """Row slots, some unread, some free. Reading a row frees its slot at once; a later append fills it.

    No row is ever moved, so the memory is what was allocated. `unread` lists slots in the order in which they are read
    or, for `randperm-each`, in the order in which they arrived. A draw costs one gather, whatever the buffer's size,
    and the next batch is gathered during the step on this one. Only the reference's `randperm-each` visits all rows.
    """

    def __init__(
        self,
        sites: list[Site],
        widths: list[SiteWidths],
        rows: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
        generator: torch.Generator,
        randperm_each: bool,
        keep_contexts: bool,
    ) -> None:
        """Allocates (rows, width) once for every distinct value that the sites read."""
        self.sites = [reads_of(site) for site in sites]
        wide = {}
        for (inputs, targets), each in zip(self.sites, widths, strict=True):
            wide |= {inputs: each.input_width, targets: each.output_width}
        self.values = {read: torch.empty((rows, width), dtype=dtype, device=device) for read, width in wide.items()}
        self.device = device
        self.generator = generator
        self.randperm_each = randperm_each
        # Slots have 32 bits: there are as many as rows, and their lists need the most memory after the rows.
        # Both lists are in parts, joined only when needed.
        self._unread = [torch.empty(0, dtype=torch.int32)]
        # Free slots in the order in which they became free.
        self._free = [torch.arange(rows, dtype=torch.int32)]
        # Slots that hold a row, read or not: a resampling may use them.
        self.filled = 0
        self.current = self.unread
        # Rows from a GPU that are not checked yet.
        self.unchecked: list[FiniteRows] = []
        self.origins = Origins(rows) if keep_contexts else None
        self._drawn: dict[Read, torch.Tensor] = {}
        self._ahead = Ahead()

    @property
    def unread(self) -> torch.Tensor:
        """The unread slots, in the order that the class describes."""
        if len(self._unread) > 1:
            self._unread = [torch.cat(self._unread)]
        return self._unread[0]

    @property
    def free(self) -> torch.Tensor:
        """The free slots, in the order in which they are filled."""
        if len(self._free) > 1:
            self._free = [torch.cat(self._free)]
        return self._free[0]

    def append(self, rows: dict, count: int) -> torch.Tensor:
        """Stores `count` new rows, given as read -> (count, width), after the unread ones; returns their slots."""
        self.put(self.next_slots(count), rows)
        return self.admit(count)

    def next_slots(self, count: int) -> torch.Tensor:
        """The slots into which the next `count` rows are `put` before they are marked unread."""
        assert count <= len(self.free), "the caller allocates enough rows for its largest append"
        return self.free[:count]

    def admit(self, count: int) -> torch.Tensor:
        """Marks the rows in the next `count` slots unread, after all other unread rows; returns these slots."""
        slots, self._free = self.next_slots(count), [self.free[count:]]
        self._unread.append(slots)
        self.filled = max(self.filled, int(slots.max()) + 1) if count else self.filled
        return slots

    def put(self, slots: torch.Tensor, rows: dict) -> None:
        """Writes rows, given as read -> (slots, width), into their slots."""
        where = upload(slots, self.device).long()
        for read, values in rows.items():
            kept = self.values[read]
            if values.is_cuda and self.device.type == "cpu":
                # Through pinned memory: to other memory a GPU writes through a small buffer, many times slower.
                values = torch.empty(values.shape, dtype=kept.dtype, pin_memory=True).copy_(values)
            kept.index_copy_(0, where, values.to(self.device, kept.dtype))

    def begin(self, *, full: bool) -> None:
        """Resets the buffer to no filled slot or, with `full`, to all slots filled and unread."""
        self._ahead.take(self.unread[:0])
        slots = torch.cat([self.free, self.unread]).sort().values
        self.filled = len(slots) if full else 0
        self._unread, self._free = [slots[: self.filled]], [slots[self.filled :]]
        self.shuffle()

    def shuffle(self) -> None:
        """Permutes the unread rows once: drawing them in order is then the same as drawing at random each time."""
        # In 32 bits the permutation is the same, and takes two thirds of the time.
        order = torch.randperm(len(self.unread), dtype=torch.int32, generator=self.generator)
        self._unread = [self.unread.index_select(0, order)]

    def draw(self, rows: int) -> None:
        """Takes the next rows, or for `randperm-each` random ones as dictionary_learning ddac948 does.

        Raises `non_finite_rows` for rows added since the last draw.
        """
        self.check()
        assert rows <= len(self.unread), "the caller knows how many rows are unread"
        if self.randperm_each:
            chosen = torch.randperm(len(self.unread), generator=self.generator)[:rows]
            self.current = self.unread[chosen]
            left = torch.ones(len(self.unread), dtype=torch.bool)
            left[chosen] = False
            self._unread = [self.unread[left]]
        else:
            self.current, self._unread = self.unread[:rows], [self.unread[rows:]]
        # The slots just freed are filled last: the rows just read stay longest, for resampling.
        self._free.append(self.current)
        self._drawn = self._ahead.take(self.current) or gather(self.values, self.current)
        if not self.randperm_each and self.device.type == "cpu" and rows <= len(self.unread):
            self._ahead.start(self.values, self.unread[:rows])

    def check(self) -> None:
        """Raises `non_finite_rows` if a pass gave such rows."""
        unchecked, self.unchecked = self.unchecked, []
        for rows in unchecked:
            rows.require()

    def batch(self, site: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The current batch of a site, on the buffer's device and in its dtype."""
        inputs, targets = self.sites[site]
        return self._drawn[inputs], self._drawn[targets]

    def held(self) -> int:
        """Counts the slots that hold a row, including read rows that are not yet overwritten."""
        return self.filled

    def take(self, site: int, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows in these slots, on the buffer's device."""
        inputs, targets = self.sites[site]
        slots = numbers.to(self.device)
        x = self.values[inputs][slots]
        return x, x if targets == inputs else self.values[targets][slots]

    def state(self, *, rows: bool) -> dict[str, torch.Tensor]:
        """The current batch, and with `rows` the order of the slots and the origins of their rows."""
        self.check()
        kept = {f"drawn.{index}": value for index, value in enumerate(self._drawn.values())}
        if not rows:
            return kept
        assert self.origins is not None, "the caller asked for the contexts to be kept"
        order = {"unread": self.unread, "free": self.free, "current": self.current}
        return kept | order | {"filled": torch.tensor(self.filled)} | self.origins.state()

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Restores the order of the slots; `recompute` fills them."""
        if "drawn.0" in state:
            self._drawn = {read: state[f"drawn.{index}"].to(self.device) for index, read in enumerate(self.values)}
        if "unread" in state:
            # Slots of the same numbers will hold other rows.
            self._ahead = Ahead()
            # Earlier states have 64 bits for each.
            unread, free, self.current = (state[name].int() for name in ("unread", "free", "current"))
            self._unread, self._free = [unread], [free]
            self.filled = int(state["filled"])
            self.origins = self.origins or Origins(len(state["append"]))
            self.origins.restore(state)
