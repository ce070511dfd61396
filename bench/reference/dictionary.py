"""The dictionary and its loss, in plain PyTorch."""

from __future__ import annotations

import torch
from torch import nn


class AutoEncoder(nn.Module):
    """f = ReLU(W_enc (x - b) + b_enc), x_hat = W_dec f + b. Drawn from torch's global generator.

    The reference has only one width. With two, dictlearn subtracts a bias of the input's width, its first parameter.
    """

    def __init__(self, input_width: int, output_width: int, size: int) -> None:
        super().__init__()
        if input_width != output_width:
            self.input_bias = nn.Parameter(torch.zeros(input_width))
        self.bias = nn.Parameter(torch.zeros(output_width))
        self.encoder = nn.Linear(input_width, size)
        self.decoder = nn.Linear(size, output_width, bias=False)
        columns = torch.randn(output_width, size)
        self.decoder.weight = nn.Parameter(columns / columns.norm(dim=0, keepdim=True))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return nn.ReLU()(self.encoder(x - getattr(self, "input_bias", self.bias)))

    def decode(self, f: torch.Tensor) -> torch.Tensor:
        return self.decoder(f) + self.bias


def losses(ae: AutoEncoder, x: torch.Tensor, y: torch.Tensor, entropy: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The two terms: the root mean square error, and the sparsity.

    nn.MSELoss, because its gradient is rounded differently from that of (x_hat - y).pow(2).mean().
    """
    f = ae.encode(x)
    reconstruction = nn.MSELoss()(y, ae.decode(f)).sqrt()
    return reconstruction, entropy_of(f) if entropy else f.norm(p=1, dim=-1).mean()


def entropy_of(f: torch.Tensor) -> torch.Tensor:
    """Mean over rows of the entropy of f / sum f; 0 for a row of zeros."""
    total = f.sum(dim=-1, keepdim=True)
    p = f / (total + 1e-8)
    rows = -(p * torch.log(p + 1e-8)).sum(dim=-1)
    return torch.where(total.squeeze(-1) == 0, torch.zeros_like(rows), rows).mean()
