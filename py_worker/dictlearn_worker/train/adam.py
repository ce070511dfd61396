"""Adam with decoder columns held at norm 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.optim.adam import adam as adam_update

from ..dictionary.standard import AutoEncoder
from ..protocol import Adam


@dataclass
class FeatureGradients:
    """Gradients of C consecutive features: encoder (C, d_in), encoder_bias (C), decoder (C, d_out).

    along (C): each decoder gradient times its column, g . w.
    """

    encoder: torch.Tensor
    encoder_bias: torch.Tensor
    decoder: torch.Tensor
    along: torch.Tensor


class ConstrainedAdam:
    """Adam on all parameters; each decoder column w keeps |w| = 1.

    Before the update the gradient loses its component along the column, g <- g - (g . w/|w|) w/|w|; after it the column
    is divided by its norm. Source: Bricken et al. 2023; dictionary_learning at commit ddac948.
    The moments are plain tensors, shaped as their parameters, and the update is torch's own function: the bookkeeping
    of torch.optim.Optimizer around it costs more than a small step.

    There are two ways to step. `fused: false`: `step`, from the gradients that the parameters hold, in the plain
    arithmetic that torch.optim.Adam chooses, which the reference uses, bit for bit. `fused: true`: `begin`, then
    `update_features` for one block of features after the other, then `update_biases`, in torch's fused kernel. So the
    gradients of a block are used while they are in the cache, and at most one block of them exists.

    A bfloat16 dictionary is the rounding of `masters`, which are float32, as are the moments: a bfloat16 weight cannot
    take a step smaller than 1/256 to 1/512 of itself, nor a moment a decay of 0.001. Otherwise `masters` are the
    parameters themselves.
    """

    def __init__(self, dictionary: AutoEncoder, adam: Adam) -> None:
        """All moments and counters start at 0; the rate comes with every step."""
        self.adam = adam
        self.parameters = list(dictionary.parameters())
        self.decoder = dictionary.decoder.weight
        self.rounded = dictionary.dtype == torch.bfloat16
        self.masters = [each.detach().float() for each in self.parameters] if self.rounded else self.parameters
        self.first_moments = [torch.zeros_like(each) for each in self.masters]
        self.second_moments = [torch.zeros_like(each) for each in self.masters]
        # torch needs a counter for each parameter: on its device for the fused kernel, on the CPU otherwise.
        where = dictionary.device if adam.fused else torch.device("cpu")
        self.counters = [torch.zeros((), dtype=torch.float32, device=where) for _ in self.parameters]
        of_features = (dictionary.encoder.weight, dictionary.encoder.bias, self.decoder)
        self._features = [self.place(each) for each in of_features]
        self._biases = [place for place in range(len(self.parameters)) if place not in self._features]

    @property
    def columns(self) -> torch.Tensor:
        """The decoder's columns as rows (m, d_out), unrounded."""
        return self.masters[self.place(self.decoder)].detach().T

    def clear_gradients(self) -> None:
        """Clears the gradients before the next backward pass."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with rate `lr` from the gradients that the parameters hold."""
        place = self.place(self.decoder)
        weight = self.masters[place]
        gradients = [
            parameter.grad.to(master.dtype)
            for parameter, master in zip(self.parameters, self.masters, strict=True)
            if parameter.grad is not None
        ]
        assert len(gradients) == len(self.masters), "every parameter has a gradient"
        gradient = gradients[place]
        unit = weight / torch.linalg.vector_norm(weight, dim=0, keepdim=True)
        gradient -= (gradient * unit).sum(dim=0, keepdim=True) * unit
        adam_update(
            self.masters,  # pyright: ignore[reportArgumentType]  parameters are tensors
            gradients,
            self.first_moments,
            self.second_moments,
            [],
            self.counters,
            # torch chooses, as for torch.optim.Adam: one tensor at a time on a CPU, all at once on CUDA.
            foreach=None,
            fused=None,
            amsgrad=False,
            beta1=self.adam.beta1,
            beta2=self.adam.beta2,
            lr=lr,
            weight_decay=0.0,
            eps=self.adam.epsilon,
            maximize=False,
        )
        weight /= torch.linalg.vector_norm(weight, dim=0, keepdim=True)
        if self.rounded:
            for parameter, master in zip(self.parameters, self.masters, strict=True):
                parameter.copy_(master)

    @torch.no_grad()
    def begin(self) -> None:
        """Counts a step; its updates follow."""
        torch._foreach_add_(self.counters, 1)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def update_features(self, where: slice, gradients: FeatureGradients, lr: float) -> None:
        """Updates the features `where` with rate `lr`. Overwrites `gradients.decoder`."""
        masters, first, second = (
            [tensors[place].detach() for place in self._features]
            for tensors in (self.masters, self.first_moments, self.second_moments)
        )
        blocks = [
            [encoder[where], bias[where], decoder.T[where]] for encoder, bias, decoder in (masters, first, second)
        ]
        column, gradient = blocks[0][2], gradients.decoder
        along = gradients.along / torch.linalg.vector_norm(column, dim=1).square()
        gradient.addcmul_(column, along.unsqueeze(1), value=-1)
        self._fused(blocks, [gradients.encoder, gradients.encoder_bias, gradient], self._features, lr)
        column /= torch.linalg.vector_norm(column, dim=1, keepdim=True)
        if self.rounded:
            for place, block in zip(self._features, blocks[0], strict=True):
                parameter = self.parameters[place].detach()
                (parameter.T if parameter.ndim == 2 and block is column else parameter)[where].copy_(block)

    @torch.no_grad()
    def update_biases(self, gradients: list[torch.Tensor], lr: float) -> None:
        """Updates the parameters that no feature owns, the bias and any input bias, with rate `lr`."""
        masters, first, second = (
            [tensors[place].detach() for place in self._biases]
            for tensors in (self.masters, self.first_moments, self.second_moments)
        )
        self._fused([masters, first, second], gradients, self._biases, lr)
        if self.rounded:
            for place, master in zip(self._biases, masters, strict=True):
                self.parameters[place].copy_(master)

    def _fused(
        self, blocks: list[list[torch.Tensor]], gradients: list[torch.Tensor], places: list[int], lr: float
    ) -> None:
        masters, first, second = blocks
        torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage]
            masters,
            gradients,
            first,
            second,
            [],
            [self.counters[place] for place in places],
            amsgrad=False,
            lr=lr,
            beta1=self.adam.beta1,
            beta2=self.adam.beta2,
            weight_decay=0.0,
            eps=self.adam.epsilon,
            maximize=False,
        )

    @torch.no_grad()
    def adopt(self, parameter: torch.Tensor, index: tuple[slice | torch.Tensor, ...]) -> None:
        """Copies a change to `index` of one parameter into its master; the moments stay."""
        if self.rounded:
            self.masters[self.place(parameter)][index] = parameter[index].float()

    @torch.no_grad()
    def reset_moments(self, parameter: torch.Tensor, index: tuple[slice | torch.Tensor, ...]) -> None:
        """Sets both moments to zero at `index` of one parameter; the step counter stays."""
        place = self.place(parameter)
        self.first_moments[place][index] = 0
        self.second_moments[place][index] = 0

    def place(self, parameter: torch.Tensor) -> int:
        """The parameter's index."""
        return next(place for place, each in enumerate(self.parameters) if each is parameter)

    def state(self) -> dict[str, torch.Tensor]:
        """Moments, counters and masters, by the parameter's index."""
        kinds = {"first": self.first_moments, "second": self.second_moments, "step": self.counters}
        if self.rounded:
            kinds["master"] = [*self.masters]
        return {f"{kind}.{place}": each for kind, tensors in kinds.items() for place, each in enumerate(tensors)}

    @torch.no_grad()
    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Restores the state of an optimiser of the same shape."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
