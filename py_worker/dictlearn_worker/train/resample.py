"""Resampling of dead features."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..buffer.source import Source, scaled
from ..dictionary.standard import AutoEncoder, draw_encoder
from ..errors import WorkerError
from ..memory import Scratch
from ..protocol import Resampling
from .draws import draw_distinct, draw_with_replacement
from .encoded import blocks
from .trainee import Trainee

# Bricken et al. 2023, appendix: the share of the alive encoder rows' mean norm that a resampled row gets.
ENCODER_SCALE = 0.2
FEATURES_AT_ONCE = 4096


@torch.no_grad()
def resample(
    trainee: Trainee,
    dead: torch.Tensor,
    rows: Rows,
    resampling: Resampling,
    generator: torch.Generator,
    step: int,
) -> tuple[torch.Tensor, bool]:
    """Draws a row for each feature of `dead` (k) and reinitialises the feature from it.

    Returns the features that got a row, and whether no feature was alive. Every choice is a field of `resampling`:
    with all of the first values this is Bricken et al. 2023, appendix; with all of the second, dictionary_learning
    ddac948. e = y - y_hat of a row.

    - rows: up to `rows` of those `held` | the last `batch`
    - drawn with probability ~ (mean of e^2)^2 | |e|, without | with replacement
    - decoder column <- y, divided by its norm; the division is for the `resampled` columns | for `all`
    - encoder row <- x / |x| * 0.2 * mean norm of the alive encoder rows | 0.2 * mean of the alive encoder rows
    - encoder bias <- 0
    - Adam's moments <- 0 for `all` three | the `encoder`'s two
    - no feature alive: encoder rows drawn as at the start (`fresh`) | an error (`stop`), where ddac948 writes NaN
    """
    dictionary = trainee.dictionary
    alive = torch.ones(dictionary.size, dtype=torch.bool, device=dictionary.device)
    alive[dead] = False
    fresh = not bool(alive.any())
    if fresh and resampling.all_dead == "stop":
        raise WorkerError(
            "all_dead",
            f"Every feature is dead after step {step}, where dictionary_learning ddac948 goes on with NaN.",
            hint="Set train.resample_all_dead to fresh, or lower train.lr or train.sparsity_penalty.",
        )
    weights = weigh(trainee, rows, resampling)
    if not torch.isfinite(weights).all():
        raise WorkerError(
            "non_finite_loss", f"After step {step} the losses of the rows to resample from are not finite."
        )
    drawn = draw(weights, len(dead), rows, resampling, generator)
    dead = dead[: len(drawn)]
    # In parts, because the rows of all features take as much memory as the decoder; the reference renormalises it once.
    at_once = FEATURES_AT_ONCE if resampling.renormalize == "resampled" else max(1, len(dead))
    usual = None if fresh else usual_encoder(dictionary, alive, resampling)
    for features, numbers in zip(dead.split(at_once), drawn.split(at_once), strict=True):
        x, y = rows.take(numbers)
        start_decoder(dictionary, features, y, resampling)
        if usual is not None:
            start = usual if resampling.encoder == "mean-alive" else directions(x) * usual
            dictionary.encoder.weight[features] = start
    if fresh:
        wide = torch.float32 if dictionary.dtype == torch.bfloat16 else dictionary.dtype
        weight, _ = draw_encoder(len(dead), dictionary.input_width, wide, generator)
        dictionary.encoder.weight[dead] = weight.to(dictionary.device, dictionary.dtype)
    dictionary.encoder.bias[dead] = 0
    tell_optimiser(trainee, dead, resampling)
    return dead, fresh


def start_decoder(dictionary: AutoEncoder, dead: torch.Tensor, y: torch.Tensor, resampling: Resampling) -> None:
    """Columns in the direction of the targets y (k, d_out)."""
    decoder = dictionary.decoder.weight
    if resampling.renormalize == "all":
        decoder[:, dead] = y.T
        decoder /= decoder.norm(dim=0, keepdim=True)
    else:
        decoder[:, dead] = (y / y.norm(dim=1, keepdim=True)).T


def usual_encoder(dictionary: AutoEncoder, alive: torch.Tensor, resampling: Resampling) -> torch.Tensor:
    """The mean encoder row (d_in) of the features that are `alive` (m, booleans), or the mean of their norms.

    Both are scaled down, as resampled rows are.
    """
    rows = dictionary.encoder.weight[alive]
    if resampling.encoder == "mean-alive":
        return rows.mean(dim=0) * ENCODER_SCALE
    return ENCODER_SCALE * rows.norm(dim=1).mean()


def tell_optimiser(trainee: Trainee, dead: torch.Tensor, resampling: Resampling) -> None:
    """Copies the new weights into the optimiser, and clears the moments of the previous ones."""
    encoder, decoder = trainee.dictionary.encoder, trainee.dictionary.decoder.weight
    columns = (slice(None), dead)
    optimiser = trainee.optimiser
    optimiser.adopt(encoder.weight, (dead,))
    optimiser.adopt(encoder.bias, (dead,))
    optimiser.adopt(decoder, (slice(None),) if resampling.renormalize == "all" else columns)
    optimiser.reset_moments(encoder.weight, (dead,))
    optimiser.reset_moments(encoder.bias, (dead,))
    if resampling.moments == "all":
        optimiser.reset_moments(decoder, columns)


class Rows:
    """The rows that a resampling may draw from, on the dictionary's device and in its dtype."""

    def __init__(
        self, count: int, chunk: int, take: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    ) -> None:
        """`take` gives inputs (k, d_in) and targets (k, d_out) of row numbers (k) below `count`, `chunk` at once."""
        self.count = count
        self.chunk = chunk
        self.take = take

    @classmethod
    def of_batch(cls, x: torch.Tensor, y: torch.Tensor) -> Rows:
        """The rows of one batch."""
        return cls(len(x), len(x), lambda numbers: (x[numbers.to(x.device)], y[numbers.to(y.device)]))

    @classmethod
    def held(
        cls,
        source: Source,
        site: int,
        scale: float,
        resampling: Resampling,
        trainee: Trainee,
        generator: torch.Generator,
    ) -> Rows:
        """Up to `resampling.rows` distinct rows of the source, times `scale`; random ones if it holds more."""
        dictionary, held, most = trainee.dictionary, source.held(), resampling.rows
        chosen = torch.randperm(held, generator=generator)[:most] if most < held else None

        def take(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x, y = source.take(site, numbers if chosen is None else chosen[numbers])
            x, y = (scaled(each.to(dictionary.device, dictionary.dtype), scale) for each in (x, y))
            return x, y

        return cls(min(most, held), resampling.chunk_rows, take)


def draw(
    weights: torch.Tensor, count: int, rows: Rows, resampling: Resampling, generator: torch.Generator
) -> torch.Tensor:
    """Indices of the rows from which `count` features start; fewer if there are too few to draw from."""
    if resampling.replacement:
        return draw_with_replacement(weights, count, generator)
    return draw_distinct(weights, count, generator, lambda numbers: directions(rows.take(numbers)[0]))


def weigh(trainee: Trainee, rows: Rows, resampling: Resampling) -> torch.Tensor:
    """Each row's unnormalised probability (n), on the CPU."""
    dictionary = trainee.dictionary
    parts = []
    for start in range(0, rows.count, rows.chunk):
        x, y = rows.take(torch.arange(start, min(start + rows.chunk, rows.count)))
        # In parts: the features of all these rows would need the most memory. The reference holds them all at once.
        at_once = (
            blocks(len(x), dictionary.size, x.device) if resampling.probability == "squared-loss" else [slice(None)]
        )
        part = torch.cat([likeliness(dictionary, x[where], y[where], resampling) for where in at_once])
        # A row of zeros has no direction.
        if resampling.encoder == "sampled-input":
            part = torch.where((x != 0).any(dim=-1), part, 0.0)
        if resampling.renormalize == "resampled":
            part = torch.where((y != 0).any(dim=-1), part, 0.0)
        parts.append(part.cpu())
    return torch.cat(parts)


def likeliness(dictionary: AutoEncoder, x: torch.Tensor, y: torch.Tensor, resampling: Resampling) -> torch.Tensor:
    """The same (rows) from the error alone, on the features' device."""
    if resampling.probability == "squared-loss":
        [f] = Scratch.shared("features", x.device).take(dictionary.dtype, (len(x), dictionary.size))
        error = y - dictionary.decode(dictionary.encode(x, out=f))
        return error.double().square().mean(dim=-1).square()
    error = y - dictionary.decode(dictionary.encode(x))
    return error.float().norm(dim=-1) if error.dtype == torch.bfloat16 else error.norm(dim=-1)


def directions(x: torch.Tensor) -> torch.Tensor:
    """Rows (k, d) divided by their norms."""
    return x / x.norm(dim=1, keepdim=True)
