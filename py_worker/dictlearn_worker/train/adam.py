"""Adam with decoder columns held at norm 1."""

from __future__ import annotations

import torch

from ..dictionary.standard import AutoEncoder
from ..protocol import Adam


class ConstrainedAdam(torch.optim.Adam):
    """Adam on all parameters; each decoder column w keeps |w| = 1.

    Before the update the gradient loses its component along the column, g <- g - (g . w/|w|) w/|w|; after it the column
    is divided by its norm. Source: Bricken et al. 2023; dictionary_learning at commit ddac948.
    `fused: false` is torch's plain single-tensor arithmetic, which the reference uses, bit for bit.
    """

    def __init__(self, dictionary: AutoEncoder, adam: Adam) -> None:
        """The rate of every step is set by `constrained_step`."""
        super().__init__(
            dictionary.parameters(),
            lr=0.0,
            betas=(adam.beta1, adam.beta2),
            eps=adam.epsilon,
            fused=adam.fused,
            foreach=False if not adam.fused else None,
        )
        self.constrained = dictionary.decoder.weight

    @torch.no_grad()
    def constrained_step(self, lr: float) -> None:
        """One update with rate `lr` from the gradients that the parameters hold."""
        weight = self.constrained
        gradient = weight.grad
        assert gradient is not None
        unit = weight / weight.norm(dim=0, keepdim=True)
        gradient -= (gradient * unit).sum(dim=0, keepdim=True) * unit
        for group in self.param_groups:
            group["lr"] = lr
        self.step()
        weight /= weight.norm(dim=0, keepdim=True)

    @torch.no_grad()
    def reset_moments(self, parameter: torch.Tensor, index: tuple[slice | torch.Tensor, ...]) -> None:
        """Sets both moments to zero at `index` of one parameter; the step counter stays."""
        state = self.state.get(parameter, {})
        for key in ("exp_avg", "exp_avg_sq"):
            if key in state:
                state[key][index] = 0
