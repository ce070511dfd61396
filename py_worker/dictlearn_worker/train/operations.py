"""The operations of training: TypeScript sends numbers, these take the steps."""

from __future__ import annotations

import torch

from .. import protocol as p
from ..buffer.source import Source, scaled
from ..dictionary.standard import AutoEncoder
from ..errors import WorkerError
from ..memory import give_back
from ..registry import Context, method
from .resample import Rows, resample
from .statistics import batch_statistics
from .trainee import Trainee


@method("trainee.create")
def create(context: Context, params: p.TraineeCreateParams) -> p.TraineeCreateResult:
    """Adds an optimiser to a dictionary."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    return p.TraineeCreateResult(trainee=context.objects.put(Trainee(dictionary, params.adam)))


@method("train.steps")
def steps(context: Context, params: p.TrainStepsParams) -> p.TrainStepsResult:
    """One batch per step, shared by all trainees; the losses are checked once at the end.

    Trainees of one site, scale, device and dtype also share the copy that they train on.
    """
    source = context.objects.get(params.source, Source)
    trainees = [(context.objects.get(numbers.trainee, Trainee), numbers) for numbers in params.trainees]
    losses: list[torch.Tensor] = []
    for offset, rows in enumerate(params.rows):
        source.draw(rows)
        batches: dict[object, tuple[torch.Tensor, torch.Tensor]] = {}
        for trainee, numbers in trainees:
            kind = (numbers.site, numbers.scale, trainee.dictionary.device, trainee.dictionary.dtype)
            if kind not in batches:
                batches[kind] = batch_for(source, numbers.site, trainee, numbers.scale)
            losses.append(trainee.step(*batches[kind], numbers, offset))
    check_finite(losses, params)
    return p.TrainStepsResult()


def batch_for(source: Source, site: int, trainee: Trainee, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The current batch times `scale`, on the dictionary's device and in its dtype.

    If inputs and targets are one tensor, they stay one.
    """
    inputs, targets = source.batch(site)
    dictionary = trainee.dictionary
    assert inputs.shape[1] == dictionary.input_width and targets.shape[1] == dictionary.output_width
    x = uploaded(inputs, dictionary, scale)
    return x, x if targets is inputs else uploaded(targets, dictionary, scale)


def uploaded(rows: torch.Tensor, dictionary: AutoEncoder, scale: float) -> torch.Tensor:
    """The rows on the dictionary's device. From pinned memory the copy does not wait, and torch keeps the memory."""
    return scaled(rows.to(dictionary.device, dictionary.dtype, non_blocking=rows.is_pinned()), scale)


def check_finite(losses: list[torch.Tensor], params: p.TrainStepsParams) -> None:
    """Raises `non_finite_loss` for the first step whose loss is NaN or infinite."""
    finite = torch.isfinite(torch.stack([loss.double() for loss in losses])).tolist() if losses else []
    if all(finite):
        return
    offset, index = divmod(finite.index(False), len(params.trainees))
    step = params.trainees[index].first_step + offset
    raise WorkerError(
        "non_finite_loss",
        f"The loss of step {step} is {losses[finite.index(False)].item()}, so the run stopped at batch {step}.",
        step=step,
        trainee=params.trainees[index].trainee.id,
    )


@method("train.metrics")
@torch.no_grad()
def metrics(context: Context, params: p.TrainMetricsParams) -> p.TrainMetricsResult:
    """Statistics of the last batch under the current weights, in the units of the unscaled rows.

    fraction_variance_explained = 1 - sum |y - y_hat|^2 / sum |y - mean(y)|^2, the mean over the batch's rows.
    """
    trainee = context.objects.get(params.trainee, Trainee)
    x, y = batch_for(context.objects.get(params.source, Source), params.site, trainee, params.scale)
    found = batch_statistics(trainee.dictionary, x, y, params.scale, params.loss)
    total = scaled(y, 1 / params.scale)
    total = (total - total.mean(dim=0)).square_().mean()
    give_back()
    return p.TrainMetricsResult(
        mse_loss=found.mse.item(),
        rmse_loss=found.mse.sqrt().item(),
        sparsity_loss=found.sparsity.item(),
        l0=found.l0.item(),
        fraction_variance_explained=(1 - found.mse.double() / total.double()).item(),
        dead_features=int(trainee.dead(params.dead_since).sum().item()),
    )


@method("train.dead")
def dead(context: Context, params: p.TrainDeadParams) -> p.TrainDeadResult:
    """Indices of the silent features, ascending."""
    trainee = context.objects.get(params.trainee, Trainee)
    return p.TrainDeadResult(features=trainee.dead(params.since).nonzero().flatten().tolist())


@method("train.resample")
def resample_dead(context: Context, params: p.TrainResampleParams) -> p.TrainResampleResult:
    """Resamples the named features."""
    source = context.objects.get(params.source, Source)
    trainee = context.objects.get(params.trainee, Trainee)
    generator = context.objects.get(params.generator, torch.Generator)
    features = torch.tensor(params.features, dtype=torch.int64, device=trainee.dictionary.device)
    if params.resampling.among == "batch":
        rows = Rows.of_batch(*batch_for(source, params.site, trainee, params.scale))
    else:
        rows = Rows.held(source, params.site, params.scale, params.resampling, trainee, generator)
    done, fresh = resample(trainee, features, rows, params.resampling, generator, params.step)
    give_back()
    return p.TrainResampleResult(features=done.tolist(), fresh=fresh)
