"""The data channel: one request at a time, on the thread that owns torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from . import operations  # noqa: F401  registers every operation
from .channel import connect
from .control import DAMAGED, Control, Request
from .errors import WorkerError
from .failures import describe
from .objects import Objects
from .protocol import DATA_METHODS, ENVELOPE_VERSION
from .registry import HANDLERS, Context

POLL_MILLISECONDS = 250


class Server:
    """Decodes, checks, runs and answers. Whatever happens inside an operation, the caller gets an answer."""

    def __init__(self, socket: zmq.Socket[bytes], control: Control) -> None:
        self.socket = socket
        self.control = control
        self.objects = Objects()
        # Windows in which a call failed: requests sent after the failed one must not run.
        self.failed_windows: set[int] = set()
        self.encoder = msgspec.msgpack.Encoder()
        self.requests = msgspec.msgpack.Decoder(Request)
        self.params = {name: msgspec.msgpack.Decoder(types[0]) for name, types in DATA_METHODS.items()}
        # Further sockets, each with the handler of its messages.
        self.doors: dict[zmq.Socket[bytes], Callable[[str], None]] = {}
        self.poller = zmq.Poller()
        self.poller.register(socket, zmq.POLLIN)

    def turn(self) -> None:
        """Waits a moment for messages, and handles one from each socket that has any."""
        for ready, _ in self.poller.poll(POLL_MILLISECONDS):
            if ready is self.socket:
                self.handle(self.socket.recv_multipart(copy=False))
            else:
                self.control.busy = "bridge"
                try:
                    self.doors[ready](ready.recv().decode(errors="replace"))
                finally:
                    self.control.busy = None

    def listen(
        self, endpoint: str, receive: Callable[[str], None]
    ) -> tuple[Callable[[bytes], None], Callable[[], None]]:
        """Connects one more socket, whose messages go to `receive`; returns how to send, and how to wait for more."""
        socket = connect(endpoint)
        self.doors[socket] = receive
        self.poller.register(socket, zmq.POLLIN)

        def wait() -> None:
            if self.control.stopping.is_set():
                raise WorkerError("cancelled", "The worker is being closed.")
            self.turn()

        return socket.send, wait

    def close(self) -> None:
        """Closes every socket."""
        for socket in (self.socket, *self.doors):
            socket.close()

    def handle(self, frames: list[zmq.Frame]) -> None:
        """Answers one message; a frame that is not a request is dropped, since there is nobody to answer."""
        try:
            request = self.requests.decode(frames[0].buffer)
        except DAMAGED:
            return
        self.control.busy = request.method
        try:
            result, reply_frames = self._run(request, [frame.buffer for frame in frames[1:]])
            envelope = {"v": ENVELOPE_VERSION, "id": request.id, "ok": result}
            self.socket.send_multipart([self.encoder.encode(envelope), *reply_frames], copy=not reply_frames)
        except Exception as error:
            if request.window is not None:
                self.failed_windows.add(request.window)
            self._send({"v": ENVELOPE_VERSION, "id": request.id, "error": describe(error)})
        finally:
            self.control.busy = None
            self.control.cancelled.discard(request.id)

    def _run(self, request: Request, frames: list[memoryview]) -> tuple[Any, list[Any]]:
        if request.v != ENVELOPE_VERSION:
            raise WorkerError(
                "protocol_mismatch", f"The message has envelope version {request.v}, this worker {ENVELOPE_VERSION}."
            )
        handler = HANDLERS.get(request.method)
        if handler is None:
            raise WorkerError("unknown_method", f"The worker has no method {request.method!r}.")
        if request.window is not None and request.window in self.failed_windows:
            raise WorkerError("skipped", "An earlier call of the same window failed, so this one was not run.")
        try:
            params = self.params[request.method].decode(request.params)
        except DAMAGED as error:
            raise WorkerError("bad_params", f"{request.method}: {error}") from None
        context = Context(
            objects=self.objects,
            frames=frames,
            report=lambda event: self._send({"v": ENVELOPE_VERSION, "id": request.id, "event": event}),
            is_cancelled=lambda: request.id in self.control.cancelled,
            listen=self.listen,
        )
        context.check_cancelled()
        return handler(context, params), context.reply_frames

    def _send(self, envelope: dict[str, Any]) -> None:
        self.socket.send(self.encoder.encode(envelope))


def serve(endpoint: str, control: Control) -> None:
    """Runs until the control channel asks it to stop."""
    server = Server(connect(endpoint), control)
    while not control.stopping.is_set():
        server.turn()
    server.close()
