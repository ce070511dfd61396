"""Operations that only measurements need."""

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

# How many standard normal rows are drawn for an empty buffer and then copied through it.
NORMAL_ROWS = 8192
# How many features have their products with a batch in memory at once.
FEATURES_PER_PART = 1024


@method("bench.products")
@torch.no_grad()
def products(context: Context, params: p.BenchProductsParams) -> p.BenchProductsResult:
    """Uses normal numbers: on zeros a GPU draws less power, and so runs faster."""
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
    """Waits until a GPU has finished its queued work; does nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@method("bench.rows")
@torch.no_grad()
def rows(context: Context, params: p.BenchRowsParams) -> p.BenchRowsResult:
    """Puts a source in its state before or after a refresh, as often as needed."""
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
    """Copies the rows held into the empty slots."""
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
    """Counts the contexts that a text gives."""
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
    """Sets each feature's bias between its `count`th largest product with a row and the next."""
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
