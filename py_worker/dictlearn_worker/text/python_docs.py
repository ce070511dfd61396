"""Python's own documentation: text that is there wherever Python is."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

# Shorter docstrings say little; folders of tests and vendored code say nothing of Python.
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


def documents() -> list[str]:
    """The language reference's topics and the standard library's docstrings, in an order that mixes both."""
    from pydoc_data.topics import topics

    found = {f"topic {name}": text for name, text in topics.items()}
    library = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(library.rglob("*.py")):
        parts = file.relative_to(library).parts
        if not LEFT_OUT.intersection(parts):
            found |= {f"{'/'.join(parts)} {name}": text for name, text in docstrings(file)}
    long_enough = [(name, text) for name, text in found.items() if len(text) >= SHORTEST]
    long_enough.sort(key=lambda item: hashlib.sha256(item[0].encode()).digest())
    return [text for _, text in long_enough]


def docstrings(file: Path) -> Iterator[tuple[str, str]]:
    """Name and docstring of a module and everything defined in it; nothing is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                place = "" if isinstance(node, ast.Module) else f"{node.name} {node.lineno}"
                yield place, text
