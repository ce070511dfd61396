"""Failures that the worker reports on purpose, with a code that TypeScript turns into a typed error."""

from __future__ import annotations

from typing import Any


class WorkerError(Exception):
    """One sentence for people (`message`), one sentence on what to do (`hint`), and a stable `code` for programs."""

    def __init__(self, code: str, message: str, *, hint: str | None = None, **data: Any) -> None:
        """`data` must be msgpack-encodable; it is sent to TypeScript with the message."""
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.data = data


class Cancelled(WorkerError):
    """The caller cancelled the running call."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The call was cancelled.")
