"""The features of one batch, dense or as their active pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from .fused import wide_dtype
from .pairs import Pairs
from .slopes import EntropySlope, entropy_parts

# The share of active features up to which only these are processed, and the least number of places for which the
# search pays. See docs/log.md. A function of the batch alone, never of time: the same config gives the same bytes.
MOST_DENSITY = 1 / 8
LEAST_PLACES = 2**19
# A pair takes 44 bytes at most: 370 MB. At the published batch of 8,192 rows this is an eighth of 8,192 features.
MOST_PAIRS = 2**23
# Values in a block of features: few enough to stay in a CPU's cache, many enough to keep a GPU busy.
BLOCK = {"cpu": 2**21, "cuda": 2**26}
LEAST_BLOCK = 256


def blocks(size: int, width: int, device: torch.device) -> list[slice]:
    """The features below `size` in blocks; `width` is the number of values per feature."""
    step = max(LEAST_BLOCK, BLOCK.get(device.type, BLOCK["cuda"]) // width)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


@dataclass
class Encoded:
    """f = ReLU(W (x - b_in) + b_enc), feature by feature: (m, B).

    fired (m): which features are not 0 on some row. pairs: the active ones, if they are few. sums (m): of each
    feature over the rows, if they came with the encoding. f can be bfloat16; all sums are in float32 at least.
    """

    f: torch.Tensor
    fired: torch.Tensor
    pairs: Pairs | None = None
    sums: torch.Tensor | None = None

    @property
    def batch(self) -> int:
        """B."""
        return self.f.shape[1]

    def total(self) -> torch.Tensor:
        """Sum of all features, a number."""
        if self.sums is not None:
            return self.sums.sum()
        return self.f.sum() if self.pairs is None else self.pairs.values.sum()

    def entropy(self) -> tuple[torch.Tensor, EntropySlope]:
        """The mean over rows of H, and its slope."""
        if self.pairs is not None:
            pairs = self.pairs
            zeros = pairs.values.new_zeros(self.batch)
            total = zeros.index_add(0, pairs.rows, pairs.values)
            parts = entropy_parts(pairs.values, total[pairs.rows])
            entropy, mean = (zeros.index_add(0, pairs.rows, each) for each in parts)
            return entropy.mean(), EntropySlope(total, mean)
        total = self.f.sum(dim=0, dtype=wide_dtype(self.f))
        entropy, mean = torch.zeros_like(total), torch.zeros_like(total)
        for block in blocks(len(self.f), self.batch, self.f.device):
            parts = entropy_parts(self.f[block].to(total.dtype), total)
            entropy += parts[0].sum(dim=0)
            mean += parts[1].sum(dim=0)
        return entropy.mean(), EntropySlope(total, mean)


class Search:
    """Searches for the active places block by block, and stops once they are too many."""

    def __init__(self, f: torch.Tensor, *, possible: bool) -> None:
        """`f`: (m, B), to be filled; `possible`: whether pairs can be processed at all."""
        places = f.numel()
        self.limit = min(int(MOST_DENSITY * places), MOST_PAIRS) if possible and places >= LEAST_PLACES else -1
        # One allocation, whose untouched pages take no memory: one for each block would lie between the block's other
        # memory and fragment it for the next block.
        self.places = np.empty(max(self.limit, 0), dtype=np.int64)
        self.values = f.new_empty(max(self.limit, 0))
        self.count = 0

    def look(self, f: torch.Tensor, first: int) -> None:
        """The next features `f` (C, B), whose first place has index `first`. NaN counts as active, to be noticed."""
        if self.limit < 0:
            return
        # Equal to `f != 0`, in a third of the time.
        mask = f.bool().numpy()
        before, self.count = self.count, self.count + int(np.count_nonzero(mask))
        if self.count > self.limit:
            self.limit, self.places, self.values = -1, self.places[:0].copy(), self.values[:0].clone()
            return
        places = self.places[before : self.count]
        places[:] = np.flatnonzero(mask)
        # Now, while they are in the cache.
        torch.index_select(f.view(-1), 0, torch.from_numpy(places), out=self.values[before : self.count])
        places += first

    def pairs(self, size: int, batch: int) -> Pairs | None:
        """The pairs of `size` features and `batch` rows. None: they are too many, or were not searched."""
        if self.limit < 0:
            return None
        return Pairs.of(torch.from_numpy(self.places[: self.count]), self.values[: self.count], size, batch)


def encode_blocks(blocks: Iterator[tuple[slice, torch.Tensor]], f: torch.Tensor, *, sparse: bool) -> Encoded:
    """Encodes from blocks of features written into `f` (m, B) before the ReLU. `sparse`: pairs can be processed."""
    batch = f.shape[1]
    search = Search(f, possible=sparse)
    for where, part in blocks:
        search.look(part.relu_(), where.start * batch)
    pairs = search.pairs(*f.shape)
    return Encoded(f, f.amax(dim=1) != 0 if pairs is None else pairs.fired(), pairs)
