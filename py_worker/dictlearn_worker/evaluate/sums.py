"""Sums for each context, from which all statistics are computed. They are added up in float64."""

from __future__ import annotations

import torch

from ..dictionary.standard import AutoEncoder
from ..protocol import RowSums


def row_sums(
    dictionary: AutoEncoder, x: torch.Tensor, y: torch.Tensor, mean: torch.Tensor, sizes: list[int]
) -> RowSums:
    """Sums over the rows of each context.

    x: (rows, d_in), y: (rows, d_out), mean: (d_out), sizes: rows of each context.
    """
    f = dictionary.encode(x.to(dictionary.device, dictionary.dtype))
    y = wide(y.to(dictionary.device))
    y_hat = wide(dictionary.decode(f))
    mean = mean.to(y)
    norm, norm_hat = y.norm(dim=-1), y_hat.norm(dim=-1)
    directed = norm > 0
    safe = torch.where(directed, norm, torch.ones_like(norm))
    cosine = (y * y_hat).sum(dim=-1) / (safe * norm_hat.clamp(min=torch.finfo(y.dtype).tiny))

    def total(values: torch.Tensor) -> list[float]:
        return [part.double().sum().item() for part in values.split(sizes)]

    return RowSums(
        rows=sizes,
        squared_error=total((y - y_hat).pow(2).sum(dim=-1)),
        squared_deviation=total((y - mean).pow(2).sum(dim=-1)),
        l1=total(wide(f).abs().sum(dim=-1)),
        l0=total((f != 0).sum(dim=-1)),
        directed_rows=[int(part.sum()) for part in directed.split(sizes)],
        cosine=total(torch.where(directed, cosine, torch.zeros_like(cosine))),
        relative_norm=total(torch.where(directed, norm_hat / safe, torch.zeros_like(norm))),
    )


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """At least float32, which holds bfloat16 values exactly and sums them with little error."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def cross_entropies(logits: torch.Tensor, ids: torch.Tensor, real: torch.Tensor) -> list[float]:
    """For each context the sum of -log p(next token), over the positions whose next token is real, in nats.

    logits: (contexts, positions, vocabulary); ids, real: (contexts, positions). One context at a time, so that the
    float32 copy of the logits stays small.
    """
    sums = []
    for each, tokens, there in zip(logits, ids.to(logits.device), real.to(logits.device), strict=True):
        lost = torch.nn.functional.cross_entropy(wide(each[:-1]), tokens[1:], reduction="none")
        sums.append(lost[there[1:]].double().sum().item())
    return sums


def divergences(original: torch.Tensor, other: torch.Tensor, real: torch.Tensor) -> list[float]:
    """For each context the sum over its real positions of KL(original || other) of the next token, in nats."""
    sums = []
    for p, q, there in zip(original, other, real.to(original.device), strict=True):
        log_p = wide(p[there]).log_softmax(dim=-1)
        log_q = wide(q[there]).log_softmax(dim=-1)
        sums.append((log_p.exp() * (log_p - log_q)).sum(dim=-1).double().sum().item())
    return sums
