"""What is logged of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..buffer.source import scaled
from ..dictionary.standard import AutoEncoder
from ..protocol import Loss
from .encoded import blocks
from .loss import mean_square_error, sparsity_term


@dataclass
class BatchStatistics:
    """Means over the rows of a batch, each a number on the device: of the square error, the sparsity term, and L0."""

    mse: torch.Tensor
    sparsity: torch.Tensor
    l0: torch.Tensor


@torch.no_grad()
def batch_statistics(
    dictionary: AutoEncoder, x: torch.Tensor, y: torch.Tensor, scale: float, loss: Loss
) -> BatchStatistics:
    """Of inputs x (rows, d_in) and targets y (rows, d_out), in the units of the rows before they were times `scale`.

    Some rows at a time: the features of the whole batch would be the largest thing in the memory, and they are there
    already, for the steps.
    """
    sums: list[torch.Tensor] = []
    for where in blocks(len(x), dictionary.size, x.device):
        f = dictionary.encode(x[where])
        y_hat = dictionary.decode(f)
        f, target, y_hat = (scaled(each, 1 / scale) for each in (f, y[where], y_hat))
        l0 = (f != 0).sum(dim=-1).double().mean()
        means = (mean_square_error(target, y_hat), sparsity_term(f, loss), l0)
        share = len(target) / len(y)
        sums.append(share * torch.stack([each.double() for each in means]))
    mse, sparsity, l0 = torch.stack(sums).sum(dim=0)
    return BatchStatistics(mse.to(y.dtype), sparsity.to(y.dtype), l0)
