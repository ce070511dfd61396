"""How much the model's loss would rise without each feature, to first order."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..dictionary.standard import AutoEncoder
from ..evaluate.sums import wide
from ..models.language_model import LanguageModel
from ..models.splice import logits_of_values
from ..protocol import Site
from ..text.contexts import Batch


@dataclass
class LossEffects:
    """Sums over a batch. effects (m): nats, float64; fired (m): rows on which a feature is not 0."""

    effects: torch.Tensor
    fired: torch.Tensor
    rows: int
    predictions: int


def no_effects(size: int) -> LossEffects:
    """Zeros, before any context."""
    return LossEffects(torch.zeros(size, dtype=torch.float64), torch.zeros(size, dtype=torch.int64), 0, 0)


def loss_effects(model: LanguageModel, dictionary: AutoEncoder, batch: Batch, site: Site) -> LossEffects:
    """Without feature i a row y is y - f_i d_i: the reconstruction error stays. To first order, with L
    the sum of the cross-entropies of the next tokens that are text, the loss then rises by - sum f_i (dL/dy . d_i).

    f (rows, m) are the features and d_i the decoder columns (d_out); the sum is over the kept positions.
    Source: attribution patching, Nanda 2023; with the error kept, Marks et al. 2024, "Sparse Feature Circuits".
    """  # noqa: D205  the sentence is a formula
    logits, inputs, targets = logits_of_values(model, batch.ids, batch.mask, site)
    with torch.enable_grad():
        loss = total_cross_entropy(logits, batch.ids, batch.real)
        (gradient,) = torch.autograd.grad(loss, targets)
    del logits, loss
    found = no_effects(dictionary.size)
    with torch.no_grad():
        # One context at a time, so that the largest tensor is (positions, m).
        for x, slope, keep in zip(inputs.detach(), gradient, batch.keep.to(gradient.device), strict=True):
            f = dictionary.encode(x[keep].to(dictionary.device, dictionary.dtype))
            along = slope[keep].to(dictionary.device, dictionary.dtype) @ dictionary.decoder.weight
            found.effects -= (f * along).double().sum(dim=0).cpu()
            found.fired += (f != 0).sum(dim=0).cpu()
            found.rows += len(f)
    found.predictions = int(batch.real[:, 1:].sum())
    return found


def total_cross_entropy(logits: torch.Tensor, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Sum of -log p(next token) over the positions whose next token is real, in nats, with a gradient.

    logits: (contexts, positions, vocabulary); ids, real: (contexts, positions).
    """
    there = real[:, 1:].to(logits.device)
    lost = torch.nn.functional.cross_entropy(
        wide(logits[:, :-1][there]), ids[:, 1:].to(logits.device)[there], reduction="none"
    )
    return lost.sum()
