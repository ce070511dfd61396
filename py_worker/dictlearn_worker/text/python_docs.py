"""Python's own documentation: text that every Python installation has."""

from __future__ import annotations

import ast
import contextlib
import gc
import hashlib
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..disk import write_atomically
from ..errors import WorkerError

# Shorter docstrings hold little text; folders of tests and vendored code do not document Python.
SHORTEST = 200
LEFT_OUT = {
    "test",
    "tests",
    "idlelib",
    "site-packages",
    "dist-packages",
    "lib2to3",
    "ensurepip",
    "turtledemo",
    "__pycache__",
    "pydoc_data",
}
# Increase it when the same files give other documents: cached documents are then created again.
EDITION = 1
# The parts of a statement that hold other statements. Expressions contain no definitions.
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def documents(cache: Path | None = None) -> list[str]:
    """The language reference's topics and the standard library's docstrings, in an order that mixes both.

    Parsing the library takes seconds, so the documents are cached as long as the library's files keep their sizes and
    times. Without a cache, or if it cannot be written, the library is parsed each time.
    """
    library = Path(sysconfig.get_paths()["stdlib"])
    files = source_files(library)
    kept = None if cache is None else cache / "text" / f"python-docs-{identity(library, files)}.json"
    if kept is not None:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(kept.read_bytes(), type=list[str])
    found = parsed(library, files)
    if kept is not None:
        with contextlib.suppress(OSError, WorkerError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, lambda file: file.write(msgspec.json.encode(found)))
    return found


def source_files(library: Path) -> list[Path]:
    """The library's modules, sorted."""
    found = []
    for folder, folders, names in os.walk(library):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    return sorted(found)


def identity(library: Path, files: list[Path]) -> str:
    """A hash of everything that determines the documents: this Python, and every file's path, size and time."""
    hashed = hashlib.sha256(f"{EDITION} {SHORTEST} {sys.version} {library}".encode())
    for file in (*files, library / "pydoc_data" / "topics.py"):
        with contextlib.suppress(OSError):
            facts = file.stat()
            hashed.update(f"\n{facts.st_size} {facts.st_mtime_ns} {file}".encode(errors="surrogateescape"))
    return hashed.hexdigest()[:16]


def parsed(library: Path, files: list[Path]) -> list[str]:
    """The documents, from the files."""
    from pydoc_data.topics import topics

    found = {f"topic {name}": text for name, text in topics.items()}
    with without_collector():
        for file in files:
            place = "/".join(file.relative_to(library).parts)
            found |= {f"{place} {name}": text for name, text in docstrings(file)}
    long_enough = [(name, text) for name, text in found.items() if len(text) >= SHORTEST]
    long_enough.sort(key=lambda item: hashlib.sha256(item[0].encode()).digest())
    return [text for _, text in long_enough]


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Pauses the garbage collector: syntax trees have no cycles, and searching them takes as long as parsing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def docstrings(file: Path) -> Iterator[tuple[str, str]]:
    """Name and docstring of a module and everything defined in it; nothing is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            return
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        for block in BLOCKS:
            left += getattr(node, block, ())
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                place = "" if isinstance(node, ast.Module) else f"{node.name} {node.lineno}"
                yield place, text
