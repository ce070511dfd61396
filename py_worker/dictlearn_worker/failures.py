"""The one place that turns exceptions into messages."""

from __future__ import annotations

import traceback
from typing import Any

import torch

from .errors import Cancelled, WorkerError


def code_of(error: Exception) -> str:
    """The failure's code; `defect` for an exception that was not raised on purpose."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "not enough memory" in str(error):
        return "out_of_memory"
    if isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error):
        # The data on the device is lost, and this process can no longer use the device.
        return "device_failed"
    return error.code if isinstance(error, WorkerError) else "defect"


def describe(error: Exception) -> dict[str, Any]:
    """The wire form of a failure: code, type, message, hint, traceback and data."""
    known = isinstance(error, WorkerError)
    code = code_of(error)
    quiet = isinstance(error, Cancelled) or code == "skipped"
    return {
        "code": code,
        "type": type(error).__name__,
        "message": printable(str(error) or type(error).__name__),
        "hint": error.hint if isinstance(error, WorkerError) else None,
        "traceback": None if quiet else printable("".join(traceback.format_exception(error))),
        "data": error.data if known and isinstance(error, WorkerError) else {},
    }


def printable(text: str) -> str:
    """The text as msgpack can encode it: a file name may hold bytes that are not valid UTF-8."""
    return text.encode(errors="replace").decode()
