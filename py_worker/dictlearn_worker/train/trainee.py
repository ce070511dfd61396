"""One dictionary in training: the dictionary, its optimiser, and when each feature last fired."""

from __future__ import annotations

import torch

from ..dictionary.standard import AutoEncoder
from ..protocol import Adam, StepNumbers
from .adam import ConstrainedAdam
from .loss import reconstruction_term, sparsity_term

NEVER = -1


class Trainee:
    """`last_fired` (m) holds the step at which each feature was last non-zero on some row, or -1."""

    def __init__(self, dictionary: AutoEncoder, adam: Adam) -> None:
        """The optimiser's constants are fixed; its rate comes with every step."""
        self.dictionary = dictionary
        self.optimiser = ConstrainedAdam(dictionary, adam)
        self.last_fired = torch.full((dictionary.size,), NEVER, dtype=torch.int64, device=dictionary.device)

    def step(self, x: torch.Tensor, y: torch.Tensor, numbers: StepNumbers, offset: int) -> torch.Tensor:
        """One step on inputs x (rows, d_in) and targets y (rows, d_out); returns the loss, on the device."""
        dictionary = self.dictionary
        self.optimiser.clear_gradients()
        f = dictionary.encode(x)
        y_hat = dictionary.decode(f)
        penalty = numbers.sparsity_penalty[offset]
        loss = reconstruction_term(y, y_hat, numbers.loss) + penalty * sparsity_term(f, numbers.loss)
        loss.backward()
        self.optimiser.step(numbers.lr[offset])
        with torch.no_grad():
            fired = dictionary.encode(x) if numbers.fired == "updated" else f.detach()
            self.last_fired.masked_fill_((fired != 0).any(dim=0), numbers.first_step + offset)
        return loss.detach()

    def dead(self, since: int) -> torch.Tensor:
        """Mask (m) of the features that have not fired at step `since` or later."""
        return self.last_fired < since
