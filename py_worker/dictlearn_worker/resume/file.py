"""The file of a resume state: plain tensors, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..disk import cannot_write, put_in_place
from ..errors import WorkerError

WRITER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")
# The metadata entry with the names of the matrices that are written transposed.
ACROSS = "transposed"


@dataclass(frozen=True)
class Written:
    """Size and hash of a file that is on the disk."""

    bytes: int
    sha256: str


@dataclass
class Write:
    """A file that another thread is syncing to the disk."""

    outcome: Future[Written]


def write_behind(path: Path, tensors: dict[str, torch.Tensor]) -> Write:
    """Writes the tensors into the system's cache now; a separate thread waits for the disk while training continues.

    A copy in memory would take as long, and as much memory as all weights and moments.
    """
    temporary = write_temporary(path, tensors)
    return Write(WRITER.submit(make_durable, temporary, path))


def write(path: Path, tensors: dict[str, torch.Tensor]) -> Written:
    """Temporary name in the same folder, fsync, rename, fsync of the folder. Raises `cannot_write`."""
    return make_durable(write_temporary(path, tensors), path)


def write_temporary(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """Writes the file under a temporary name, which it returns. Raises `cannot_write`."""
    temporary = path.with_name(f".{path.name}.part")
    # Column-major tensors are written as they lie in memory: row-major would need a copy.
    across = {name for name, each in tensors.items() if each.ndim == 2 and not each.is_contiguous()}
    stored = {name: (each.T if name in across else each).contiguous() for name, each in tensors.items()}
    try:
        save_file(stored, temporary, {ACROSS: json.dumps(sorted(across))})
    except (OSError, SafetensorError) as error:
        raise cannot_write(path, temporary, error) from error
    return temporary


def make_durable(temporary: Path, path: Path) -> Written:
    """Waits for the disk, then renames the file. Raises `cannot_write`."""
    try:
        with temporary.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        size = temporary.stat().st_size
        put_in_place(temporary, path)
    except OSError as error:
        raise cannot_write(path, temporary, error) from error
    return Written(size, digest)


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors, on the CPU. Raises `damaged_state`."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            # Older states, always in row-major order, have no such list.
            across = json.loads((file.metadata() or {}).get(ACROSS, "[]"))
        return tensors | {name: tensors[name].T for name in across}
    except (OSError, SafetensorError, ValueError, LookupError, TypeError) as error:
        raise WorkerError("damaged_state", f"{path} is damaged: {error}.") from error
