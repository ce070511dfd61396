"""A new start for dead features."""

from __future__ import annotations

import torch

from ..dictionary.standard import draw_encoder
from .trainee import Trainee

# Bricken et al. 2023, appendix: the share of the alive encoder rows' mean norm that a resampled row gets.
ENCODER_SCALE = 0.2


@torch.no_grad()
def resample_as_reference(
    trainee: Trainee, dead: torch.Tensor, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> bool:
    """The rule of dictionary_learning ddac948, from the batch x, y alone; `dead` (k) holds feature numbers.

    Rows are drawn with replacement with probability proportional to |y - y_hat|. Decoder columns become those rows of
    y, then all columns are scaled to norm 1. All encoder rows become 0.2 times the mean alive encoder row; their
    biases 0. The encoder's Adam moments are reset, the decoder's stay. Returns whether no feature was alive.
    """
    dictionary, optimiser = trainee.dictionary, trainee.optimiser
    alive = alive_mask(trainee, dead)
    if not alive.any():
        return resample_from(trainee, dead, x, y, generator)
    losses = (y - dictionary.decode(dictionary.encode(x))).norm(dim=-1)
    drawn = torch.multinomial(losses.cpu(), len(dead), replacement=True, generator=generator).to(x.device)
    decoder = dictionary.decoder.weight
    decoder[:, dead] = y[drawn].T
    decoder /= decoder.norm(dim=0, keepdim=True)
    dictionary.encoder.weight[dead] = dictionary.encoder.weight[alive].mean(dim=0) * ENCODER_SCALE
    dictionary.encoder.bias[dead] = 0
    optimiser.reset_moments(dictionary.encoder.weight, (dead,))
    optimiser.reset_moments(dictionary.encoder.bias, (dead,))
    return False


@torch.no_grad()
def resample_as_anthropic(
    trainee: Trainee, dead: torch.Tensor, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator, chunk: int
) -> bool:
    """The rule of Bricken et al. 2023 (appendix, autoencoder resampling), from rows x (n, d_in) and y (n, d_out).

    A row's loss is its mean square error; rows are drawn without replacement with probability proportional to its
    square. Decoder column <- y scaled to norm 1; encoder row <- x scaled to 0.2 times the mean norm of the alive
    encoder rows; encoder bias <- 0; the Adam moments of all three <- 0. Returns whether no feature was alive.
    """
    dictionary = trainee.dictionary
    losses = torch.empty(len(x), dtype=torch.float64)
    for start in range(0, len(x), chunk):
        rows = slice(start, start + chunk)
        x_part = x[rows].to(dictionary.device, dictionary.dtype)
        y_part = y[rows].to(dictionary.device, dictionary.dtype)
        error = y_part - dictionary.decode(dictionary.encode(x_part))
        losses[rows] = error.double().square().mean(dim=-1).cpu()
    # A row of zeros has no direction to give.
    usable = (x.norm(dim=-1) > 0).cpu() & (y.norm(dim=-1) > 0).cpu()
    weights = torch.where(usable, losses.square(), 0.0)
    drawn = draw_rows(weights, len(dead), generator)
    dead = dead[: len(drawn)]
    return resample_from(trainee, dead, x[drawn.to(x.device)], y[drawn.to(y.device)], generator)


def draw_rows(weights: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """`count` row numbers in proportion to `weights` (n): without replacement while there are rows enough."""
    possible = int((weights > 0).sum())
    if possible == 0:
        return torch.empty(0, dtype=torch.int64)
    # Exponential races: the k largest of log w - log E are a draw without replacement, with no limit on n.
    if possible >= count:
        noise = torch.empty_like(weights).exponential_(generator=generator)
        return (weights / noise).topk(count).indices
    return torch.multinomial(weights / weights.max(), count, replacement=True, generator=generator)


def resample_from(
    trainee: Trainee, dead: torch.Tensor, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> bool:
    """Starts feature dead[i] from row i of x and y. Without an alive feature the encoder rows are drawn afresh."""
    dictionary, optimiser = trainee.dictionary, trainee.optimiser
    x = x[: len(dead)].to(dictionary.device, dictionary.dtype)
    y = y[: len(dead)].to(dictionary.device, dictionary.dtype)
    dead = dead[: len(x)]
    alive = alive_mask(trainee, dead)
    encoder = dictionary.encoder
    fresh = not bool(alive.any())
    with torch.no_grad():
        if fresh:
            drawn = torch.float32 if dictionary.dtype == torch.bfloat16 else dictionary.dtype
            weight, _ = draw_encoder(len(dead), dictionary.input_width, drawn, generator)
            encoder.weight[dead] = weight.to(dictionary.device, dictionary.dtype)
        else:
            scale = ENCODER_SCALE * encoder.weight[alive].norm(dim=1).mean()
            encoder.weight[dead] = x / x.norm(dim=1, keepdim=True) * scale
        encoder.bias[dead] = 0
        dictionary.decoder.weight[:, dead] = (y / y.norm(dim=1, keepdim=True)).T
    optimiser.reset_moments(encoder.weight, (dead,))
    optimiser.reset_moments(encoder.bias, (dead,))
    optimiser.reset_moments(dictionary.decoder.weight, (slice(None), dead))
    return fresh


def alive_mask(trainee: Trainee, dead: torch.Tensor) -> torch.Tensor:
    """Mask (m) of the features that are not in `dead`."""
    alive = torch.ones(trainee.dictionary.size, dtype=torch.bool, device=trainee.dictionary.device)
    alive[dead] = False
    return alive
