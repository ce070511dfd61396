"""Adam with decoder columns held at norm 1."""

from __future__ import annotations

import torch
from torch.optim.adam import adam as adam_update

from ..dictionary.standard import AutoEncoder
from ..protocol import Adam


class ConstrainedAdam:
    """Adam on all parameters; each decoder column w keeps |w| = 1.

    Before the update the gradient loses its component along the column, g <- g - (g . w/|w|) w/|w|; after it the column
    is divided by its norm. Source: Bricken et al. 2023; dictionary_learning at commit ddac948.
    `fused: false` is torch's plain single-tensor arithmetic, which the reference uses, bit for bit.
    The moments are plain tensors, shaped as their parameters, and the update is torch's own function: the bookkeeping
    of torch.optim.Optimizer around it costs more than a small step.
    """

    def __init__(self, dictionary: AutoEncoder, adam: Adam) -> None:
        """All moments and counters start at 0; the rate comes with every step."""
        self.adam = adam
        self.parameters = list(dictionary.parameters())
        self.decoder = dictionary.decoder.weight
        self.first_moments = [torch.zeros_like(each) for each in self.parameters]
        self.second_moments = [torch.zeros_like(each) for each in self.parameters]
        # torch wants a counter for each parameter: beside it for the fused kernel, on the CPU otherwise.
        where = dictionary.device if adam.fused else torch.device("cpu")
        self.counters = [torch.zeros((), dtype=torch.float32, device=where) for _ in self.parameters]

    def clear_gradients(self) -> None:
        """The next backward pass starts from none."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with rate `lr` from the gradients that the parameters hold."""
        weight = self.decoder
        gradients = [parameter.grad for parameter in self.parameters]
        gradient = weight.grad
        assert gradient is not None and None not in gradients
        unit = weight / torch.linalg.vector_norm(weight, dim=0, keepdim=True)
        gradient -= (gradient * unit).sum(dim=0, keepdim=True) * unit
        adam_update(
            self.parameters,  # pyright: ignore[reportArgumentType]  parameters are tensors
            gradients,  # pyright: ignore[reportArgumentType]
            self.first_moments,
            self.second_moments,
            [],
            self.counters,
            foreach=False,
            fused=self.adam.fused,
            amsgrad=False,
            beta1=self.adam.beta1,
            beta2=self.adam.beta2,
            lr=lr,
            weight_decay=0.0,
            eps=self.adam.epsilon,
            maximize=False,
        )
        weight /= torch.linalg.vector_norm(weight, dim=0, keepdim=True)

    @torch.no_grad()
    def reset_moments(self, parameter: torch.Tensor, index: tuple[slice | torch.Tensor, ...]) -> None:
        """Sets both moments to zero at `index` of one parameter; the step counter stays."""
        place = next(place for place, each in enumerate(self.parameters) if each is parameter)
        self.first_moments[place][index] = 0
        self.second_moments[place][index] = 0
