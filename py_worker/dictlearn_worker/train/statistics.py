"""The logged statistics of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..buffer.source import scaled
from ..dictionary.standard import AutoEncoder
from ..memory import Scratch
from ..protocol import Loss
from .encoded import blocks
from .fused import wide_dtype
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
    """Statistics of inputs x (rows, d_in) and targets y (rows, d_out), in the units of the unscaled rows.

    In parts: the features of the whole batch would need the most memory, and the steps already hold them once.
    """
    sums: list[torch.Tensor] = []
    scratch = Scratch.shared("features", x.device)
    for where in blocks(len(x), dictionary.size, x.device):
        [f] = scratch.take(dictionary.dtype, (len(x[where]), dictionary.size))
        dictionary.encode(x[where], out=f)
        y_hat = dictionary.decode(f)
        f, target, y_hat = (scaled(each, 1 / scale) for each in (f, y[where], y_hat))
        # Counted as a norm, which needs no temporary; a sum of booleans needs one of 8 bytes for each.
        l0 = torch.linalg.vector_norm(f, ord=0, dim=-1, dtype=wide_dtype(f)).double().mean()
        means = (mean_square_error(target, y_hat), sparsity_term(f, loss), l0)
        share = len(target) / len(y)
        sums.append(share * torch.stack([each.double() for each in means]))
    mse, sparsity, l0 = torch.stack(sums).sum(dim=0)
    return BatchStatistics(mse.to(y.dtype), sparsity.to(y.dtype), l0)
