"""The loss terms with their derivatives in closed form, matching train/loss.py."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .loss import ENTROPY_EPSILON


def reconstruction_slope(error: torch.Tensor, kind: str, free: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The term (a number on the device) and its derivative (rows, d_out) by y_hat. `error`: y_hat - y, overwritten.

    free: memory of the same shape.

    mse: 2 e / n, n = rows * d_out. rmse: e / (n root), and 0 where the root is 0.
    """
    square = torch.square(error, out=free).mean()
    if kind == "mse":
        return square, error.mul_(2 / error.numel())
    root = square.sqrt()
    return root, error.mul_(torch.where(root > 0, 1 / (error.numel() * root), torch.zeros_like(root)))


@dataclass
class EntropySlope:
    """The derivative of H = -sum p log(p + eps), p = f / (T + eps), T = sum f, by f, of each row.

    With u = -(log(p + eps) + p / (p + eps)) it is (u - sum u p) / (T + eps).
    total: T (B); mean: sum u p (B). Both are sums over a row's active features, since p is 0 at the others.
    """

    total: torch.Tensor
    mean: torch.Tensor

    def at(self, f: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        """The derivative by features `f`, which are (C, B), or (P) of the rows (P)."""
        total, mean = (self.total, self.mean) if rows is None else (self.total[rows], self.mean[rows])
        total = total + ENTROPY_EPSILON
        p = f / total
        shifted = p + ENTROPY_EPSILON
        return (-(shifted.log() + p / shifted) - mean) / total


def entropy_parts(f: torch.Tensor, total: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The terms of features `f` in H and in sum u p (the first less p^2 / (p + eps)). `total`: their rows' sums."""
    p = f / (total + ENTROPY_EPSILON)
    shifted = p + ENTROPY_EPSILON
    entropy = -p * shifted.log()
    return entropy, entropy - p * p / shifted
