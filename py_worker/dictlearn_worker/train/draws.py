"""Drawing rows in proportion to weights."""

from __future__ import annotations

from collections.abc import Callable

import torch


def draw_with_replacement(weights: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """`count` row numbers in proportion to `weights` (n) on the CPU; none when all weights are 0."""
    if not bool((weights > 0).any()):
        return torch.empty(0, dtype=torch.int64)
    return torch.multinomial(weights, count, replacement=True, generator=generator)


def draw_distinct(
    weights: torch.Tensor,
    count: int,
    generator: torch.Generator,
    directions: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Up to `count` row numbers in proportion to `weights` (n), without replacement, no two of one direction.

    Rows can be equal without being the same row: a model writes the same at the first token of all contexts that begin
    alike. `directions` gives (k, d) for k row numbers.

    The draw is by exponential races, whose k largest w / E, with E ~ Exp(1), are a draw without replacement, with no
    limit on n (Efraimidis and Spirakis 2006).
    """
    possible = int((weights > 0).sum())
    # In logarithms, where squares of squares neither overflow nor vanish.
    noise = torch.empty(len(weights), dtype=torch.float64).exponential_(generator=generator)
    order = (weights.double().log() - noise.log()).topk(possible).indices
    taken = min(count, possible)
    while True:
        chosen = order[:taken]
        chosen = chosen[first_of_each(directions(chosen))]
        if len(chosen) >= count or taken == possible:
            return chosen[:count]
        taken = min(2 * taken, possible)


def first_of_each(rows: torch.Tensor) -> torch.Tensor:
    """Positions of the rows (k, d) that no earlier row equals, ascending, on the CPU."""
    if len(rows) == 0:
        return torch.empty(0, dtype=torch.int64)
    unique, group = torch.unique(rows.cpu(), dim=0, return_inverse=True)
    first = torch.full((len(unique),), len(rows), dtype=torch.int64)
    return first.scatter_reduce(0, group, torch.arange(len(rows)), "amin").sort().values
