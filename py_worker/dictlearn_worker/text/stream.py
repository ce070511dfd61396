"""One stream of documents, whatever they come from."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Iterable, Iterator


class TextStream:
    """Documents on demand. `next_documents` gives fewer than asked for only at the end, or when it is starved."""

    def __init__(self, documents: Iterable[str]) -> None:
        self._documents = iter(documents)
        self.ended = False

    def next_documents(self, count: int) -> list[str]:
        """Up to `count` documents; an empty list when none is left or none is there yet (see `ended`)."""
        taken = list(itertools.islice(self._documents, count))
        self.ended = len(taken) < count
        return taken


class PushedStream(TextStream):
    """A stream that the caller feeds."""

    def __init__(self) -> None:
        super().__init__(())
        self._queue: deque[str] = deque()
        self._closed = False

    def push(self, documents: list[str], end: bool) -> None:
        """Adds documents; `end` says that no more will come."""
        assert not (self._closed and documents), "the caller said that no more would come"
        self._queue.extend(document for document in documents if document.strip())
        self._closed = self._closed or end
        self.ended = self._closed and not self._queue

    def next_documents(self, count: int) -> list[str]:
        """Up to `count` of the documents that are there."""
        taken = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
        self.ended = self._closed and not self._queue
        return taken


def prepared(documents: Iterable[str], skip: int, shuffle_buffer: int, seed: int) -> Iterator[str]:
    """Without the first `skip` documents, and shuffled in a window of `shuffle_buffer` documents if that is not 0."""
    rest = itertools.islice(documents, skip, None)
    return rest if shuffle_buffer == 0 else shuffled(rest, shuffle_buffer, random.Random(seed))


def shuffled(documents: Iterator[str], size: int, rng: random.Random) -> Iterator[str]:
    """Holds back `size` documents and gives out a random one for each that comes in."""
    window = list(itertools.islice(documents, size))
    for document in documents:
        index = rng.randrange(len(window))
        window[index], document = document, window[index]
        yield document
    rng.shuffle(window)
    yield from window
