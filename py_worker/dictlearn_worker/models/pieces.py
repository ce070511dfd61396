"""The part of a text that each of its tokens stands for."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

REPLACEMENT = "\ufffd"
# A byte for which a SentencePiece vocabulary has no other token.
BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


def pieces(tokenizer: Any, ids: list[int]) -> list[str]:
    """The text of each token of a text.

    Byte-level vocabularies can split a character into several tokens. Such a character is shown at the token that
    completes it; any other byte, of an incomplete or invalid character, is written as two hexadecimal digits: a euro
    sign of two tokens is "⟨E2 82⟩" and "€".
    """
    texts = []
    pending = b""
    for token in ids:
        text, pending = readable(pending + token_bytes(tokenizer, token), len(pending))
        texts.append(text)
    return texts


def token_bytes(tokenizer: Any, token: int) -> bytes:
    """The bytes of a single token."""
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
    """Byte-level vocabularies, from GPT-2's on, spell tokens with one visible character for each byte."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {character: byte for byte, character in bytes_to_unicode().items()}


def readable(data: bytes, before: int) -> tuple[str, bytes]:
    """The text of UTF-8 bytes, and the bytes of an incomplete character at its end.

    The first `before` bytes came with earlier tokens: they belong to a character that is completed here, but
    were already shown there as single bytes.
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
