"""Contexts are split into passes by length: with the least work of all splits, and the same rows in the same order."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dictlearn_worker.buffer import lengths
from dictlearn_worker.buffer.lengths import by_length, cheapest_cuts
from dictlearn_worker.buffer.operations import harvest, recompute
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.models.language_model import Read
from dictlearn_worker.objects import Objects
from dictlearn_worker.protocol import Site, SiteWidths
from dictlearn_worker.registry import Context
from dictlearn_worker.text.contexts import Batch

CPU = torch.device("cpu")
WIDTH = 5


@given(st.dictionaries(st.integers(1, 40), st.integers(1, 9), min_size=1, max_size=7), st.integers(0, 300))
def test_no_cut_is_cheaper(contexts, cost) -> None:
    """Compared with every possible split."""
    sizes, counts = np.array(sorted(contexts)), np.array([contexts[size] for size in sorted(contexts)])

    def price(cuts: tuple[int, ...]) -> int:
        longest = np.array(cuts)[np.searchsorted(cuts, sizes)]
        return int((longest * counts).sum()) + cost * len(cuts)

    inner = list(map(int, sizes[:-1]))
    ways = itertools.chain.from_iterable(itertools.combinations(inner, n) for n in range(len(inner) + 1))
    found = tuple(cheapest_cuts(sizes, counts, cost))
    assert found[-1] == sizes[-1]
    assert price(found) == min(price((*way, int(sizes[-1]))) for way in ways)


class Model:
    """A row depends only on the tokens up to it, as in a causal model. Counts its positions."""

    device = CPU

    def __init__(self) -> None:
        self.table = torch.randn(50, WIDTH, generator=torch.Generator().manual_seed(0))
        self.shapes: list[tuple[int, ...]] = []

    def read(self, ids: torch.Tensor, mask: torch.Tensor | None, reads: list[Read], **_: Any) -> dict:
        self.shapes.append(tuple(ids.shape))
        rows = self.table[ids] if mask is None else self.table[ids] * mask.unsqueeze(-1)
        summed = torch.stack([rows[:, : end + 1].sum(dim=1) for end in range(ids.shape[1])], dim=1)
        return {read: summed if read.kind == "input" else -summed for read in reversed(reads)}


def buffer() -> ActivationRows:
    return ActivationRows(
        [Site(submodule="a", io="in_to_out")],
        [SiteWidths(input_width=WIDTH, output_width=WIDTH)],
        400,
        dtype=torch.float32,
        device=CPU,
        generator=torch.Generator().manual_seed(0),
        randperm_each=False,
        keep_contexts=True,
    )


def batch(sizes: list[int], padding: str) -> Batch:
    """Random tokens; a few of them are not kept."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 50, (len(sizes), max(sizes)), generator=generator)
    real = torch.arange(max(sizes)) < torch.tensor(sizes).unsqueeze(1)
    if padding == "left":
        real = real.flip(1)
    mask = {"right": real.long(), "left": torch.ones_like(ids), "unmasked": None}[padding]
    return Batch(ids=ids, mask=mask, keep=real & (ids > 4), real=real)


SIZES = [3, 30, 12, 30, 1, 13, 29, 3, 30, 11]


@pytest.mark.parametrize("most", [None, 1.3])
@pytest.mark.parametrize("padding", ["right", "left", "unmasked"])
def test_rows_are_those_of_one_pass(monkeypatch, padding, most) -> None:
    """Only padding that the model does not see is skipped; a restored state computes the same passes again."""
    given, taken = batch(SIZES, padding), []
    for cost in (10**6, 15):
        monkeypatch.setitem(lengths.PASS, "cpu", cost)
        rows, model = buffer(), Model()
        count = harvest(rows, model, given, stop=True, most=most)  # pyright: ignore[reportArgumentType]
        taken.append((count, {read: values[:count].clone() for read, values in rows.values.items()}))
        several = padding == "right" and cost == 15
        assert model.shapes == ([(3, 3), (3, 13), (4, 30)] if several else [(10, 30)])
        again = buffer()
        again.restore(rows.state(rows=True))
        assert recompute(Context(Objects()), again, model) == (1, 0)  # pyright: ignore[reportArgumentType]
        for read, values in taken[-1][1].items():
            assert torch.equal(again.values[read][:count], values)
    (count, one), (other, several) = taken
    assert 0 < count == other <= int(given.keep.sum())
    for read, values in one.items():
        assert torch.equal(several[read], values)


@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize("padding", ["right", "left"])
def test_a_large_batch_is_cut_but_for_the_reference(monkeypatch, padding, stop) -> None:
    """No pass has too many positions; a full pass through the model is never split."""
    monkeypatch.setitem(lengths.PASS, "cpu", 10**6)
    monkeypatch.setitem(lengths.MOST, "cpu", 70)
    given, rows, model = batch(SIZES, padding), buffer(), Model()
    whole, uncut = buffer(), Model()
    count = harvest(rows, model, given, stop=stop, most=None)  # pyright: ignore[reportArgumentType]
    monkeypatch.setitem(lengths.MOST, "cpu", 10**6)
    assert harvest(whole, uncut, given, stop=stop, most=None) == count  # pyright: ignore[reportArgumentType]
    assert uncut.shapes == [(10, 30)]
    assert model.shapes == ([(2, 30)] * 5 if stop else [(10, 30)])
    monkeypatch.setitem(lengths.MOST, "cpu", 70)
    again = buffer()
    again.restore(rows.state(rows=True))
    model.shapes.clear()
    assert recompute(Context(Objects()), again, model) == (1, 0)  # pyright: ignore[reportArgumentType]
    assert model.shapes == ([(2, 30)] * 5 if stop else [(10, 30)])
    for read, values in whole.values.items():
        assert torch.equal(rows.values[read][:count], values[:count])
        assert torch.equal(again.values[read][:count], values[:count])


def test_passes_hold_every_context_once() -> None:
    """In the order of the batch."""
    passes = by_length(batch(SIZES, "right").mask, CPU)
    assert sorted(int(each) for contexts, _ in passes for each in contexts) == list(range(len(SIZES)))
    assert all(bool((contexts.diff() > 0).all()) for contexts, _ in passes)
