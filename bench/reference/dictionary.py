"""The dictionary and its loss, in plain PyTorch."""

from __future__ import annotations

import torch
from torch import nn


class AutoEncoder(nn.Module):
    """f = ReLU(W_enc (x - b) + b_enc), x_hat = W_dec f + b. Drawn from torch's global random stream."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))
        self.encoder = nn.Linear(width, size)
        self.decoder = nn.Linear(size, width, bias=False)
        columns = torch.randn(width, size)
        self.decoder.weight = nn.Parameter(columns / columns.norm(dim=0, keepdim=True))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.encoder(x - self.bias))

    def decode(self, f: torch.Tensor) -> torch.Tensor:
        return self.decoder(f) + self.bias


def losses(ae: AutoEncoder, x: torch.Tensor, y: torch.Tensor, entropy: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The two terms: the root mean square error, and the sparsity."""
    f = ae.encode(x)
    reconstruction = torch.sqrt((ae.decode(f) - y).pow(2).mean())
    return reconstruction, entropy_of(f) if entropy else f.norm(p=1, dim=-1).mean()


def entropy_of(f: torch.Tensor) -> torch.Tensor:
    """Mean over rows of the entropy of f / sum f; 0 for a row of zeros."""
    total = f.sum(dim=-1, keepdim=True)
    p = f / (total + 1e-8)
    rows = -(p * torch.log(p + 1e-8)).sum(dim=-1)
    return torch.where(total.squeeze(-1) == 0, torch.zeros_like(rows), rows).mean()
