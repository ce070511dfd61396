"""The table of objects that TypeScript holds handles to."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeVar

from .errors import WorkerError
from .protocol import Handle

T = TypeVar("T")


class Objects:
    """Numbers objects from 1 and never reuses a number; a handle from another worker process is refused."""

    def __init__(self) -> None:
        self.generation = 0
        self._next = 1
        self._objects: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def put(self, value: Any) -> Handle:
        """Keeps `value` until its handle is released."""
        handle = Handle(id=self._next, generation=self.generation)
        self._next += 1
        self._objects[handle.id] = value
        return handle

    def get(self, handle: Handle, kind: type[T]) -> T:
        """The object behind `handle`; raises `stale_handle` or `wrong_kind`."""
        self._check(handle)
        value = self._objects[handle.id]
        if not isinstance(value, kind):
            raise WorkerError(
                "wrong_kind", f"Handle {handle.id} is a {type(value).__name__}, but a {kind.__name__} is needed here."
            )
        return value

    def release(self, handle: Handle) -> Any:
        """Removes and returns the object; its memory is freed when nothing else refers to it."""
        self._check(handle)
        return self._objects.pop(handle.id)

    def counts(self) -> dict[str, int]:
        """How many objects of each class are held."""
        return dict(Counter(type(each).__name__ for each in self._objects.values()))

    def _check(self, handle: Handle) -> None:
        if handle.generation != self.generation:
            raise WorkerError(
                "stale_handle",
                f"Handle {handle.id} is of another Python worker than this one.",
                hint="Load what is used together with the same worker: { worker: model.worker }.",
            )
        if handle.id not in self._objects:
            raise WorkerError("stale_handle", f"Handle {handle.id} does not exist any more: it was released.")
