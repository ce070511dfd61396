"""The files of a path: one list, used both to read them and to record a run's input."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import protocol as p
from .errors import WorkerError


class Found(NamedTuple):
    """A file. `name`: its path below the named folder, with slashes; empty if the file itself was named."""

    path: Path
    name: str

    @property
    def on_wire(self) -> p.FoundFile:
        """Its absolute path, links unresolved."""
        return p.FoundFile(name=self.name, path=os.path.abspath(self.path))


def found_below(root: Path) -> list[Found]:
    """Every file below a folder, sorted. Links are followed, to folders too; a link to a folder above it is left out.

    Raises `broken_file` for a folder that cannot be listed.
    """
    return [Found(file, file.relative_to(root).as_posix()) for file in sorted(files_below(root, ()))]


def files_below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """All entries below that are not folders, broken links included. `above`: real paths of the enclosing folders."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise unreadable(folder, error) from error
    for entry in entries:
        if entry.is_dir():
            yield from files_below(folder / entry.name, (*above, real))
        elif entry.is_file() or entry.is_symlink():
            yield folder / entry.name


def require_target(file: Path) -> None:
    """Raises `broken_file` for a broken link; a half-downloaded cache is full of them."""
    if not file.exists():
        raise WorkerError(
            "broken_file",
            f"{file} is a link to {os.path.realpath(file)}, which does not exist.",
            hint="Download the file again, or remove the link.",
        )


def model_files(name: str) -> list[Found]:
    """The files of a local model: the file, or the files directly in its folder except documentation.

    Empty for a hub id and a wheel.
    """
    root = Path(name).expanduser()
    if root.is_file():
        return [Found(root, "")]
    if not root.is_dir():
        return []
    entries = sorted(root.iterdir())
    wanted = [each for each in entries if each.is_file() and each.name[0] != "." and each.suffix != ".md"]
    return [Found(each, each.name) for each in wanted]


def unreadable(path: Path, error: OSError) -> WorkerError:
    """The failure for a file or folder that the system cannot open."""
    reason = (error.strerror or str(error)).lower().rstrip(".")
    return WorkerError("broken_file", f"{path} cannot be read: {reason}.", hint="Check the path and its permissions.")
