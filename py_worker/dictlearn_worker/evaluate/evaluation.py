"""One dictionary under evaluation: sums over a stream, in memory that does not grow with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..dictionary.standard import AutoEncoder
from ..models.language_model import LanguageModel
from ..protocol import Site


@dataclass
class Firings:
    """For each feature (m): the number of rows and of groups of rows (contexts) in which it fired."""

    rows: torch.Tensor
    groups: torch.Tensor

    def add(self, fired: torch.Tensor, sizes: list[int]) -> None:
        """fired: (rows, m) of booleans; sizes: rows of each group."""
        for group in fired.split(sizes):
            on = group.sum(dim=0)
            self.rows += on
            self.groups += on > 0


@dataclass
class Evaluation:
    """`model` and `site` are None when the rows come from a source. `total` (d_out) is the sum of `rows` targets."""

    dictionary: AutoEncoder
    model: LanguageModel | None
    site: Site | None
    total: torch.Tensor = field(init=False)
    rows: int = 0
    firings: list[Firings] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The sum starts at zero."""
        self.total = torch.zeros(self.dictionary.output_width, dtype=torch.float64)

    @property
    def mean(self) -> torch.Tensor:
        """The mean target (d_out)."""
        assert self.rows > 0, "the targets are gathered before their mean is used"
        return self.total / self.rows

    def add_targets(self, y: torch.Tensor) -> None:
        """Adds targets (rows, d_out) to the mean."""
        self.total += y.double().sum(dim=0).cpu()
        self.rows += len(y)

    def add_firings(self, x: torch.Tensor, sizes: list[int], count_rows: list[int]) -> None:
        """Adds the first `count_rows[i]` of the inputs (rows, d_in) to the i-th count; sizes: rows of each group."""
        while len(self.firings) < len(count_rows):
            zeros = torch.zeros(self.dictionary.size, dtype=torch.int64, device=self.dictionary.device)
            self.firings.append(Firings(zeros, zeros.clone()))
        wanted = max(count_rows, default=0)
        if wanted == 0:
            return
        fired = self.dictionary.encode(x[:wanted].to(self.dictionary.device, self.dictionary.dtype)) != 0
        for firings, rows in zip(self.firings, count_rows, strict=True):
            firings.add(fired[:rows], cut(sizes, rows))


def cut(sizes: list[int], rows: int) -> list[int]:
    """The sizes of the groups in the first `rows` rows."""
    found = []
    for size in sizes:
        found.append(min(size, rows))
        rows -= found[-1]
    return found
