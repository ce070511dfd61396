"""Files of tensors, PyTorch's and safetensors: read without running code, written atomically."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from ..disk import write_atomically
from ..errors import WorkerError


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], container: str, metadata: dict[str, str]) -> int:
    """Writes tensors to `path`, atomically; returns the bytes. Raises `non_finite_weights` or `cannot_write`."""
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    for key, tensor in state.items():
        if not torch.isfinite(torch.stack(tensor.aminmax())).all():
            raise WorkerError(
                "non_finite_weights",
                f"{path.name} was not written, because {key} holds values that are not finite.",
                hint="Lower train.lr, and look at the rows that were trained on.",
            )
    if container == "safetensors":
        return write_atomically(path, lambda file: file.write(safetensors.torch.save(state, metadata or None)))
    # Through an open file, so that the archive's inner name, and with it the bytes, do not depend on the path.
    return write_atomically(path, lambda file: torch.save(state, file))


def read_tensors(path: Path, container: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a file by name, on the CPU, and the metadata of a safetensors file.

    Raises `no_such_file` or `not_a_dictionary`. No code in the file is run.
    """
    if not path.is_file():
        raise WorkerError("no_such_file", f"There is no file {path}.", hint="Name the ae.pt of a trained dictionary.")
    tensors, metadata = read_safetensors(path) if container == "safetensors" else (read_pt(path), {})
    return tensors, metadata


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise not_a_dictionary(path, "it is not a safetensors file") from error


def read_pt(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a state_dict."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise not_a_dictionary(path, "it may not be read") from error
    # In a truncated file torch seeks to before the beginning, which is an OSError.
    except (RuntimeError, pickle.UnpicklingError, EOFError, zipfile.BadZipFile, ValueError, KeyError, OSError) as error:
        raise not_a_dictionary(path, "it is not a whole PyTorch file of plain tensors") from error
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise not_a_dictionary(path, f"it holds a {type(state).__name__}, not tensors by name")
    for key, value in state.items():
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise not_a_dictionary(path, f"{key} in it is not a tensor")
    return dict(state)


def not_a_dictionary(path: Path, reason: str) -> WorkerError:
    """The failure that says why a file cannot be loaded."""
    return WorkerError("not_a_dictionary", f"{path} is not a dictionary: {reason}.")
