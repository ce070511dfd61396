"""What measurements need besides the operations of a run."""

from __future__ import annotations

import time

import torch

from .. import protocol as p
from ..buffer.cached import CachedRows
from ..buffer.rows import ActivationRows
from ..buffer.source import Source
from ..dictionary.standard import AutoEncoder
from ..errors import WorkerError
from ..registry import Context, method
from ..text.contexts import Contexts
from ..train.operations import uploaded

# Standard normal rows that are drawn for a buffer that holds none, and copied through it.
NORMAL_ROWS = 8192
# Features whose products with a batch are held at once.
FEATURES_PER_PART = 1024


@method("bench.products")
@torch.no_grad()
def products(context: Context, params: p.BenchProductsParams) -> p.BenchProductsResult:
    """Of normal numbers: a GPU draws less power, and so runs faster, on zeros."""
    device, dtype = torch.device(params.device), getattr(torch, params.dtype)
    generator = torch.Generator(device).manual_seed(0)
    shape = (params.size, params.size)
    a, b = (torch.randn(shape, generator=generator, device=device).to(dtype) for _ in range(2))
    out = torch.empty(shape, dtype=dtype, device=device)
    seconds = []
    for _ in range(params.repetitions + 1):
        context.check_cancelled()
        finish(device)
        begin = time.perf_counter()
        torch.mm(a, b, out=out)
        finish(device)
        seconds.append(time.perf_counter() - begin)
    return p.BenchProductsResult(seconds=seconds[1:])


def finish(device: torch.device) -> None:
    """Waits for what a GPU still has to do; on a CPU nothing is left."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@method("bench.rows")
@torch.no_grad()
def rows(context: Context, params: p.BenchRowsParams) -> p.BenchRowsResult:
    """A source as it is before or after a refresh, again and again."""
    source = context.objects.get(params.source, Source)
    if isinstance(source, ActivationRows):
        if params.rows == "all":
            fill(source)
        source.begin(full=params.rows == "all")
        return p.BenchRowsResult(rows=len(source.unread))
    if isinstance(source, CachedRows) and params.rows == "all":
        source.restore({"batch": torch.zeros(2, dtype=torch.int64)})
        return p.BenchRowsResult(rows=source.held())
    raise WorkerError("wrong_kind", f"The rows of {type(source).__name__} cannot be taken away.")


def fill(buffer: ActivationRows) -> None:
    """Repeats the rows that are held in the slots that hold none."""
    filled = buffer.filled
    for values in buffer.values.values():
        if filled == 0:
            drawn = torch.randn((min(NORMAL_ROWS, len(values)), values.shape[1]), generator=buffer.generator)
            values[: len(drawn)] = drawn.to(values)
        held = filled or min(NORMAL_ROWS, len(values))
        for start in range(held, len(values), held):
            part = values[start : start + held]
            part.copy_(values[: len(part)])


@method("bench.contexts")
def count_contexts(context: Context, params: p.BenchContextsParams) -> p.BenchContextsResult:
    """How far a text goes."""
    contexts = context.objects.get(params.contexts, Contexts)
    batch = contexts.next(params.n_contexts)
    return p.BenchContextsResult(
        contexts=0 if batch is None else len(batch.ids),
        rows=0 if batch is None else int(batch.keep.sum()),
        exhausted=contexts.exhausted,
        starved=contexts.starved,
    )


@method("bench.sparsify")
@torch.no_grad()
def sparsify(context: Context, params: p.BenchSparsifyParams) -> p.BenchSparsifyResult:
    """Each feature's bias goes between its `count`th largest product with a row and the next."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    inputs, _ = context.objects.get(params.source, Source).batch(params.site)
    x = uploaded(inputs, dictionary, params.scale) - dictionary.shift  # (rows, d_in)
    count = min(len(x) - 1, max(1, round(len(x) * params.l0 / dictionary.size)))
    active = 0
    for start in range(0, dictionary.size, FEATURES_PER_PART):
        where = slice(start, start + FEATURES_PER_PART)
        products = x @ dictionary.encoder.weight[where].T  # (rows, part)
        largest = products.topk(count + 1, dim=0).values
        bias = (largest[max(count - 1, 0)] + largest[count]) / -2
        dictionary.encoder.bias[where] = bias
        active += int((products + bias > 0).sum())
    return p.BenchSparsifyResult(l0=active / len(x))
