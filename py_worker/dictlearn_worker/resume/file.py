"""The file of a resume state: plain tensors, written so that it is either whole or not there."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..dictionary.files import sync_folder
from ..errors import WorkerError

WRITER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")


@dataclass(frozen=True)
class Written:
    """Size and hash of a file that is on the disk."""

    bytes: int
    sha256: str


@dataclass
class Write:
    """A file that is being written on another thread."""

    outcome: Future[Written]


def write_behind(path: Path, tensors: dict[str, torch.Tensor]) -> Write:
    """Copies the tensors now and writes the copies on a thread of its own, while training goes on."""
    # Empty ones are filled, because a copy would keep the order of a transposed tensor's memory, which a file cannot.
    copies = {name: torch.empty(each.shape, dtype=each.dtype).copy_(each.detach()) for name, each in tensors.items()}
    return Write(WRITER.submit(write, path, copies))


def write(path: Path, tensors: dict[str, torch.Tensor]) -> Written:
    """Temporary name in the same folder, fsync, rename, fsync of the folder. Raises `cannot_write`."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
        with temporary.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        size = temporary.stat().st_size
        temporary.replace(path)
        sync_folder(path.parent)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        reason = (getattr(error, "strerror", None) or str(error)).lower().rstrip(".")
        raise WorkerError("cannot_write", f"{path} could not be written: {reason}.") from error
    return Written(size, digest)


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors, on the CPU. Raises `damaged_state`."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WorkerError("damaged_state", f"{path} is damaged: {error}.") from error
