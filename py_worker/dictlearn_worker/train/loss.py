"""The loss terms, each a function of tensors of shape (rows, width)."""

from __future__ import annotations

import torch
from torch.nn.functional import mse_loss

from ..protocol import Loss

# Keeps the logarithm and the division of the entropy finite, as in dictionary_learning ddac948.
ENTROPY_EPSILON = 1e-8


def mean_square_error(y: torch.Tensor, y_hat: torch.Tensor) -> torch.Tensor:
    """Mean over rows and coordinates of (y - y_hat)^2.

    By torch's own function, as in dictionary_learning ddac948: the gradient of `(y_hat - y).pow(2).mean()` is rounded
    differently, unless rows * width is a power of two.
    """
    return mse_loss(y, y_hat)


class _Root(torch.autograd.Function):
    """sqrt with gradient 0 at 0, where the square root has none."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:  # pyright: ignore
        root = x.sqrt()
        ctx.save_for_backward(root)
        return root

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:  # pyright: ignore
        (root,) = ctx.saved_tensors
        return torch.where(root > 0, gradient / (2 * root), torch.zeros_like(root))


def root_mean_square_error(y: torch.Tensor, y_hat: torch.Tensor) -> torch.Tensor:
    """Sqrt of the mean square error; the reference calls it `mse_loss`. Its gradient at zero error is 0."""
    return _Root.apply(mean_square_error(y, y_hat))  # pyright: ignore[reportReturnType]


def l1(f: torch.Tensor) -> torch.Tensor:
    """Mean over rows of sum |f|."""
    return torch.linalg.vector_norm(f, ord=1, dim=-1).mean()


def entropy(f: torch.Tensor) -> torch.Tensor:
    """Mean over rows of H = -sum p log(p + eps), p = f / (sum f + eps); H is 0 for a row without an active feature."""
    total = f.sum(dim=-1, keepdim=True)
    p = f / (total + ENTROPY_EPSILON)
    row = -(p * torch.log(p + ENTROPY_EPSILON)).sum(dim=-1)
    return torch.where(total.squeeze(-1) == 0, torch.zeros_like(row), row).mean()


def reconstruction_term(y: torch.Tensor, y_hat: torch.Tensor, loss: Loss) -> torch.Tensor:
    """The term that `loss` names."""
    return mean_square_error(y, y_hat) if loss.reconstruction == "mse" else root_mean_square_error(y, y_hat)


def sparsity_term(f: torch.Tensor, loss: Loss) -> torch.Tensor:
    """The term that `loss` names."""
    return l1(f) if loss.sparsity == "l1" else entropy(f)
