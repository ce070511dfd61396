"""The operations on sources of rows."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import torch

from .. import protocol as p
from ..errors import WorkerError
from ..models.language_model import LanguageModel, Read
from ..registry import Context, method
from ..text.contexts import Batch, Contexts
from .cached import open_cached
from .lengths import by_length, cut_to_size
from .origins import fingerprint, rows_at_once
from .rows import ActivationRows
from .source import Source

# Rows that are looked at at once.
ROWS_PER_PART = 65_536


@method("buffer.create")
def create(context: Context, params: p.BufferCreateParams) -> p.BufferCreateResult:
    """Allocates the rows of all sites."""
    rows = ActivationRows(
        params.sites,
        params.widths,
        params.rows,
        dtype=getattr(torch, params.dtype),
        device=torch.device(params.device),
        generator=context.objects.get(params.generator, torch.Generator),
        randperm_each=params.draws == "randperm-each",
        keep_contexts=params.keep_contexts,
    )
    return p.BufferCreateResult(source=context.objects.put(rows))


@method("buffer.append")
def append(context: Context, params: p.BufferAppendParams) -> p.BufferAppendResult:
    """One pass of up to `n_contexts` contexts through the model, for all sites at once."""
    buffer = context.objects.get(params.source, ActivationRows)
    model = context.objects.get(params.model, LanguageModel)
    contexts = context.objects.get(params.contexts, Contexts)
    batch = contexts.next(params.n_contexts)
    rows = 0
    if batch is not None:
        try:
            rows = harvest(buffer, model, batch, stop=params.forward == "partial", most=params.max_norm_multiple)
        except Exception:
            # The caller may try again with fewer contexts at once.
            contexts.put_back()
            raise
    return p.BufferAppendResult(
        contexts=0 if batch is None else len(batch.ids),
        rows=rows,
        exhausted=contexts.exhausted,
        starved=contexts.starved,
    )


def within_norm(kept: dict[Read, torch.Tensor], multiple: float) -> torch.Tensor:
    """Mask (rows) of the rows whose norm is at most `multiple` times the median norm of these rows, in every value."""
    norms = [rows.float().norm(dim=-1).cpu() for rows in kept.values()]
    return torch.stack([each <= multiple * each.median() for each in norms]).all(dim=0)


def harvest(buffer: ActivationRows, model: LanguageModel, batch: Batch, *, stop: bool, most: float | None) -> int:
    """Reads the activations of the kept positions into the buffer; returns how many rows that were.

    `most`: rows whose norm is above this multiple of the median are left out.
    """
    kept = activations(buffer, model, batch, stop=stop, cut=stop)
    count = int(batch.keep.sum())
    for read, rows in kept.items():
        # One question to the device, however many parts there are.
        finite = [torch.isfinite(part).all() for part in rows.split(rows_at_once(rows.device))]
        if finite and not torch.stack(finite).all():
            bad = int((~torch.isfinite(rows)).any(dim=-1).sum())
            raise WorkerError(
                "non_finite_rows",
                f"The {read.kind} of {read.submodule} is not finite at {bad} of {count} tokens.",
                hint="Load the model with model_dtype: float32.",
            )
    if most is not None and count > 0:
        usual = within_norm(kept, most)
        kept = {read: rows[usual.to(rows.device)] for read, rows in kept.items()}
        count = int(usual.sum())
        # What is computed again later is these rows and no others.
        batch = replace(batch, keep=batch.keep.masked_scatter(batch.keep, usual))
    slots = buffer.append(kept, count)
    if buffer.origins is not None:
        buffer.origins.record(slots, batch, kept.values(), cut=stop)
    return count


def activations(
    buffer: ActivationRows, model: LanguageModel, batch: Batch, *, stop: bool, cut: bool
) -> dict[Read, torch.Tensor]:
    """The values (rows, width) of everything that the buffer reads, at the kept positions, context by context.

    `cut`: a batch that is large goes through the model in several passes. The reference's never does.
    """
    reads, passes = list(buffer.values), by_length(batch.mask, model.device)
    if cut:
        passes = cut_to_size(passes, model.device)
    if len(passes) < 2:
        values = model.read(batch.ids, batch.mask, reads, stop=stop)
        if batch.keep.all():
            # Nothing to choose: on a GPU a choice waits for it, and everywhere it is a copy.
            return {read: values[read].flatten(0, 1) for read in reads}
        return {read: values[read][batch.keep.to(values[read].device)] for read in reads}
    assert batch.mask is not None
    kept: dict[Read, torch.Tensor] = {}
    numbers = (batch.keep.flatten().cumsum(0) - 1).view_as(batch.keep)
    for contexts, length in passes:
        ids, mask, keep = (each[contexts, :length] for each in (batch.ids, batch.mask, batch.keep))
        for read, value in model.read(ids, mask, reads, stop=stop).items():
            rows = value[keep.to(value.device)]
            if read not in kept:
                kept[read] = rows.new_empty((int(batch.keep.sum()), rows.shape[1]))
            kept[read][numbers[contexts, :length][keep].to(value.device)] = rows
        # A trace is a cycle of objects that holds its values until it is looked for; it is young, so that is quick.
        gc.collect(1)
    return {read: kept[read] for read in reads}


def recompute(context: Context, buffer: ActivationRows, model: LanguageModel) -> tuple[int, int]:
    """Fills the slots of a restored buffer; returns how many batches that took, and how many came out otherwise."""
    if buffer.origins is None:
        return 0, 0
    differing = 0
    for done, (number, held) in enumerate(buffer.origins.held.items()):
        context.progress("Computing the buffer's rows again", done, len(buffer.origins.held))
        rows = activations(buffer, model, held.batch, stop=True, cut=held.cut)
        slots, numbers = buffer.origins.slots_of(number)
        buffer.put(slots, {read: value[numbers.to(value.device)] for read, value in rows.items()})
        if not torch.equal(fingerprint(rows.values()), held.sums):
            differing += 1
            held.sums = fingerprint(rows.values())
    return len(buffer.origins.held), differing


@method("buffer.shuffle")
def shuffle(context: Context, params: p.BufferShuffleParams) -> p.BufferShuffleResult:
    """One permutation of the unread rows."""
    context.objects.get(params.source, ActivationRows).shuffle()
    return p.BufferShuffleResult()


@method("rows.open")
def open_rows(context: Context, params: p.RowsOpenParams) -> p.RowsOpenResult:
    """Cached activations."""
    dtype = getattr(torch, params.dtype)
    rows = open_cached(Path(params.path), params.out_batch_size, dtype, torch.device(params.device))
    targets = rows.inputs if rows.targets is None else rows.targets
    return p.RowsOpenResult(
        source=context.objects.put(rows),
        batches=rows.batches,
        widths=p.SiteWidths(input_width=rows.inputs.shape[-1], output_width=targets.shape[-1]),
        paired=rows.targets is not None,
    )


@method("source.mean_square_norm")
def mean_square_norm(context: Context, params: p.SourceMeanSquareNormParams) -> p.SourceMeanSquareNormResult:
    """Over all rows held, in float64; of inputs and targets where they differ."""
    source = context.objects.get(params.source, Source)
    held, total, count = source.held(), 0.0, 0
    for start in range(0, held, ROWS_PER_PART):
        inputs, targets = source.take(params.site, torch.arange(start, min(start + ROWS_PER_PART, held)))
        for rows in (inputs,) if targets is inputs else (inputs, targets):
            total += rows.double().square().sum().item()
            count += len(rows)
    return p.SourceMeanSquareNormResult(mean_square_norm=total / count if count else 0.0)


@method("source.next")
def next_rows(context: Context, params: p.SourceNextParams) -> p.SourceNextResult:
    """One batch as numbers."""
    source = context.objects.get(params.source, Source)
    source.draw(params.rows)
    inputs, targets = source.batch(params.site)
    return p.SourceNextResult(
        inputs=context.attach(inputs), targets=None if targets is inputs else context.attach(targets)
    )
