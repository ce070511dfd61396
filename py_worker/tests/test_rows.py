"""The buffer's slots: every row is drawn once, also with gathering ahead, and restored states continue identically."""

from __future__ import annotations

import pytest
import torch

from dictlearn_worker.buffer.origins import fingerprint
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.protocol import Site, SiteWidths
from dictlearn_worker.text.contexts import Batch

SLOTS, WIDTH = 60, 3


def buffer(*, randperm_each: bool = False) -> ActivationRows:
    return ActivationRows(
        [Site(submodule="a", io="in_to_out")],
        [SiteWidths(input_width=WIDTH, output_width=WIDTH + 1)],
        SLOTS,
        dtype=torch.float32,
        device=torch.device("cpu"),
        generator=torch.Generator().manual_seed(0),
        randperm_each=randperm_each,
        keep_contexts=True,
    )


def append(rows: ActivationRows, first: int, count: int) -> None:
    """Rows whose values are their number and its negative."""
    numbers = torch.arange(first, first + count, dtype=torch.float32).unsqueeze(1)
    inputs, targets = rows.values
    new = {inputs: numbers.expand(-1, WIDTH), targets: -numbers.expand(-1, WIDTH + 1)}
    slots = rows.append(new, count)
    ids = torch.zeros(1, count, dtype=torch.int64)
    assert rows.origins is not None
    batch = Batch(ids=ids, mask=None, keep=ids == 0, real=ids == 0)
    rows.origins.record(slots, batch, fingerprint(new.values()))


def drawn(rows: ActivationRows, count: int) -> list[int]:
    """The numbers of the rows of one batch, which belong together."""
    rows.draw(count)
    x, y = rows.batch(0)
    assert x.shape == (count, WIDTH)
    assert y.shape == (count, WIDTH + 1)
    assert (x == x[:, :1]).all()
    assert torch.equal(y, -x[:, :1].expand(-1, WIDTH + 1))
    return [int(number) for number in x[:, 0]]


@pytest.mark.parametrize("randperm_each", [False, True])
def test_every_row_comes_out_once(randperm_each) -> None:
    """With refreshes in the middle of a gathered batch, batches of changing size, and reused slots."""
    rows, seen, total = buffer(randperm_each=randperm_each), [], 0
    for refresh in range(8):
        count = len(rows.free)
        append(rows, total, count)
        total += count
        if not randperm_each:
            rows.shuffle()
        for batch in (7, 7, 5, 7, 3 + refresh):
            seen += drawn(rows, batch)
    seen += drawn(rows, len(rows.unread))
    assert sorted(seen) == list(range(total))
    assert seen != list(range(total))
    assert len(rows.free) == SLOTS


def test_a_batch_outlasts_the_next_draw() -> None:
    """Returned batches are not overwritten."""
    rows = buffer()
    append(rows, 0, 30)
    rows.draw(10)
    first = rows.batch(0)[0]
    before = first.clone()
    append(rows, 100, 30)
    rows.draw(10)
    rows.draw(10)
    assert torch.equal(first, before)


def test_a_state_goes_on_the_same_way() -> None:
    """Although the other has gathered the same slots with other rows; the next append fills the same slots."""
    rows, other = buffer(), buffer()
    append(rows, 0, 50)
    rows.shuffle()
    drawn(rows, 10)
    append(other, 500, 50)
    other.shuffle()
    drawn(other, 10)
    state = {name: tensor.clone() for name, tensor in rows.state(rows=True).items()}
    for read, values in rows.values.items():
        other.values[read].copy_(values)
    other.restore(state)
    assert torch.equal(other.batch(0)[0], rows.batch(0)[0])
    for each in (rows, other):
        append(each, 50, 15)
    assert [drawn(other, size) for size in (10, 5, 25)] == [drawn(rows, size) for size in (10, 5, 25)]
