"""Tokens as text, one by one: what part of a text each of them stands for."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

REPLACEMENT = "\ufffd"
# A byte that a SentencePiece vocabulary has no other token for.
BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


def pieces(tokenizer: Any, ids: list[int]) -> list[str]:
    """The text of each token of a text.

    Vocabularies made of bytes cut characters into several tokens. Such a character stands at the token that completes
    it; a byte that is a part of one, or of none, is written as two hexadecimal digits: a euro sign of two tokens is
    "⟨E2 82⟩" and "€".
    """
    texts = []
    pending = b""
    for token in ids:
        text, pending = readable(pending + token_bytes(tokenizer, token), len(pending))
        texts.append(text)
    return texts


def token_bytes(tokenizer: Any, token: int) -> bytes:
    """The bytes that a token stands for, by itself."""
    text = tokenizer.decode([token])
    if REPLACEMENT not in text:
        return text.encode()
    name = tokenizer.convert_ids_to_tokens(token)
    byte = BYTE_TOKEN.fullmatch(name)
    if byte is not None:
        return bytes.fromhex(byte[1])
    alphabet = byte_alphabet()
    return bytes(alphabet[each] for each in name) if all(each in alphabet for each in name) else text.encode()


@cache
def byte_alphabet() -> dict[str, int]:
    """Byte-level vocabularies, GPT-2's and those after it, spell tokens with one visible character for each byte."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {character: byte for byte, character in bytes_to_unicode().items()}


def readable(data: bytes, before: int) -> tuple[str, bytes]:
    """The text of UTF-8 bytes, and the bytes at its end that a character begins with.

    The first `before` bytes came with earlier tokens: they belong to a character that is completed here, but as
    single bytes they were told of there.
    """
    text = ""
    at = 0
    while at < len(data):
        try:
            return text + data[at:].decode(), b""
        except UnicodeDecodeError as error:
            start, end = at + error.start, at + error.end
            text += data[at:start].decode()
            own = data[max(start, before) : end]
            text += f"⟨{own.hex(' ').upper()}⟩" if own else ""
            if end == len(data) and error.reason == "unexpected end of data":
                return text.replace("⟩⟨", " "), data[start:]
            at = end
    return text.replace("⟩⟨", " "), b""
