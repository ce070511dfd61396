"""The registry of operations by method name, and the context that each call gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from .errors import Cancelled, WorkerError
from .objects import Objects
from .protocol import DATA_METHODS, Progress, TensorFrame

if TYPE_CHECKING:
    import torch


# Connects to an endpoint and passes its messages to the second argument; returns functions to send and to wait.
Listen = Callable[[str, Callable[[str], None]], tuple[Callable[[bytes], None], Callable[[], None]]]


def _listen_nowhere(endpoint: str, receive: Callable[[str], None]) -> Any:
    raise WorkerError("no_sockets", f"Nothing can connect to {endpoint} here: this call came without a server.")


@dataclass
class Context:
    """One call: the object table, the raw frames that came with it, and the way to report back while it runs."""

    objects: Objects
    frames: list[memoryview] = field(default_factory=list)
    reply_frames: list[Any] = field(default_factory=list)
    report: Callable[[Progress], None] = lambda _: None
    is_cancelled: Callable[[], bool] = lambda: False
    listen: Listen = _listen_nowhere

    def progress(self, stage: str, done: int, total: int = 0) -> None:
        """Sends a progress event; `total` is 0 if unknown. The call can be cancelled here."""
        self.check_cancelled()
        self.report(Progress(stage=stage, done=done, total=total))

    def check_cancelled(self) -> None:
        """Raises `Cancelled` once the caller has requested it. Call it wherever a stop leaves nothing half done."""
        if self.is_cancelled():
            raise Cancelled

    def tensor(self, ref: TensorFrame) -> torch.Tensor:
        """The tensor in an incoming frame, as a writable copy on the CPU."""
        import torch

        if not 0 <= ref.frame < len(self.frames):
            raise WorkerError("bad_frame", f"The message names frame {ref.frame}, but brings {len(self.frames)}.")
        dtype = getattr(torch, ref.dtype)
        flat = torch.frombuffer(bytearray(self.frames[ref.frame]), dtype=dtype)
        return flat.reshape(ref.shape)

    def matrix(self, ref: TensorFrame, width: int) -> torch.Tensor:
        """An incoming tensor of shape (rows, width); any other shape is `width_mismatch`."""
        tensor = self.tensor(ref)
        if tensor.ndim != 2 or tensor.shape[1] != width:
            shape = " x ".join(map(str, tensor.shape))
            raise WorkerError("width_mismatch", f"A matrix of rows of width {width} is needed here, not {shape}.")
        return tensor

    def attach(self, tensor: torch.Tensor) -> TensorFrame:
        """Sends `tensor` back as a raw frame (bfloat16 as float32)."""
        import torch

        if tensor.dtype not in (torch.float32, torch.float64, torch.int64):
            tensor = tensor.float()
        array = tensor.detach().cpu().contiguous().numpy()
        self.reply_frames.append(array.data if array.size else b"")
        return TensorFrame(
            frame=len(self.reply_frames) - 1,
            shape=list(array.shape),
            dtype=str(array.dtype),  # pyright: ignore[reportArgumentType]
        )


Params = TypeVar("Params", bound=msgspec.Struct)
Handler = Callable[[Context, Any], msgspec.Struct]

HANDLERS: dict[str, Handler] = {}


def method(name: str) -> Callable[[Handler], Handler]:
    """Registers an operation under its protocol name; a name missing from the protocol is a defect."""
    assert name in DATA_METHODS, f"{name} is not in the protocol"
    assert name not in HANDLERS, f"{name} is defined twice"

    def register(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return register
