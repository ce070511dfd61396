"""The interface of every source of batches."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from ..errors import WorkerError


class Source(ABC):
    """Rows of one or more sites. A batch is drawn once and then read for every site, as often as needed."""

    @abstractmethod
    def draw(self, rows: int) -> None:
        """Makes the next `rows` rows the current batch; drawing more than are left is a defect of the caller."""

    @abstractmethod
    def batch(self, site: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The current batch of a site: inputs (rows, input_width) and targets (rows, output_width).

        Except for in_to_out, the targets are the inputs themselves.
        """

    @abstractmethod
    def held(self) -> int:
        """How many rows are held, served ones included; a resampling may use them."""

    @abstractmethod
    def take(self, site: int, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of the rows with these numbers (k), which are below `held`."""

    def state(self, *, rows: bool) -> dict[str, torch.Tensor]:
        """The state with which `restore` makes another source of the same shape give the same batches.

        Without `rows` only the current batch is kept, and the other source starts empty.
        """
        raise WorkerError("cannot_rewind", f"The position of {type(self).__name__} cannot be kept.")

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Restores such a state. Rows that a model has to recompute are still missing."""
        raise WorkerError("cannot_rewind", f"{type(self).__name__} cannot be taken up again.")


def scaled(rows: torch.Tensor, scale: float) -> torch.Tensor:
    """Rows times `scale`; the rows themselves if it is 1."""
    return rows if scale == 1 else rows * scale
