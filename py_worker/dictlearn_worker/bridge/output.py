"""Sends Python's printed output to the script while a bridge is in use."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

Name = Literal["stdout", "stderr"]
Send = Callable[[Name, str], None]


class Output(io.TextIOBase):
    """A standard stream that sends whole lines, and the rest when it is flushed.

    The socket belongs to one thread. Output of other threads goes to the previous stream.
    """

    def __init__(self, name: Name, before: Any, send: Send) -> None:
        self._name: Name = name
        self._before = before
        self._send = send
        self._thread = threading.get_ident()
        self._rest = ""

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Strings are sent unchanged."""
        return "utf-8"

    @property
    def buffer(self) -> Any:
        """For bytes, which are not sent: only text is."""
        return self._before.buffer

    def fileno(self) -> int:
        """The file descriptor of the previous stream."""
        return self._before.fileno()

    def writable(self) -> bool:
        """Always true."""
        return True

    def write(self, text: str, /) -> int:
        """Sends complete lines; a progress bar's carriage return ends one too."""
        if threading.get_ident() != self._thread:
            return self._before.write(text)
        self._rest += text
        end = max(self._rest.rfind("\n"), self._rest.rfind("\r")) + 1
        if end > 0:
            whole, self._rest = self._rest[:end], self._rest[end:]
            self._send(self._name, whole)
        return len(text)

    def flush(self) -> None:
        """Sends the rest."""
        if threading.get_ident() != self._thread:
            self._before.flush()
        elif self._rest:
            whole, self._rest = self._rest, ""
            self._send(self._name, whole)


@contextlib.contextmanager
def sent(send: Send) -> Iterator[None]:
    """Sends everything printed inside the block, warnings and log lines included."""
    out, err = Output("stdout", sys.stdout, send), Output("stderr", sys.stderr, send)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield
        finally:
            out.flush()
            err.flush()
