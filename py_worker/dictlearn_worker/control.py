"""The control channel: a thread that answers while torch is busy, and ends the process when its parent exits."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

import msgspec

from .channel import connect
from .protocol import ENVELOPE_VERSION, CancelParams

POLL_MILLISECONDS = 250
PR_SET_PDEATHSIG = 1
# What msgspec raises for bytes that are not a message: too deep a nesting is a RecursionError.
DAMAGED = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OverflowError)


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """A request on either channel, before its parameters are decoded."""

    v: int
    id: int
    method: str
    params: msgspec.Raw
    window: int | None = None


class Control(threading.Thread):
    """Owns the control socket. `cancelled` and `stopping` are read by the data thread; `busy` is written by it."""

    def __init__(self, endpoint: str, parent: int) -> None:
        super().__init__(name="control", daemon=True)
        self.endpoint = endpoint
        self.parent = parent
        self.cancelled: set[int] = set()
        self.stopping = threading.Event()
        self.busy: str | None = None
        if sys.platform == "linux":
            # The kernel's own guard works even while this process holds the interpreter lock for a long time.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def run(self) -> None:
        """Answers ping, cancel and shutdown; a malformed message is answered or dropped, never fatal."""
        socket = connect(self.endpoint)
        while not self.stopping.is_set():
            if os.getppid() != self.parent:
                os._exit(0)
            if not socket.poll(POLL_MILLISECONDS):
                continue
            reply = self._answer(socket.recv_multipart())
            if reply is not None:
                socket.send(reply)
        socket.close()

    def _answer(self, frames: list[bytes]) -> bytes | None:
        try:
            request = msgspec.msgpack.decode(frames[0], type=Request)
        except DAMAGED:
            return None
        answer: dict[str, object] = {}
        if request.method == "ping":
            answer = {"busy": self.busy}
        elif request.method == "cancel":
            try:
                self.cancelled.add(msgspec.msgpack.decode(request.params, type=CancelParams).id)
            except DAMAGED as error:
                return self._error(request.id, "bad_params", str(error))
        elif request.method == "shutdown":
            self.stopping.set()
        else:
            return self._error(request.id, "unknown_method", f"The control channel has no method {request.method!r}.")
        return msgspec.msgpack.encode({"v": ENVELOPE_VERSION, "id": request.id, "ok": answer})

    @staticmethod
    def _error(request_id: int, code: str, message: str) -> bytes:
        error = {"code": code, "type": "WorkerError", "message": message, "hint": None, "traceback": None, "data": {}}
        return msgspec.msgpack.encode({"v": ENVELOPE_VERSION, "id": request_id, "error": error})
