"""One dictionary in training: the dictionary, its optimiser, and when each feature last fired."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from ..dictionary.standard import AutoEncoder
from ..protocol import Adam, StepNumbers
from .adam import ConstrainedAdam
from .analytic import AnalyticStep
from .loss import reconstruction_term, sparsity_term
from .products import threads_for

NEVER = -1


class Trainee:
    """`last_fired` (m) holds the step at which each feature was last non-zero on some row, or -1."""

    def __init__(self, dictionary: AutoEncoder, adam: Adam) -> None:
        """The optimiser's constants are fixed; its rate comes with every step."""
        if adam.fused:
            dictionary.lay_out_by_feature()
        self.dictionary = dictionary
        self.optimiser = ConstrainedAdam(dictionary, adam)
        self.analytic = AnalyticStep(dictionary, self.optimiser) if adam.fused else None
        self.last_fired = torch.full((dictionary.size,), NEVER, dtype=torch.int64, device=dictionary.device)

    def step(self, x: torch.Tensor, y: torch.Tensor, numbers: StepNumbers, offset: int) -> torch.Tensor:
        """One step on inputs x (rows, d_in) and targets y (rows, d_out); returns the loss, on the device."""
        if self.analytic is None:
            loss, fired = self._step_as_the_reference(x, y, numbers, offset)
        else:
            with threads_for(len(x) * self.dictionary.encoder.weight.numel()):
                loss, encoded = self.analytic.take(x, y, numbers, offset)
            fired = encoded.fired
        if numbers.fired == "updated":
            with torch.no_grad(), self.precision(numbers.autocast):
                fired = (self.dictionary.encode(x) != 0).any(dim=0)
        self.last_fired.masked_fill_(fired, numbers.first_step + offset)
        return loss.to(self.dictionary.dtype)

    def _step_as_the_reference(
        self, x: torch.Tensor, y: torch.Tensor, numbers: StepNumbers, offset: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """By autograd, with the operations of dictionary_learning ddac948, so bit for bit the same."""
        dictionary = self.dictionary
        self.optimiser.clear_gradients()
        with self.precision(numbers.autocast):
            f = dictionary.encode(x)
            y_hat = dictionary.decode(f)
        f, y_hat = f.to(dictionary.dtype), y_hat.to(dictionary.dtype)
        penalty = numbers.sparsity_penalty[offset]
        loss = reconstruction_term(y, y_hat, numbers.loss) + penalty * sparsity_term(f, numbers.loss)
        loss.backward()
        self.optimiser.step(numbers.lr[offset])
        self.optimiser.clear_gradients()
        return loss.detach(), (f.detach() != 0).any(dim=0)

    def precision(self, autocast: str | None) -> AbstractContextManager[object]:
        """Under `autocast` the products, and those of their gradients, round their factors to that dtype.

        The weights, the loss and the optimiser keep the dictionary's dtype. Without it nothing changes.
        """
        if autocast is None:
            return nullcontext()
        return torch.autocast(self.dictionary.device.type, dtype=getattr(torch, autocast))

    def dead(self, since: int) -> torch.Tensor:
        """Mask (m) of the features that have not fired at step `since` or later."""
        return self.last_fired < since

    def state(self) -> dict[str, torch.Tensor]:
        """Weights, moments, step counters, and when each feature last fired."""
        state = {f"dictionary.{name}": value for name, value in self.dictionary.state_dict().items()}
        state |= {f"optimiser.{name}": value for name, value in self.optimiser.state().items()}
        return state | {"last_fired": self.last_fired}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Restores the state of a trainee of the same shape."""
        self.dictionary.load_state_dict(beneath(state, "dictionary"))
        self.optimiser.restore(beneath(state, "optimiser"))
        self.last_fired.copy_(state["last_fired"])


def beneath(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The entries whose names begin with `prefix` and a dot, without them."""
    return {name.removeprefix(f"{prefix}."): value for name, value in state.items() if name.startswith(f"{prefix}.")}
