"""`ae.pt`: a plain PyTorch state_dict, written so that it is either whole or not there."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
import zipfile
from pathlib import Path

import torch

from ..errors import WorkerError
from .standard import AutoEncoder

KEYS = ("bias", "encoder.weight", "encoder.bias", "decoder.weight")


def save(dictionary: AutoEncoder, path: Path) -> int:
    """Writes the weights to `path`, atomically; returns the bytes. Raises `non_finite_weights` or `cannot_write`."""
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in dictionary.state_dict().items()}
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise WorkerError(
                "non_finite_weights",
                f"{path.name} was not written, because {key} holds values that are not finite.",
                hint="Lower train.lr, and look at the rows that were trained on.",
            )
    # Saved to memory first: the archive's inner name, and so its bytes, then do not depend on the path.
    data = io.BytesIO()
    torch.save(state, data)
    write_atomically(path, data.getbuffer())
    return data.tell()


def write_atomically(path: Path, data: memoryview) -> None:
    """Temporary name in the same folder, fsync, rename, fsync of the folder."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~current_umask())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise WorkerError("cannot_write", f"{path} could not be written: {reason}.") from error


def current_umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(path: Path, dtype: torch.dtype | None, device: torch.device) -> AutoEncoder:
    """Reads an `ae.pt` without running any code in it. Raises `no_such_file` or `not_a_dictionary`."""
    if not path.is_file():
        raise WorkerError("no_such_file", f"There is no file {path}.", hint="Name the ae.pt of a trained dictionary.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, zipfile.BadZipFile, ValueError) as error:
        raise not_a_dictionary(path, "it is not a PyTorch file of plain tensors") from error
    if not isinstance(state, dict) or not set(KEYS) <= set(state) <= {*KEYS, "input_bias"}:
        found = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise not_a_dictionary(path, f"it holds {found}, instead of {', '.join(KEYS)}")
    output_width, size = state["decoder.weight"].shape
    input_width = state["encoder.weight"].shape[1]
    dictionary = AutoEncoder(input_width, output_width, size, dtype or state["bias"].dtype)
    try:
        dictionary.load_state_dict(state)
    except RuntimeError as error:
        raise not_a_dictionary(path, "the shapes of its tensors do not fit each other") from error
    return dictionary.to(device)


def not_a_dictionary(path: Path, reason: str) -> WorkerError:
    """One sentence that says why a file cannot be loaded."""
    return WorkerError("not_a_dictionary", f"{path} is not a dictionary: {reason}.")
