"""A tokeniser that several threads may use."""

from __future__ import annotations

from copy import deepcopy
from threading import Lock
from typing import Any


class SharedTokenizer:
    """A copy of a tokeniser, whose calls wait for one another; everything else is the copy's.

    A copy, because a call with truncation or padding first sets that in the tokeniser, for all who use it, and the
    model's own is used by nnsight and by scripts.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._copy = deepcopy(tokenizer)
        self._lock = Lock()

    def __call__(self, *args: Any, **options: Any) -> Any:
        """What the tokeniser makes of it."""
        with self._lock:
            return self._copy(*args, **options)

    def __getattr__(self, name: str) -> Any:
        """Its constants."""
        return getattr(self._copy, name)
