"""The operations on sources of rows."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from .. import found_files
from .. import protocol as p
from ..memory import Scratch, give_back, upload
from ..models.language_model import LanguageModel, Read
from ..registry import Context, method
from ..text.contexts import Batch, Contexts
from ..threads import one_thread
from .cached import open_cached
from .finite import FiniteRows
from .lengths import by_length, cut_to_size
from .origins import NOWHERE, fingerprint
from .rows import ActivationRows
from .source import Source

# Rows that are processed at once.
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
        # Freed first: the pass's intermediate values need the memory.
        Scratch.free_all()
        try:
            # With a GPU only small work is left here, and waking threads takes longer than doing it.
            with one_thread(where=model.device.type != "cpu"):
                rows = harvest(buffer, model, batch, stop=params.forward == "partial", most=params.max_norm_multiple)
        except Exception:
            # The caller may retry with fewer contexts at once.
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

    `most`: drops rows whose norm is above this multiple of the median. Without it, each pass is written to its slots at
    once, since all rows of a batch would need the most memory after the buffer.
    """
    count = int(batch.keep.sum())
    finite = FiniteRows(count)
    found = passes(buffer, model, batch, stop=stop, cut=stop)
    if most is None or count == 0:
        slots, sums = buffer.next_slots(count), no_sums(buffer, model)
        for numbers, rows in found:
            finite.look(rows)
            buffer.put(slots[numbers], rows)
            if buffer.origins is not None:
                sums += fingerprint(rows.values())
        if model.device.type == "cpu":
            finite.require()
        else:
            # The next batch is read and uploaded meanwhile.
            buffer.unchecked.append(finite)
    else:
        kept = gathered(found, count)
        finite.look(kept)
        finite.require()
        usual = within_norm(kept, most)
        kept = {read: rows[usual.to(rows.device)] for read, rows in kept.items()}
        count = int(usual.sum())
        # A resume computes exactly these rows again.
        batch = replace(batch, keep=batch.keep.masked_scatter(batch.keep, usual))
        buffer.put(buffer.next_slots(count), kept)
        sums = fingerprint(kept.values())
    slots = buffer.admit(count)
    if buffer.origins is not None:
        buffer.origins.record(slots, batch, sums, cut=stop)
    return count


# Indices (rows) of the kept positions, context by context, and the values read there, each (rows, width).
Found = Iterator[tuple[torch.Tensor, dict[Read, torch.Tensor]]]


def passes(buffer: ActivationRows, model: LanguageModel, batch: Batch, *, stop: bool, cut: bool) -> Found:
    """The values of all the buffer's reads, pass by pass.

    `cut`: whether a large batch goes through the model in several passes. The reference never does this.
    """
    reads, plan = list(buffer.values), by_length(batch.mask, model.device)
    if cut:
        plan = cut_to_size(plan, model.device)
    if len(plan) < 2:
        values = model.read(batch.ids, batch.mask, reads, stop=stop)
        yield torch.arange(int(batch.keep.sum())), chosen(values, reads, batch.keep)
        return
    assert batch.mask is not None
    numbers = (batch.keep.flatten().cumsum(0) - 1).view_as(batch.keep)
    for contexts, length in plan:
        ids, mask, keep = (each[contexts, :length] for each in (batch.ids, batch.mask, batch.keep))
        values = model.read(ids, mask, reads, stop=stop)
        rows = chosen(values, reads, keep)
        del values
        yield numbers[contexts, :length][keep], rows
        del rows
        # A trace is a reference cycle that holds its values until it is collected; it is young, so collecting is quick.
        gc.collect(1)


def chosen(values: dict[Read, torch.Tensor], reads: list[Read], keep: torch.Tensor) -> dict[Read, torch.Tensor]:
    """For each read, in order, the rows (rows, width) where `keep` (contexts, positions) is True."""
    if bool(keep.all()):
        # All rows are kept. Indexing would make a copy, and on a GPU wait for it.
        return {read: values[read].flatten(0, 1) for read in reads}
    where = upload(keep, values[reads[0]].device)
    return {read: values[read][where] for read in reads}


def gathered(found: Found, count: int) -> dict[Read, torch.Tensor]:
    """All rows (count, width), in the order of the indices."""
    kept: dict[Read, torch.Tensor] = {}
    for numbers, rows in found:
        for read, values in rows.items():
            if read not in kept:
                kept[read] = values.new_empty((count, values.shape[1]))
            kept[read][numbers.to(values.device)] = values
    return kept


def recompute(context: Context, buffer: ActivationRows, model: LanguageModel) -> tuple[int, int]:
    """Fills the slots of a restored buffer; returns the number of batches, and how many of them came out different."""
    if buffer.origins is None:
        return 0, 0
    differing = 0
    for done, (number, held) in enumerate(buffer.origins.held.items()):
        context.progress("Computing the buffer's rows again", done, len(buffer.origins.held))
        slots, numbers = buffer.origins.slots_of(number)
        batch, sums = held.batch, no_sums(buffer, model)
        places = torch.full((int(batch.keep.sum()),), NOWHERE)
        places[numbers] = slots
        for numbers, rows in passes(buffer, model, batch, stop=True, cut=held.cut):
            live = places[numbers] != NOWHERE
            buffer.put(places[numbers][live], {read: values[live.to(values.device)] for read, values in rows.items()})
            sums += fingerprint(rows.values())
        if not torch.equal(sums.cpu(), held.sums.cpu()):
            differing += 1
            held.sums = sums
    return len(buffer.origins.held), differing


def no_sums(buffer: ActivationRows, model: LanguageModel) -> torch.Tensor:
    """The fingerprint of no rows; the fingerprints of parts add up to that of the whole."""
    return torch.zeros(len(buffer.values), dtype=torch.int64, device=model.device)


@method("buffer.shuffle")
def shuffle(context: Context, params: p.BufferShuffleParams) -> p.BufferShuffleResult:
    """Permutes the unread rows once."""
    context.objects.get(params.source, ActivationRows).shuffle()
    give_back()
    return p.BufferShuffleResult()


@method("rows.open")
def open_rows(context: Context, params: p.RowsOpenParams) -> p.RowsOpenResult:
    """Opens cached activations."""
    dtype = getattr(torch, params.dtype)
    path = Path(params.path).expanduser()
    rows = open_cached(path, params.out_batch_size, dtype, torch.device(params.device))
    targets = rows.inputs if rows.targets is None else rows.targets
    return p.RowsOpenResult(
        source=context.objects.put(rows),
        batches=rows.batches,
        widths=p.SiteWidths(input_width=rows.inputs.shape[-1], output_width=targets.shape[-1]),
        paired=rows.targets is not None,
        files=[found_files.Found(path, "").on_wire],
    )


@method("source.mean_square_norm")
def mean_square_norm(context: Context, params: p.SourceMeanSquareNormParams) -> p.SourceMeanSquareNormResult:
    """Over all rows held, in float64; for inputs and targets where they differ."""
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
    """Sends one batch to the caller."""
    source = context.objects.get(params.source, Source)
    source.draw(params.rows)
    inputs, targets = source.batch(params.site)
    return p.SourceNextResult(
        inputs=context.attach(inputs), targets=None if targets is inputs else context.attach(targets)
    )
