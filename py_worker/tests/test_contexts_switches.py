"""Padding, masks and pad tokens: each switch of the reference alone, with a tokenizer of words."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.models.shared_tokenizer import SharedTokenizer
from dictlearn_worker.text.contexts import Batch, Contexts
from dictlearn_worker.text.stream import TextStream

END, PAD = 9, 8


def tokenizer(pad: int | None) -> Any:
    """`a` is token 1, `b` 2 and so on; `e` is the end of text, `p` the token 8."""
    ids = {letter: number for number, letter in enumerate("abcd", start=1)} | {"e": END, "p": PAD}

    class Words:
        eos_token_id, bos_token_id, pad_token_id = END, None, pad
        all_special_ids = (END,) if pad is None else (END, pad)

        def __call__(self, documents: list[str], max_length: int | None = None, **_: object):
            return {"input_ids": [[ids[letter] for letter in document][:max_length] for document in documents]}

    return Words()


def batch(documents: list[str], pad: int | None = None, **switches: Any) -> Batch:
    """One batch of truncated contexts under the corrected defaults except for `switches`."""
    chosen: dict[str, Any] = {
        "padding": "right",
        "keep": "mask",
        "pad_token": "own",
        "attention_mask": "tokens",
    } | switches
    handle = p.Handle(0, 0)
    params = p.ContextsOpenParams(
        text=handle,
        model=handle,
        ctx_len=4,
        contexts="truncate",
        exclude_special_tokens=False,
        drop_partial_batch=False,
        **chosen,
    )
    found = Contexts(TextStream(documents), SharedTokenizer(tokenizer(pad)), None, params).next(len(documents))
    assert found is not None
    return found


DOCUMENTS = ["abcd", "ae"]


@pytest.mark.parametrize(
    ("pad", "switches", "kept"),
    [
        (None, {}, [[1, 1, 1, 1], [1, 1, 0, 0]]),
        # Without its own pad token only padding is dropped …
        (None, {"keep": "pad-token"}, [[1, 1, 1, 1], [1, 1, 0, 0]]),
        # … and with the end of text as the pad token, real ends of text are too.
        (None, {"keep": "pad-token", "pad_token": "end-of-text"}, [[1, 1, 1, 1], [1, 0, 0, 0]]),
        # A tokenizer with a pad token keeps its ends of text.
        (PAD, {"keep": "pad-token", "pad_token": "end-of-text"}, [[1, 1, 1, 1], [1, 1, 0, 0]]),
        (None, {"padding": "left-unmasked"}, [[1, 1, 1, 1], [0, 0, 1, 1]]),
        (
            None,
            {"padding": "left-unmasked", "keep": "pad-token", "pad_token": "end-of-text"},
            [[1, 1, 1, 1], [0, 0, 1, 0]],
        ),
    ],
)
def test_positions_that_are_kept(pad: int | None, switches: dict[str, str], kept: list[list[int]]) -> None:
    """1: the position's activations are stored."""
    assert batch(DOCUMENTS, pad, **switches).keep.int().tolist() == kept


def test_own_pad_token_in_a_text() -> None:
    """The mask distinguishes padding from a pad token in the text; the reference's rule does not."""
    assert batch(["abcd", "ap"], PAD).keep.int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch(["abcd", "ap"], PAD, keep="pad-token").keep.int().tolist() == [[1, 1, 1, 1], [1, 0, 0, 0]]


def test_masks() -> None:
    """The mask of the tokens, no mask, or ones over the left padding too."""
    masked = batch(DOCUMENTS)
    assert masked.mask is not None and torch.equal(masked.mask.bool(), masked.keep)
    assert batch(DOCUMENTS, attention_mask="none").mask is None
    for attention_mask in ("tokens", "none"):
        left = batch(DOCUMENTS, padding="left-unmasked", attention_mask=attention_mask)
        assert left.mask is not None and left.mask.all()
        assert left.ids.tolist() == [[1, 2, 3, 4], [END, END, 1, END]]
