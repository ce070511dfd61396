"""Memory that every step writes anew: taken once, so that no step waits for the system to hand out cleared pages."""

from __future__ import annotations

import math
from typing import ClassVar
from weakref import WeakValueDictionary

import torch


class Scratch:
    """One growing piece of memory, shared by all who ask for the same device and dtype, freed with the last of them."""

    _shared: ClassVar[WeakValueDictionary[tuple[torch.device, torch.dtype], Scratch]] = WeakValueDictionary()

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        """Takes no memory yet."""
        self._flat = torch.empty(0, device=device, dtype=dtype)

    @classmethod
    def shared(cls, device: torch.device, dtype: torch.dtype) -> Scratch:
        """The one of this device and dtype."""
        found = cls._shared.get((device, dtype))
        if found is None:
            found = cls._shared[device, dtype] = cls(device, dtype)
        return found

    def take(self, *shape: int) -> torch.Tensor:
        """A tensor of this shape whose values are whatever was there. It is overwritten after the next call."""
        size = math.prod(shape)
        if self._flat.numel() < size:
            # Freed first: the old and the new one together could be too much.
            self._flat = self._flat.new_empty(0)
            self._flat = self._flat.new_empty(size)
        return self._flat[:size].view(shape)
