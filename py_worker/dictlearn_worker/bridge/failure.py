"""Exceptions of the user's own Python, as failures with a code."""

from __future__ import annotations

import traceback
from textwrap import shorten

from ..errors import WorkerError

# pythonia's own exceptions quote the repr of the object, which can be a large tensor.
WORDS = 300


def python_error(error: BaseException, snippet: str | None = None) -> WorkerError:
    """`python_error` with the exception's type and message, and its line in `snippet`, the file name of a snippet.

    A failure that already has a code is returned unchanged.
    """
    if isinstance(error, WorkerError):
        return error
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == snippet]
    if isinstance(error, SyntaxError) and error.filename == snippet:
        lines = [error.lineno]
    where = f" (line {lines[-1]} of the snippet)" if lines else ""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return WorkerError(
        "python_error", f"{module}{kind.__qualname__}: {shorten(words, WORDS)}{where}", type=kind.__name__
    )
