"""Memory that every step writes anew: taken once, so that no step waits for the system to hand out cleared pages."""

from __future__ import annotations

import math
from typing import ClassVar
from weakref import WeakValueDictionary

import torch


class Scratch:
    """One growing piece of memory, shared by all who ask for the same device, freed with the last of them."""

    _shared: ClassVar[WeakValueDictionary[torch.device, Scratch]] = WeakValueDictionary()

    def __init__(self, device: torch.device) -> None:
        """Takes no memory yet."""
        self._bytes = torch.empty(0, device=device, dtype=torch.uint8)

    @classmethod
    def shared(cls, device: torch.device) -> Scratch:
        """The one of this device."""
        found = cls._shared.get(device)
        if found is None:
            found = cls._shared[device] = cls(device)
        return found

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A tensor of this shape whose values are whatever was there. It is overwritten after the next call."""
        size = math.prod(shape) * dtype.itemsize
        if self._bytes.numel() < size:
            # Freed first: the old and the new one together could be too much.
            self._bytes = self._bytes.new_empty(0)
            self._bytes = self._bytes.new_empty(size)
        return self._bytes[:size].view(dtype).view(shape)
