"""How the process allocates memory, and returns unused memory to the system."""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
from collections.abc import Callable
from typing import ClassVar
from weakref import WeakValueDictionary

import torch

# As torch aligns what it allocates: the last bits of a product can depend on it.
ALIGNMENT = 64


def give_back() -> None:
    """Returns unused pages to the system, where the C library can.

    glibc keeps freed memory below 32 MB for the next call, and torch's temporaries fragment it, so that another
    operation's temporaries do not fit in. So this is called after rare, large operations, where it takes some
    milliseconds. After every step it would cost more than it saves: the next step has the same temporaries.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None


def upload(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The same on `device`. It reaches a GPU through pinned memory, so that nothing waits for the GPU."""
    if device.type != "cuda" or values.is_cuda:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


class Scratch:
    """Memory for temporaries, allocated once: no step waits for the system to provide cleared pages.

    One growing piece, shared by all users with the same use and device, freed with the last of them.
    """

    _shared: ClassVar[WeakValueDictionary[tuple[str, torch.device], Scratch]] = WeakValueDictionary()

    def __init__(self, device: torch.device) -> None:
        """Allocates nothing yet."""
        self._bytes = torch.empty(0, device=device, dtype=torch.uint8)

    @classmethod
    def free_all(cls) -> None:
        """Frees the memory until the next use, which costs cleared pages: for rare, large operations."""
        for scratch in list(cls._shared.values()):
            scratch._bytes = scratch._bytes.new_empty(0)

    @classmethod
    def shared(cls, use: str, device: torch.device) -> Scratch:
        """The shared memory for this use on this device."""
        found = cls._shared.get((use, device))
        if found is None:
            found = cls._shared[use, device] = cls(device)
        return found

    def take(self, dtype: torch.dtype, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
        """Uninitialised tensors of these shapes. They are overwritten after the next call."""
        sizes = [math.prod(shape) * dtype.itemsize for shape in shapes]
        starts = list(itertools.accumulate((-(-size // ALIGNMENT) * ALIGNMENT for size in sizes), initial=0))
        if self._bytes.numel() < starts[-1]:
            # Freed first: both pieces together could be too large.
            self._bytes = self._bytes.new_empty(0)
            self._bytes = self._bytes.new_empty(starts[-1])
        return [
            self._bytes[start : start + size].view(dtype).view(shape)
            for start, size, shape in zip(starts, sizes, shapes, strict=False)
        ]
