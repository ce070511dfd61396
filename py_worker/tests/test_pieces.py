"""Tokens as text: vocabularies whose tokens are bytes, or parts of a character."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from dictlearn_worker.models.pieces import pieces, readable

TEXT = "The price is 5 € - naïve 你好 🎉 done"


def byte_level() -> Any:
    """A vocabulary of GPT-2's kind, too small for whole characters beyond ASCII."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["the price is done 5 € € €"] * 8, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def byte_fallback() -> Any:
    """A vocabulary of SentencePiece's kind: letters, and a token for each byte."""
    letters = {letter: number for number, letter in enumerate("Thepricsdonav▁")}
    vocabulary = letters | {f"<0x{byte:02X}>": len(letters) + byte for byte in range(256)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize("make", [byte_level, byte_fallback])
def test_a_character_stands_where_it_is_completed(make: Any) -> None:
    """Without the bytes in digits, the pieces are the text."""
    tokenizer = make()
    ids = tokenizer.encode(TEXT)
    found = pieces(tokenizer, ids)
    assert len(found) == len(ids)
    assert any(tokenizer.decode([each]) == "\ufffd" for each in ids)
    assert not any("\ufffd" in each for each in found)
    assert "🎉" in found and found[found.index("🎉") - 1] in ("⟨8E⟩", "⟨9F 8E⟩", "⟨F0 9F 8E⟩")
    assert "".join(each for each in found if not each.startswith("⟨")) == TEXT


def test_a_token_alone_is_its_bytes() -> None:
    """As in a vocabulary, or at the beginning of a cut context."""
    tokenizer = byte_level()
    middle = tokenizer.convert_tokens_to_ids("Ł")  # How such a vocabulary spells the byte 9F.
    assert pieces(tokenizer, [middle]) == ["⟨9F⟩"]
    assert pieces(tokenizer, [middle, middle]) == ["⟨9F⟩", "⟨9F⟩"]
    assert pieces(tokenizer, []) == []


def test_whole_and_broken_bytes() -> None:
    """For any bytes and any cuts: no byte is lost, none shown twice."""
    assert readable("a€".encode(), 0) == ("a€", b"")
    assert readable(b"a\xe2\x82", 0) == ("a⟨E2 82⟩", b"\xe2\x82")
    assert readable(b"\xe2\x82\xacb", 2) == ("€b", b"")
    assert readable(b"\xe2\x82b", 2) == ("b", b"")
    assert readable(b"\xff\xfe b\x80", 0) == ("⟨FF FE⟩ b⟨80⟩", b"")
    assert readable("\ufffd".encode(), 0) == ("\ufffd", b"")
    random.seed(0)
    for _ in range(500):
        data = random.randbytes(12)
        whole, _ = readable(data, 0)
        told = b""
        for part in whole.replace("⟩", "⟨").split("⟨")[1::2]:
            told += bytes.fromhex(part)
        assert len(told) + len("".join(whole.replace("⟩", "⟨").split("⟨")[::2]).encode()) == len(data)
