"""Active pairs: the (row, feature) places of a batch at which a feature is not zero, and sums over them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import embedding_bag

# Numbers below this are sorted by numpy's radix sort, in two passes over their bytes.
RADIX_LIMIT = 2**16

# Here a sparse matrix only lists places.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")


@dataclass
class Pairs:
    """P pairs, feature by feature, and within a feature row by row. All on the CPU.

    rows, features (P): integers; values (P): the features' values there; starts (m + 1): where each feature's
    pairs begin, and P.
    """

    rows: torch.Tensor
    features: torch.Tensor
    values: torch.Tensor
    starts: torch.Tensor

    @classmethod
    def of(cls, places: torch.Tensor, values: torch.Tensor, size: int, batch: int) -> Pairs:
        """For m = `size` features and B = `batch` rows: flat indices into (m, B), ascending, and their values."""
        features = places // batch
        starts = torch.searchsorted(features, torch.arange(size + 1))
        return cls(places - features * batch, features, values, starts)

    def fired(self) -> torch.Tensor:
        """Mask (m) of the features that have a pair."""
        return self.starts[1:] > self.starts[:-1]

    def decode(self, weight: torch.Tensor, batch: int) -> torch.Tensor:
        """Sum over the pairs of each row of value * weight[feature]. weight: (m, d), result: (B, d)."""
        order = stable_order(self.rows, batch)
        starts = np.concatenate([[0], np.bincount(self.rows.numpy(), minlength=batch).cumsum()])
        return embedding_bag(
            self.features.index_select(0, order),
            weight,
            torch.from_numpy(starts),
            mode="sum",
            per_sample_weights=self.values.index_select(0, order),
            include_last_offset=True,
        )

    def of_features(self, start: int, end: int) -> Block:
        """The pairs of the features from `start` up to `end`."""
        first, last = int(self.starts[start]), int(self.starts[end])
        where = slice(first, last)
        starts = self.starts[start : end + 1] - first
        return Block(self.rows[where], self.features[where] - start, self.values[where], starts)


@dataclass
class Block:
    """The pairs of consecutive features, numbered from 0. C is the number of features, P that of pairs."""

    rows: torch.Tensor
    features: torch.Tensor
    values: torch.Tensor
    starts: torch.Tensor

    def products(self, by_feature: torch.Tensor, by_row: torch.Tensor) -> torch.Tensor:
        """by_feature[feature] . by_row[row] of each pair (P). by_feature: (C, d), by_row: (B, d)."""
        places = torch.sparse_csr_tensor(
            self.starts, self.rows, self.values, (len(by_feature), len(by_row)), check_invariants=False
        )
        return torch.sparse.sampled_addmm(places, by_feature, by_row.T, beta=0).values()

    def sum_rows(self, weights: torch.Tensor, by_row: torch.Tensor) -> torch.Tensor:
        """Sum over the pairs of each feature of weight * by_row[row]. weights: (P), by_row: (B, d), result: (C, d)."""
        return embedding_bag(
            self.rows, by_row, self.starts, mode="sum", per_sample_weights=weights, include_last_offset=True
        )

    def sums(self, weights: torch.Tensor) -> torch.Tensor:
        """Sum over the pairs of each feature of `weights` (P); (C)."""
        return torch.segment_reduce(weights, "sum", offsets=self.starts, unsafe=True, initial=0)


def stable_order(numbers: torch.Tensor, limit: int) -> torch.Tensor:
    """The stable order (P) that sorts `numbers` (P), all below `limit`."""
    if limit > RADIX_LIMIT:
        return torch.argsort(numbers, stable=True)
    return torch.from_numpy(np.argsort(numbers.numpy().astype(np.uint16), kind="stable"))
