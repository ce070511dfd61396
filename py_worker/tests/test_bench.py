"""Measuring operations: sources that can be drawn from again, and dictionaries of a chosen sparsity."""

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.bench import operations as bench
from dictlearn_worker.buffer.cached import CachedRows
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models.language_model import Read
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import Context


@pytest.fixture
def context():
    return Context(objects=Objects())


def buffer(rows, width=4):
    site = p.Site(submodule="site", io="out")
    widths = [p.SiteWidths(input_width=width, output_width=width)]
    generator = torch.Generator().manual_seed(0)
    where = {"dtype": torch.float32, "device": torch.device("cpu"), "generator": generator}
    return ActivationRows([site], widths, rows, **where, randperm_each=False, keep_contexts=False)


def rows_of(context, source, rows):
    return bench.rows(context, p.BenchRowsParams(source=source, rows=rows)).rows


def drawn(source, count):
    source.draw(count)
    return source.batch(0)[0][:, 0].tolist()


def test_a_buffer_is_filled_with_copies_of_its_rows_and_gives_all_of_them_again_and_again(context):
    source = buffer(10)
    source.append({Read("site", "output"): torch.arange(12.0).view(3, 4)}, 3)
    handle = context.objects.put(source)
    assert rows_of(context, handle, "all") == 10
    assert sorted(drawn(source, 10)) == [0, 0, 0, 0, 4, 4, 4, 8, 8, 8]
    assert rows_of(context, handle, "all") == 10
    drawn(source, 4)
    # Some rows are read and free, others are not.
    assert rows_of(context, handle, "all") == 10
    assert sorted(drawn(source, 10)) == [0, 0, 0, 0, 4, 4, 4, 8, 8, 8]


def test_an_empty_buffer_is_filled_with_normal_rows_and_can_be_emptied(context):
    source = buffer(20_000)
    handle = context.objects.put(source)
    assert rows_of(context, handle, "all") == 20_000
    source.draw(20_000)
    x = source.batch(0)[0]
    assert abs(float(x.mean())) < 0.05 and abs(float(x.std()) - 1) < 0.05
    assert rows_of(context, handle, "none") == 0
    assert len(source.free) == 20_000 and source.held() == 0
    source.append({Read("site", "output"): torch.full((2, 4), 7.0)}, 2)
    assert rows_of(context, handle, "all") == 20_000
    assert drawn(source, 20_000) == [7.0] * 20_000


def test_cached_rows_begin_anew_but_cannot_be_taken_away(context):
    source = CachedRows(torch.arange(6.0).view(6, 1), None, [2, 2, 2])
    handle = context.objects.put(source)
    assert drawn(source, 2) == [0, 1]
    assert rows_of(context, handle, "all") == 6
    assert drawn(source, 2) == [0, 1]
    with pytest.raises(WorkerError, match="cannot be taken away"):
        rows_of(context, handle, "none")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sparsified_dictionary_has_so_many_active_features_and_each_on_as_many_rows(context, dtype):
    rows, size, l0 = 512, 1500, 15
    dictionary = AutoEncoder(16, 16, size, dtype)
    dictionary.initialise(torch.Generator().manual_seed(1))
    x = 3 + torch.randn(rows, 16, generator=torch.Generator().manual_seed(2))
    source = CachedRows(x.to(dtype), None, [rows])
    source.draw(rows)
    params = p.BenchSparsifyParams(
        dictionary=context.objects.put(dictionary), source=context.objects.put(source), site=0, scale=0.5, l0=l0
    )
    found = bench.sparsify(context, params).l0
    active = dictionary.encode(0.5 * x.to(dtype)) != 0
    # 512 * 15 / 1500 = 5.12 rows for each feature.
    assert (active.sum(dim=0) == 5).all()
    assert found == 5 * size / rows


def test_products_are_timed_without_the_first(context):
    params = p.BenchProductsParams(device="cpu", dtype="float32", size=64, repetitions=3)
    seconds = bench.products(context, params).seconds
    assert len(seconds) == 3 and min(seconds) > 0
