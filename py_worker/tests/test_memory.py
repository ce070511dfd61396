"""Memory: training needs little more than weights, moments and one batch's features, in every operation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WIDTH, SIZE, ROWS = 128, 32_768, 512
FEATURES = 4 * ROWS * SIZE
# Weights and both moments, which a copied state would hold a second time.
TRAINEE = 3 * 4 * SIZE * (2 * WIDTH + 1)
# Blocks of a step, the decoder in a checkpoint's order, and heap fragmentation; 30 MiB were measured.
ALLOWED = 64 * 2**20
PROGRAM = Path(__file__).with_name("training_memory.py")


@pytest.mark.parametrize(("bias", "sparse"), [(0.0, False), (-1.5, True)])
def test_beside_the_features_of_a_batch_little_is_held(tmp_path, bias, sparse) -> None:
    """Over a dense or a sparse step, a state, metrics and a checkpoint."""
    arguments = [str(each) for each in (WIDTH, SIZE, ROWS, bias, tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(PROGRAM.parent.parent)}
    done = subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    taken, was_sparse = done.stdout.split()
    assert was_sparse == str(sparse)
    assert int(taken) <= FEATURES + ALLOWED < FEATURES + TRAINEE
