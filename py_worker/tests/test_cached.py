"""Users' files of activations: read, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dictlearn_worker.buffer.cached import open_cached
from dictlearn_worker.errors import WorkerError


def opened(path: Path, **tensors: torch.Tensor):
    save_file(tensors, path / "rows.safetensors")
    return open_cached(path / "rows.safetensors", 4, torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float64"])
def test_every_kind_of_float_is_read(tmp_path: Path, name: str) -> None:
    # Numbers that two mantissa bits can hold.
    rows = torch.tensor([-6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0]).view(6, 2)
    found = opened(tmp_path, inputs=rows.to(getattr(torch, name)), targets=(-rows).to(getattr(torch, name)))
    assert found.targets is not None
    assert torch.equal(found.inputs, rows)
    assert torch.equal(found.targets, -rows)


def test_what_is_not_finite_is_found_in_eight_bits_too(tmp_path: Path) -> None:
    rows = torch.ones(6, 2)
    rows[5, 1] = torch.nan
    with pytest.raises(WorkerError, match="first in inputs, batch 1, row 1"):
        opened(tmp_path, inputs=rows.to(torch.float8_e5m2))


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (torch.zeros(0, 3), "holds no rows"),
        (torch.zeros(3, 0, 3), "holds no rows"),
        (torch.zeros(0, 2, 3), "holds no rows"),
        (torch.zeros(4, 0), "its rows have no values"),
        (torch.zeros(4, 2, dtype=torch.complex64), "inputs is complex64, and activations are real numbers"),
        (torch.zeros(4, 2, dtype=torch.bool), "inputs is bool, and activations are real numbers"),
    ],
)
def test_what_holds_no_activations_is_said(tmp_path: Path, inputs: torch.Tensor, says: str) -> None:
    with pytest.raises(WorkerError, match=rf"rows\.safetensors cannot be used as activations: .*{says}") as caught:
        opened(tmp_path, inputs=inputs)
    assert caught.value.code == "activations"


def test_a_kind_of_number_that_is_not_known_is_said(tmp_path: Path) -> None:
    header = b'{"inputs":{"dtype":"F4","shape":[2,2],"data_offsets":[0,2]}}'
    path = tmp_path / "rows.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(WorkerError, match="cannot be used as activations"):
        open_cached(path, 4, torch.float32, torch.device("cpu"))
