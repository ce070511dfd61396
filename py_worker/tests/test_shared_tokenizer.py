"""Ids alone: the same as a call's, for every tokenizer, and one thread at a time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from golden import FOLDER
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from dictlearn_worker.models.shared_tokenizer import SharedTokenizer, calls_its_backend

DOCUMENTS = [
    "",
    " ",
    "A plain sentence, and a second one.",
    "<|endoftext|>in<|endoftext|> the text <|padding|>",
    "line\r\nbreaks\n\n\n\tand  spaces   ",
    "naïve Ελληνικά 日本語 \U0001f9ea\U0001f469\u200d\U0001f52c \x00\ufffd e\u0301",
    "[A] b [B] a b c",
    "word " * 300,
]


class Own(PreTrainedTokenizerFast):
    """Rewrites its documents before encoding."""

    def _encode_plus(self, text: Any, **options: Any) -> Any:
        return super()._encode_plus([each.upper() for each in text], **options)


def words(kind: type[PreTrainedTokenizerFast] = PreTrainedTokenizerFast, **options: Any) -> PreTrainedTokenizerFast:
    """Whole words, between [A] and [B]."""
    vocabulary = {
        name: number for number, name in enumerate(["[?]", "[A]", "[B]", "a", "b", "A", "B", "word", "[", "]"])
    }
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[?]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="[A] $A [B]", special_tokens=[("[A]", 1), ("[B]", 2)])
    return kind(tokenizer_object=backend, bos_token="[A]", eos_token="[B]", unk_token="[?]", **options)


TOKENIZERS = {
    "tiny-neox": lambda: AutoTokenizer.from_pretrained(FOLDER / "tiny-neox"),
    "with special tokens": words,
    "cut on the left": lambda: words(truncation_side="left"),
    "special tokens as text": lambda: words(split_special_tokens=True),
    "of its own": lambda: words(Own),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_ids_are_those_of_a_call(name: str) -> None:
    """After any earlier calls: one call's truncation must not affect the next."""
    tokenizer = TOKENIZERS[name]()
    shared = SharedTokenizer(tokenizer)
    assert calls_its_backend(tokenizer) == (name != "of its own")
    for most in (None, 4, 100, 4, None):
        for special in (True, False):
            options = {} if most is None else {"truncation": True, "max_length": most}
            called = tokenizer(DOCUMENTS, add_special_tokens=special, verbose=False, **options)["input_ids"]
            assert shared.ids(DOCUMENTS, special_tokens=special, most=most) == called
            assert any(called)
    # The model's own is unchanged.
    assert len(tokenizer(DOCUMENTS[-1])["input_ids"]) >= 300


def test_one_thread_at_a_time_in_a_copy() -> None:
    """A tokenizer without a backend is called; the copy has the original's constants."""

    class Counting:
        eos_token_id = 9

        def __init__(self) -> None:
            self.inside, self.most = 0, 0

        def __call__(self, documents: list[str], **_: Any) -> dict[str, list[list[int]]]:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.01)
            self.inside -= 1
            return {"input_ids": [[self.most]]}

    own = Counting()
    shared = SharedTokenizer(own)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: shared.ids([""], special_tokens=True, most=None), range(8))
        assert list(found) == [[[1]]] * 8
    assert own.most == 0
    assert shared.eos_token_id == 9
