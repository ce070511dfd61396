"""The golden data, and the reference's schedule as a plain driver of the operations under test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from dictlearn_worker import protocol as p
from dictlearn_worker.buffer.source import Source

FOLDER = Path(__file__).parents[2] / "test/fixtures/golden"


def case(kind: str, name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A golden case: its JSON and its tensors."""
    settings = json.loads((FOLDER / kind / f"{name}.json").read_text(encoding="utf-8"))
    return settings, load_file(FOLDER / kind / f"{name}.safetensors")


class Batches(Source):
    """Batches in memory, served in order."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor | None) -> None:
        self.inputs = inputs
        self.targets = targets
        self.position = -1

    def draw(self, rows: int) -> None:
        self.position += 1
        assert rows == len(self.inputs[self.position])

    def batch(self, site: int) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = self.inputs[self.position]
        return inputs, inputs if self.targets is None else self.targets[self.position]

    def held(self) -> int:
        return self.inputs.shape[0] * self.inputs.shape[1]

    def take(self, site: int, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = self.inputs.flatten(0, 1)
        targets = inputs if self.targets is None else self.targets.flatten(0, 1)
        return inputs[numbers], targets[numbers]


# How dictionary_learning ddac948 resamples.
REFERENCE_RESAMPLING = p.Resampling(
    among="batch",
    rows=0,
    chunk_rows=0,
    probability="error-norm",
    replacement=True,
    encoder="mean-alive",
    renormalize="all",
    moments="encoder",
    all_dead="stop",
)
