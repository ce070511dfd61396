"""Diagnoses a dictionary from its weights, and from its weights and rows."""

from __future__ import annotations

import torch

from .. import protocol as p
from ..buffer.source import Source
from .standard import AutoEncoder


def examine(dictionary: AutoEncoder) -> p.DictionaryExamineResult:
    """Norms, biases, and features that cannot work for any row.

    Silent: ReLU(0 x + b) = 0 for every x, a zero encoder row with a bias that is not above zero. Without effect: a zero
    decoder column. Shared rows: dictionary_learning ddac948 gave all features of a resampling one encoder row.
    """
    encoder, decoder = dictionary.encoder.weight, dictionary.decoder.weight
    bias = dictionary.encoder.bias
    finite = torch.isfinite(encoder).all(dim=1) & torch.isfinite(decoder).all(dim=0) & torch.isfinite(bias)
    zero = ~encoder.any(dim=1)
    return p.DictionaryExamineResult(
        decoder_norms=norms(decoder, 0),
        encoder_norms=norms(encoder, 1),
        bias_norm=dictionary.bias.double().norm().item(),
        input_bias_norm=dictionary.input_bias.double().norm().item() if dictionary.own_input_bias else None,
        encoder_bias_mean=bias.double().mean().item(),
        non_finite=indices(~finite),
        silent=indices(zero & (bias <= 0)),
        without_effect=indices(~decoder.any(dim=0)),
        shared_rows=indices(shared(encoder) & finite & ~zero),
    )


def norms(weight: torch.Tensor, dim: int) -> p.Norms:
    """Smallest, mean and largest norm of the vectors along `dim`; non-finite norms are left out."""
    each = torch.linalg.vector_norm(weight, dim=dim, dtype=torch.float64)
    each = each[torch.isfinite(each)]
    if not len(each):
        return p.Norms(min=float("nan"), mean=float("nan"), max=float("nan"))
    return p.Norms(min=each.min().item(), mean=each.mean().item(), max=each.max().item())


def shared(rows: torch.Tensor) -> torch.Tensor:
    """Whether each row (m, d) has a bit-identical duplicate."""
    _, which, counts = torch.unique(rows, dim=0, return_inverse=True, return_counts=True)
    return counts[which] > 1


def indices(mask: torch.Tensor) -> list[int]:
    """Indices of the true values, ascending."""
    return mask.nonzero().flatten().tolist()


def balance(dictionary: AutoEncoder, source: Source, batches: list[int]) -> p.DictionaryBalanceResult:
    """Means over all rows, in float64. With e = y - y_hat and v = W_dec f, (rows, d_out) both.

    Scaling an encoder row and its bias by a scales its feature by a, so where the loss is at a minimum its derivative
    in a is 0: the reconstruction pulls f up as hard as the penalty pulls it down. `alignment`, E[e v] / d, is that pull
    for the mean of squares.
    """
    total = torch.zeros(5, dtype=torch.float64, device=dictionary.device)
    rows = 0
    fired = torch.zeros(dictionary.size, dtype=torch.bool, device=dictionary.device)
    for count in batches:
        source.draw(count)
        x, y = (each.to(dictionary.device, dictionary.dtype) for each in source.batch(0))
        f = dictionary.encode(x)
        v = dictionary.decoder(f).double()
        e = y.double() - v - dictionary.bias.double()
        along = (e * v).sum(dim=1)
        # A row with zero error has no direction.
        unit = torch.where(along == 0, along, along / e.norm(dim=1).clamp(min=torch.finfo(torch.float64).tiny))
        mean_square = e.pow(2).mean(dim=1)
        l1, l0 = f.double().sum(dim=1), (f != 0).double().sum(dim=1)
        total += torch.stack([mean_square, l1, l0, along / e.shape[1], unit]).sum(dim=1)
        fired |= (f != 0).any(dim=0)
        rows += count
    mse, l1, l0, alignment, unit_alignment = (total / max(rows, 1)).tolist()
    return p.DictionaryBalanceResult(
        rows=rows,
        mse=mse,
        l1=l1,
        l0=l0,
        alignment=alignment,
        unit_alignment=unit_alignment,
        silent=int((~fired).sum().item()),
    )
