"""The operations of evaluation: TypeScript chooses the contexts, these return sums and counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .. import protocol as p
from ..buffer.finite import NOT_FINITE_HINT
from ..buffer.source import Source
from ..dictionary.standard import AutoEncoder
from ..errors import WorkerError
from ..models.language_model import LanguageModel, reads_of
from ..models.splice import Replacement, logits_and_values, logits_with
from ..registry import Context, method
from ..text.contexts import Batch, Contexts
from .evaluation import Evaluation
from .sums import cross_entropies, divergences, row_sums
from .top_contexts import top_contexts

NO_ROWS = p.RowSums(
    rows=[],
    squared_error=[],
    squared_deviation=[],
    l1=[],
    l0=[],
    directed_rows=[],
    cosine=[],
    relative_norm=[],
)


@method("evaluate.open")
def open_evaluation(context: Context, params: p.EvaluateOpenParams) -> p.EvaluateOpenResult:
    """Checks that the dictionary's weights are finite, and that its widths match the site's."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    check_weights(dictionary)
    model = None
    if params.model is not None and params.site is not None:
        model = context.objects.get(params.model, LanguageModel)
        (widths,) = model.try_sites([params.site])
        check_widths(dictionary, widths, f"{params.site.submodule} (io: {params.site.io})")
    evaluation = Evaluation(dictionary, model, params.site)
    return p.EvaluateOpenResult(evaluation=context.objects.put(evaluation))


def check_weights(dictionary: AutoEncoder) -> None:
    """Raises `non_finite_weights`, because every statistic of such a dictionary is NaN."""
    for name, parameter in dictionary.named_parameters():
        bad = int((~torch.isfinite(parameter)).sum())
        if bad > 0:
            raise WorkerError(
                "non_finite_weights",
                f"The dictionary's {name} is not finite at {bad} of {parameter.numel()} places.",
                hint="Take a checkpoint from before its training diverged, or train it with a lower lr.",
            )


def check_widths(dictionary: AutoEncoder, widths: p.SiteWidths, where: str) -> None:
    """Raises `width_mismatch` when the rows do not fit the dictionary."""
    wanted = (dictionary.input_width, dictionary.output_width)
    if (widths.input_width, widths.output_width) != wanted:
        raise WorkerError(
            "width_mismatch",
            f"The dictionary is for rows of width {' → '.join(map(str, dict.fromkeys(wanted)))}, but {where} has rows "
            f"of width {' → '.join(map(str, dict.fromkeys((widths.input_width, widths.output_width))))}.",
            hint="Evaluate it on the model and the submodule that it was trained on.",
        )


@dataclass
class Rows:
    """The kept rows of a batch: x (rows, d_in), y (rows, d_out), and how many of them each context has."""

    x: torch.Tensor
    y: torch.Tensor
    sizes: list[int]


def kept_rows(batch: Batch, inputs: torch.Tensor, targets: torch.Tensor, site: p.Site) -> Rows:
    """The rows of the kept positions; raises `non_finite_rows`."""
    keep = batch.keep.to(inputs.device)
    x = inputs[keep]
    y = x if targets is inputs else targets[keep]
    if not (torch.isfinite(x).all() and torch.isfinite(y).all()):
        raise WorkerError(
            "non_finite_rows",
            f"The activations of {site.submodule} (io: {site.io}) are not finite at some tokens.",
            hint=NOT_FINITE_HINT,
        )
    return Rows(x, y, batch.keep.sum(dim=1).tolist())


def read_rows(evaluation: Evaluation, batch: Batch) -> Rows:
    """Runs the model up to the site."""
    model, site = placed(evaluation)
    inputs, targets = reads_of(site)
    values = model.read(batch.ids, batch.mask, [inputs, targets], stop=True)
    return kept_rows(batch, values[inputs], values[targets], site)


def placed(evaluation: Evaluation) -> tuple[LanguageModel, p.Site]:
    """The model and the site. For an evaluation of rows, which has neither, this is a defect of the caller."""
    assert evaluation.model is not None and evaluation.site is not None
    return evaluation.model, evaluation.site


def next_batch(
    context: Context,
    params: p.EvaluateGatherParams
    | p.EvaluateContextsParams
    | p.EvaluateTopContextsParams
    | p.FeaturesLossEffectsParams,
) -> tuple[Evaluation, Contexts, Batch | None]:
    """The inputs of an operation on a text's next contexts; no batch if none is left, or too little text is."""
    contexts = context.objects.get(params.contexts, Contexts)
    return context.objects.get(params.evaluation, Evaluation), contexts, contexts.next(params.n_contexts)


@method("evaluate.gather")
@torch.no_grad()
def gather(context: Context, params: p.EvaluateGatherParams) -> p.EvaluateGatherResult:
    """One pass that stops after the site."""
    evaluation, contexts, batch = next_batch(context, params)
    count = rows = 0
    if batch is not None:
        found = read_rows(evaluation, batch)
        evaluation.add_targets(found.y[: sum(found.sizes[: params.mean_contexts])])
        evaluation.add_firings(found.x, found.sizes, params.count_rows)
        count, rows = len(batch.ids), len(found.x)
    return p.EvaluateGatherResult(contexts=count, rows=rows, exhausted=contexts.exhausted, starved=contexts.starved)


