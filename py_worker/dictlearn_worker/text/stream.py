"""One stream of documents, from any source."""

from __future__ import annotations

import itertools
import math
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

from ..errors import WorkerError
from ..protocol import Part

# A JSON value.
State = dict[str, Any]


class Documents(ABC):
    """Documents one after the other, with a position that can be saved and restored."""

    def __iter__(self) -> Iterator[str]:
        """It is its own iterator."""
        return self

    @abstractmethod
    def __next__(self) -> str:
        """The next document."""

    @abstractmethod
    def state(self) -> State:
        """The position of the next document."""

    @abstractmethod
    def restore(self, state: State, changed: Collection[str] = ()) -> list[str]:
        """Goes to the position of another object of the same kind.

        `changed`: names of the files that have changed. Returns notices for the user, in sentences.
        """


class ListedDocuments(Documents):
    """Documents that are all in memory."""

    def __init__(self, documents: list[str]) -> None:
        self._documents = documents
        self._next = 0

    def __next__(self) -> str:
        """The next of the list."""
        if self._next >= len(self._documents):
            raise StopIteration
        self._next += 1
        return self._documents[self._next - 1]

    def state(self) -> State:
        """How many were taken, and how many there are."""
        return {"taken": self._next, "of": len(self._documents)}

    def restore(self, state: State, changed: Collection[str] = ()) -> list[str]:
        """Raises `changed_input` if the list has another length."""
        if state["of"] != len(self._documents):
            raise WorkerError(
                "changed_input", f"The text has {len(self._documents)} documents now, but had {state['of']} before."
            )
        self._next = state["taken"]
        return []


class Prepared(Documents):
    """Without the first `skip` documents, and shuffled in a window of `shuffle_buffer` documents if that is not 0."""

    def __init__(self, documents: Documents, skip: int, shuffle_buffer: int, seed: int) -> None:
        self._documents = documents
        self._skip = skip
        self._size = shuffle_buffer
        self._random = random.Random(seed)
        # The documents in the shuffle window; None until the first document is requested.
        self._window: list[str] | None = None
        self._drained = False

    def __next__(self) -> str:
        """Yields a random document of the window for each that comes in, and at the end the remaining ones."""
        for _ in itertools.islice(self._documents, self._skip):
            pass
        self._skip = 0
        if self._size == 0:
            return next(self._documents)
        if self._window is None:
            self._window = list(itertools.islice(self._documents, self._size))
        document = None if self._drained else next(self._documents, None)
        if document is None:
            if not self._drained:
                self._random.shuffle(self._window)
                self._window.reverse()
            self._drained = True
            if not self._window:
                raise StopIteration
            return self._window.pop()
        index = self._random.randrange(len(self._window))
        self._window[index], document = document, self._window[index]
        return document

    def state(self) -> State:
        """The documents in the window, the random generator, and the position in the rest of the text."""
        return {
            "source": self._documents.state(),
            "skip": self._skip,
            "window": self._window,
            "drained": self._drained,
            "random": self._random.getstate() if self._size else None,
        }

    def restore(self, state: State, changed: Collection[str] = ()) -> list[str]:
        """Restores the state of another object with the same settings."""
        notices = self._documents.restore(state["source"], changed)
        self._skip, self._window, self._drained = state["skip"], state["window"], state["drained"]
        if state["random"] is not None:
            version, numbers, gauss = state["random"]
            self._random.setstate((version, tuple(numbers), gauss))
        return notices


class Share:
    """Decides for each document in turn whether it belongs to the selected part; without a part all do.

    The last of every `every` documents is reserved for evaluation, so training and evaluation never share one.
    """

    def __init__(self, part: Part | None) -> None:
        self.part = part
        # Documents numbered so far.
        self.number = 0

    def takes(self, _: str) -> bool:
        """Numbers the next document."""
        if self.part is None:
            return True
        self.number += 1
        return (self.number % self.part.every == 0) == (self.part.take == "evaluation")


class TextStream:
    """Documents on demand. `next_documents` gives as many as requested but at the end, at a failure, or when starved.

    A failure after some documents is raised again by every later call, so reading ahead may ignore it.
    """

    # Whether another thread may read ahead in it.
    readable_ahead = True

    def __init__(self, documents: Documents, part: Part | None = None) -> None:
        self.share = Share(part)
        self._documents = documents
        self._taken = filter(self.share.takes, documents)
        # The first document, read when the stream was opened and not yet returned.
        self._first: list[str] = []
        self._failure: Exception | None = None
        self.ended = False

    def peek(self) -> TextStream:
        """Reads the first document now, so that most mistakes are found early; returns itself."""
        self._first = list(itertools.islice(self._taken, 1))
        return self

    def next_documents(self, count: int, characters: float = math.inf) -> list[str]:
        """Up to `count` documents, stopping once they have `characters` together.

        An empty list if none is left or none has arrived yet (see `ended`).
        """
        taken, self._first = self._first[:count], self._first[count:]
        left = characters - sum(map(len, taken))
        try:
            while self._failure is None and len(taken) < count and left > 0:
                document = next(self._taken)
                taken.append(document)
                left -= len(document)
        except StopIteration:
            self.ended = True
        except Exception as error:
            self._failure = error
        if self._failure is not None and not taken:
            raise self._failure
        return taken

    def state(self) -> State:
        """The position of the next document."""
        return {
            "documents": self._documents.state(),
            "first": self._first,
            "ended": self.ended,
            "number": self.share.number,
        }

    def restore(self, state: State, changed: Collection[str] = ()) -> list[str]:
        """Goes to the position of another stream of the same text; as `Documents.restore`."""
        notices = self._documents.restore(state["documents"], changed)
        self._first, self.ended, self._failure = state["first"], state["ended"], None
        self.share.number = state["number"]
        return notices


class PushedStream(TextStream):
    """A stream that the caller keeps feeding."""

    readable_ahead = False

    def __init__(self, part: Part | None = None) -> None:
        super().__init__(ListedDocuments([]), part)
        self._queue: deque[str] = deque()
        self._closed = False

    def push(self, documents: list[str], end: bool) -> None:
        """Adds documents; `end` says that no more will come."""
        assert not (self._closed and documents), "the caller said that no more would come"
        self._queue.extend(document for document in documents if document.strip() and self.share.takes(document))
        self._closed = self._closed or end
        self.ended = self._closed and not self._queue

    def next_documents(self, count: int, characters: float = math.inf) -> list[str]:
        """Up to `count` of the documents that have arrived, stopping once they have `characters` together."""
        taken = []
        while self._queue and len(taken) < count and characters > 0:
            taken.append(self._queue.popleft())
            characters -= len(taken[-1])
        self.ended = self._closed and not self._queue
        return taken

    def state(self) -> State:
        """Raises `cannot_rewind`: the documents came from a script, and cannot be requested again."""
        raise WorkerError(
            "cannot_rewind",
            "The text comes from a script, so its position cannot be kept.",
            hint="Read the text from files or from a dataset where a run has to be resumed.",
        )
