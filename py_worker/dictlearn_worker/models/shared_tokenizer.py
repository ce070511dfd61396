"""A tokeniser that several threads can share."""

from __future__ import annotations

from copy import deepcopy
from threading import Lock
from typing import Any


class SharedTokenizer:
    """A copy of a tokeniser with a lock around its calls; everything else is delegated to the copy.

    A copy, because a call with truncation or padding first sets that in the tokeniser, for all its users, and nnsight
    and scripts use the model's own.
    """

    def __init__(self, tokenizer: Any, rows: int | None = None) -> None:
        """`rows`: the number of rows of the model's embedding; None if unknown."""
        self.rows = rows
        self._copy = deepcopy(tokenizer)
        self._lock = Lock()
        self._quick = calls_its_backend(tokenizer)

    def ids(self, documents: list[str], *, special_tokens: bool, most: int | None) -> list[list[int]]:
        """The ids of every document, with the tokeniser's special tokens, cut to `most` tokens.

        The same as calling it, without the other results of a call: offsets, masks and their lists.
        """
        with self._lock:
            if not self._quick:
                cut = {} if most is None else {"truncation": True, "max_length": most}
                return self._copy(documents, add_special_tokens=special_tokens, verbose=False, **cut)["input_ids"]
            self._set(most)
            backend = self._copy.backend_tokenizer
            return [each.ids for each in backend.encode_batch_fast(documents, add_special_tokens=special_tokens)]

    def _set(self, most: int | None) -> None:
        from transformers.tokenization_utils_base import TruncationStrategy
        from transformers.utils.generic import PaddingStrategy

        cuts = TruncationStrategy.DO_NOT_TRUNCATE if most is None else TruncationStrategy.LONGEST_FIRST
        self._copy.set_truncation_and_padding(
            padding_strategy=PaddingStrategy.DO_NOT_PAD,
            truncation_strategy=cuts,
            max_length=most,
            stride=0,
            pad_to_multiple_of=None,
            padding_side=None,
        )
        self._copy.backend_tokenizer.encode_special_tokens = self._copy.split_special_tokens

    def __getattr__(self, name: str) -> Any:
        """Delegates to the copy."""
        return getattr(self._copy, name)


def calls_its_backend(tokenizer: Any) -> bool:
    """Whether calling it only calls the `tokenizers` library, as for most tokenisers but not all."""
    from transformers import PreTrainedTokenizerFast

    kind = type(tokenizer)
    return issubclass(kind, PreTrainedTokenizerFast) and all(
        getattr(kind, name) is getattr(PreTrainedTokenizerFast, name) for name in ("__call__", "_encode_plus")
    )
