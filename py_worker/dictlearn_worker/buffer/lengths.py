"""Groups contexts of similar length into passes, so that the model spends little work on padding."""

from __future__ import annotations

import numpy as np
import torch

# The overhead of one more pass, in positions. On a GPU a short pass is nearly as long as a longer one.
# A constant, never measured in a run: which contexts are computed together decides the last bits of their rows.
PASS = {"cpu": 256, "cuda": 16_384}
# The most positions of one pass: more need memory for the model's intermediate values, and are no faster each.
# See docs/log.md.
MOST = {"cpu": 4096, "cuda": 2**18}

# Indices of contexts, in order, and the number of positions that are read.
Pass = tuple[torch.Tensor, int]


def cut_to_size(passes: list[Pass], device: torch.device) -> list[Pass]:
    """The same contexts in passes of at most `MOST` positions, or of one context."""
    most = MOST.get(device.type, MOST["cuda"])
    cut: list[Pass] = []
    for contexts, length in passes:
        parts = -(-len(contexts) // max(1, most // length))
        cut += [(part, length) for part in contexts.tensor_split(parts)]
    return cut


def by_length(mask: torch.Tensor | None, device: torch.device) -> list[Pass]:
    """Splits a batch into passes of contexts of similar length.

    mask (contexts, positions): 1 where a position is read, 0 at padding after it. None, or no such padding: one pass.
    """
    if mask is None:
        return []
    lengths = mask.sum(dim=1).numpy()
    sizes, counts = np.unique(lengths, return_counts=True)
    passes, shorter = [], 0
    for longest in cheapest_cuts(sizes, counts, PASS.get(device.type, PASS["cuda"])):
        contexts = torch.from_numpy(np.flatnonzero((lengths > shorter) & (lengths <= longest)))
        passes.append((contexts, longest))
        shorter = longest
    return passes


def cheapest_cuts(sizes: np.ndarray, counts: np.ndarray, cost: int) -> list[int]:
    """The longest context of each pass, ascending, such that positions + `cost` for each pass are fewest.

    sizes: distinct lengths above 0, ascending; counts: how many contexts have each.
    """
    behind = np.concatenate([[0], np.cumsum(counts)])
    # best[k]: the cost of the k shortest lengths; start[k]: where the pass that ends with the k-th of them begins.
    best, start = np.zeros(len(sizes) + 1, dtype=np.int64), np.zeros(len(sizes) + 1, dtype=np.int64)
    for k in range(1, len(sizes) + 1):
        costs = best[:k] + (behind[k] - behind[:k]) * sizes[k - 1] + cost
        start[k] = costs.argmin()
        best[k] = costs[start[k]]
    cuts, k = [], len(sizes)
    while k > 0:
        cuts.append(int(sizes[k - 1]))
        k = int(start[k])
    return cuts[::-1]
