"""Rows that are not finite: found, counted, and never drawn, with or without a wait for them."""

from __future__ import annotations

import math

import pytest
import torch
from test_lengths import Model, batch, buffer

from dictlearn_worker.buffer.finite import FiniteRows
from dictlearn_worker.buffer.operations import harvest
from dictlearn_worker.buffer.origins import rows_at_once
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models.language_model import Read

READ = Read("a", "output")


def rows(dtype: torch.dtype) -> torch.Tensor:
    """More than are checked at once; some of the largest numbers, whose squares and sums are not finite."""
    values = torch.randn(rows_at_once(torch.device("cpu")) + 50, 7).to(dtype)
    values[:, :2] = torch.finfo(dtype).max
    return values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_each_is_counted_once(dtype, bad) -> None:
    """In every part, and over several passes."""
    finite = FiniteRows(1000)
    values = rows(dtype)
    finite.look({READ: values})
    finite.require()
    values[3, 4] = values[3, 5] = values[-1, 6] = bad
    finite.look({READ: values})
    finite.look({READ: values[-1:]})
    with pytest.raises(WorkerError, match="The output of a is not finite at 3 of 1000 tokens") as raised:
        finite.require()
    assert raised.value.code == "non_finite_rows"


@pytest.mark.parametrize("most", [None, 2.0])
def test_a_pass_that_gives_such_rows_adds_nothing(most) -> None:
    model, held, given = Model(), buffer(), batch([30, 30], "right")
    model.table[given.ids[1, 10]] = math.nan
    with pytest.raises(WorkerError, match="is not finite"):
        harvest(held, model, given, stop=True, most=most)  # pyright: ignore[reportArgumentType]
    assert len(held.unread) == 0


@pytest.mark.parametrize("ask", ["draw", "state"])
def test_what_a_gpu_has_not_finished_is_looked_at_before_use(ask) -> None:
    """On a GPU the pass returns at once, so the rows are checked when they are already in the buffer."""
    held, finite = buffer(), FiniteRows(2)
    finite.look({READ: torch.tensor([[1.0], [math.nan]])})
    held.admit(2)
    held.unchecked.append(finite)
    with pytest.raises(WorkerError, match="not finite at 1 of 2 tokens"):
        held.draw(2) if ask == "draw" else held.state(rows=False)
