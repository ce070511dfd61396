"""Atomic files: complete or absent, even after a crash."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .errors import WorkerError


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> int:
    """Temporary name in the same folder, fsync, rename, fsync of the folder; returns the bytes.

    Raises `cannot_write`.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            write(file)
            file.flush()
            size = file.tell()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~current_umask())
        put_in_place(temporary, path)
        return size
    except (OSError, RuntimeError) as error:
        # torch closes its archive even on a full disk, and that failure hides the cause.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise
        raise cannot_write(path, temporary, cause) from error


def make_folder(path: Path, hint: str) -> None:
    """Makes a folder and those above it. Raises `cannot_write`; `hint`: how the user names another place."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        reason = (error.strerror or str(error)).lower().rstrip(".")
        raise WorkerError("cannot_write", f"The folder {path} cannot be written: {reason}.", hint=hint) from error


def put_in_place(temporary: Path, path: Path) -> None:
    """Renames a synced file to its final name, so that it survives a power failure."""
    temporary.replace(path)
    sync_folder(path.parent)


def cannot_write(path: Path, temporary: Path | None, error: Exception) -> WorkerError:
    """Removes the partial file; returns the failure that says why."""
    if temporary is not None:
        temporary.unlink(missing_ok=True)
    reason = (getattr(error, "strerror", None) or str(error)).lower().rstrip(".")
    return WorkerError("cannot_write", f"{path} could not be written: {reason}.")


def sync_folder(path: Path) -> None:
    """Makes new names and renames in a folder survive a power failure."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def current_umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
