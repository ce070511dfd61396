"""Drawing rows in proportion to weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import torch

# How many rows have their directions compared at once.
ROWS_AT_ONCE = 4096


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
    """Up to `count` row numbers in proportion to `weights` (n), without replacement, no two with the same direction.

    Different rows can be equal: a model computes the same activations at the first token of all contexts that begin
    alike. `directions` gives (k, d) for k row numbers.

    The draw is by exponential races, whose k largest w / E, with E ~ Exp(1), are a draw without replacement, with no
    limit on n (Efraimidis and Spirakis 2006).
    """
    possible = int((weights > 0).sum())
    # In logarithms, because fourth powers can overflow or vanish.
    noise = torch.empty(len(weights), dtype=torch.float64).exponential_(generator=generator)
    order = (weights.double().log() - noise.log()).topk(possible).indices
    chosen: list[int] = []
    seen: set[bytes] = set()
    # In parts, keeping only the chosen rows. The first MLP may depend on one token alone: then nearly all of its rows
    # are visited before enough of them differ.
    for part in order.split(ROWS_AT_ONCE):
        for number, row in zip(part.tolist(), hashes(directions(part)), strict=True):
            if len(chosen) == count:
                return torch.tensor(chosen, dtype=torch.int64)
            if row not in seen:
                seen.add(row)
                chosen.append(number)
    return torch.tensor(chosen, dtype=torch.int64)


def hashes(rows: torch.Tensor) -> Iterator[bytes]:
    """A key for each row of (k, d); rows of equal numbers have equal keys, whatever the sign of their zeros."""
    for row in (rows.cpu() + 0.0).contiguous().view(torch.uint8).numpy():
        # The rows themselves would take as much memory as the decoder.
        yield hashlib.blake2b(row, digest_size=16).digest()
