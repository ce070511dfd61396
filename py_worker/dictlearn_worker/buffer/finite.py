"""Checks that rows are finite, without waiting for a GPU that is still computing them."""

from __future__ import annotations

import torch

from ..errors import WorkerError
from ..models.language_model import Read
from .origins import rows_at_once

# Either may be the cause: weights that are damaged, or a dtype whose range is too small for them.
NOT_FINITE_HINT = "Check that the model's weights are finite; if its dtype is not float32, set model_dtype: float32."


class FiniteRows:
    """The check of one batch of `count` rows, pass by pass."""

    def __init__(self, count: int) -> None:
        self.count = count
        # For each read, the number of rows that are not finite, on its device.
        self.bad: dict[Read, list[torch.Tensor]] = {}

    def look(self, rows: dict[Read, torch.Tensor]) -> None:
        """Checks the values of one pass, read -> (rows, width)."""
        for read, values in rows.items():
            # A row's largest magnitude is finite if the whole row is, and much faster to check.
            parts = [part.abs().amax(dim=-1) for part in values.split(rows_at_once(values.device))]
            self.bad.setdefault(read, []).extend((~torch.isfinite(part)).sum() for part in parts)

    def require(self) -> None:
        """Waits for the rows. Raises `non_finite_rows`."""
        for read, bad in self.bad.items():
            rows = int(torch.stack(bad).sum())
            if rows:
                raise WorkerError(
                    "non_finite_rows",
                    f"The {read.kind} of {read.submodule} is not finite at {rows} of {self.count} tokens.",
                    hint=NOT_FINITE_HINT,
                )
