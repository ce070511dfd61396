"""Compares runs with the plain procedure's results: `compare.py FOLDER NAME OUTPUT [NAME OUTPUT ...]`, JSON out.

For each case: the largest relative difference (against the largest number of its tensor), whether all bits are equal,
and the steps whose checkpoints were compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file


def compare(expected: dict[str, torch.Tensor], output: Path) -> dict:
    """`ae.pt` with final.*, and every checkpoint with its counterpart."""
    paths = {f"checkpoints.{path.stem.removeprefix('ae_')}.": path for path in (output / "checkpoints").glob("ae_*.pt")}
    worst, same, seen = 0.0, True, set()
    for prefix, path in {"final.": output / "ae.pt", **paths}.items():
        for key, found in torch.load(path, weights_only=True).items():
            tensor = expected[prefix + key]
            seen.add(prefix + key)
            same = same and torch.equal(found, tensor)
            scale = float(tensor.abs().max()) or 1.0
            worst = max(worst, float((found - tensor).abs().max()) / scale)
    return {"worst": worst, "same": same, "complete": seen == set(expected)}


if __name__ == "__main__":
    folder, pairs = Path(sys.argv[1]), sys.argv[2:]
    results = {
        name: compare(load_file(folder / f"{name}.safetensors"), Path(output))
        for name, output in zip(pairs[::2], pairs[1::2], strict=True)
    }
    print(json.dumps(results))