@method("evaluate.gather_rows")
@torch.no_grad()
def gather_rows(context: Context, params: p.EvaluateGatherRowsParams) -> p.EvaluateGatherRowsResult:
    """Adds all rows to the mean."""
    evaluation = context.objects.get(params.evaluation, Evaluation)
    source = context.objects.get(params.source, Source)
    x, y = rows_of(evaluation, source, params.groups, draw=params.draw)
    evaluation.add_targets(y)
    evaluation.add_firings(x, params.groups, params.count_rows)
    return p.EvaluateGatherRowsResult()


def rows_of(
    evaluation: Evaluation, source: Source, groups: list[int], *, draw: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The next rows of the first site, or with `draw` false the rows of the current batch."""
    if draw:
        source.draw(sum(groups))
    x, y = source.batch(0)
    assert len(x) == sum(groups), "the caller drew as many rows as it speaks of"
    check_widths(evaluation.dictionary, p.SiteWidths(input_width=x.shape[1], output_width=y.shape[1]), "the source")
    return x, y


@method("evaluate.firings")
def firings(context: Context, params: p.EvaluateFiringsParams) -> p.EvaluateFiringsResult:
    """The counts so far."""
    found = context.objects.get(params.evaluation, Evaluation).firings[params.count]
    return p.EvaluateFiringsResult(rows=context.attach(found.rows), groups=context.attach(found.groups))


@method("evaluate.rows")
@torch.no_grad()
def evaluate_rows(context: Context, params: p.EvaluateRowsParams) -> p.EvaluateRowsResult:
    """Evaluates rows without a model."""
    evaluation = context.objects.get(params.evaluation, Evaluation)
    source = context.objects.get(params.source, Source)
    x, y = rows_of(evaluation, source, params.groups, draw=params.draw)
    return p.EvaluateRowsResult(rows=row_sums(evaluation.dictionary, x, y, evaluation.mean, params.groups))


@method("evaluate.contexts")
@torch.no_grad()
def evaluate_contexts(context: Context, params: p.EvaluateContextsParams) -> p.EvaluateContextsResult:
    """Four passes: untouched, with the reconstruction, with zeros, with the mean."""
    evaluation, contexts, batch = next_batch(context, params)
    rows, losses = NO_ROWS, None
    if batch is not None and params.losses:
        rows, losses = measure(evaluation, batch, replace_all=params.replace == "all")
    elif batch is not None:
        found = read_rows(evaluation, batch)
        rows = row_sums(evaluation.dictionary, found.x, found.y, evaluation.mean, found.sizes)
    return p.EvaluateContextsResult(
        contexts=0 if batch is None else len(batch.ids),
        rows=rows,
        losses=losses,
        exhausted=contexts.exhausted,
        starved=contexts.starved,
    )


def measure(evaluation: Evaluation, batch: Batch, *, replace_all: bool) -> tuple[p.RowSums, p.LossSums]:
    """The sums of one batch of contexts. At most two sets of logits are held at a time."""
    model, site = placed(evaluation)
    dictionary = evaluation.dictionary
    original, inputs, targets = logits_and_values(model, batch.ids, batch.mask, site)
    found = kept_rows(batch, inputs, targets, site)
    del inputs, targets
    where = torch.ones_like(batch.keep) if replace_all else batch.keep
    mean = evaluation.mean

    def spliced(value: Replacement) -> torch.Tensor:
        def replace(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.where(where.to(y.device).unsqueeze(-1), value(x, y).to(y), y)

        return logits_with(model, batch.ids, batch.mask, site, replace)

    def reconstruct(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return dictionary.decode(dictionary.encode(x.to(dictionary.device, dictionary.dtype)))

    entropies = {"original": cross_entropies(original, batch.ids, batch.real)}
    logits = spliced(reconstruct)
    divergence = divergences(original, logits, batch.real)
    entropies["reconstructed"] = cross_entropies(logits, batch.ids, batch.real)
    del original
    logits = spliced(lambda _, y: torch.zeros_like(y))
    entropies["zero"] = cross_entropies(logits, batch.ids, batch.real)
    logits = spliced(lambda _, y: mean.to(y).expand_as(y))
    entropies["mean"] = cross_entropies(logits, batch.ids, batch.real)
    losses = p.LossSums(
        predictions=batch.real[:, 1:].sum(dim=1).tolist(),
        positions=batch.real.sum(dim=1).tolist(),
        divergence=divergence,
        **entropies,
    )
    return row_sums(dictionary, found.x, found.y, mean, found.sizes), losses


@method("evaluate.top_contexts")
@torch.no_grad()
def find_top_contexts(context: Context, params: p.EvaluateTopContextsParams) -> p.EvaluateTopContextsResult:
    """One pass that stops after the site."""
    evaluation, contexts, batch = next_batch(context, params)
    found: list[p.FeatureContext] = []
    count = rows = 0
    if batch is not None:
        model, _ = placed(evaluation)
        kept = read_rows(evaluation, batch)
        found = top_contexts(
            evaluation.dictionary, model.tokenizer, batch, kept.x, params.features, params.floors, params.most
        )
        count, rows = len(batch.ids), len(kept.x)
    return p.EvaluateTopContextsResult(
        contexts=count, rows=rows, found=found, exhausted=contexts.exhausted, starved=contexts.starved
    )
