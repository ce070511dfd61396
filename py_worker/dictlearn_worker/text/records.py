"""JSON records, and the text in one of their fields. The other fields need not be valid."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ..errors import WorkerError
from .chats import WriteChat, is_chat

SURROGATES = re.compile("[\ud800-\udfff]")
# The separators between a file's values, or between the items of the list that is its only value.
BETWEEN = re.compile(r"[\s,\ufeff]*")
# The least that is read from a file at once. A longer value doubles it.
CHARACTERS_PER_READ = 1 << 16
# This close to the end of a read, a mistake may only be the end itself: JSON's longest word is -Infinity.
END = 16
# Some numbers have more digits than Python accepts, and numbers are not text.
TOLERANT = json.JSONDecoder(strict=False, parse_int=lambda _: 0, parse_float=lambda _: 0.0)


class NotJson(ValueError):
    """`place`: the character at which it was found. `cut`: the text may only end too early."""

    def __init__(self, reason: str, place: int, *, cut: bool = False) -> None:
        super().__init__(reason)
        self.place = place
        self.cut = cut


def field_reader(field: str) -> Callable[[bytes], Any]:
    """A function from the bytes of one record to the record, or to the part of it needed to find `field`.

    The function raises NotJson, and UnicodeDecodeError if the field is not UTF-8.
    """
    try:
        shape: Any = msgspec.defstruct(
            "Record", [("text", str | msgspec.UnsetType, msgspec.UNSET)], rename={"text": field}
        )
    except ValueError:
        # msgspec does not support names with quotes or backslashes.
        return lambda line: whole_record(line, field)
    decode = msgspec.json.Decoder(shape).decode

    def read(line: bytes) -> Any:
        # The fast path skips the other fields. A record that it cannot read is read again.
        try:
            text = decode(line).text
        except (ValueError, RecursionError):
            return whole_record(line, field)
        return whole_record(line, field) if text is msgspec.UNSET else {field: text}

    return read


def whole_record(line: bytes, field: str) -> Any:
    """One record, which may have NaN, infinities, control characters and bytes that are not UTF-8 in other fields."""
    try:
        text, broken = line.decode().strip(), None
    except UnicodeDecodeError as error:
        text, broken = line.decode(errors="surrogateescape").strip(), error
    value, end = decode_value(text, 0)
    if end != len(text):
        raise NotJson("something stands after the end of the record", end)
    return sound(value, field, broken)


def sound(value: Any, field: str, broken: UnicodeDecodeError | None) -> Any:
    """The record with U+FFFD for every half of a surrogate pair in `field`. `broken`: the halves are not UTF-8."""
    text = value.get(field) if isinstance(value, dict) else None
    if isinstance(text, str) and SURROGATES.search(text):
        if broken is not None:
            raise broken
        value[field] = SURROGATES.sub("\ufffd", text)
    return value


def decode_value(text: str, start: int) -> tuple[Any, int]:
    """The JSON value at `start`, and its end. Raises NotJson."""
    try:
        return TOLERANT.raw_decode(text, start)
    except RecursionError:
        raise NotJson("it is nested too deeply", start) from None
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:]
        cut = error.pos > len(text) - END or reason.startswith("unterminated string")
        raise NotJson(reason, error.pos, cut=cut) from None


def json_records(chunks: Iterator[bytes], field: str) -> Iterator[tuple[Any, int]]:
    """Every value of a JSON file with its line: the items of one list, or values one after the other.

    Raises NotJson with the line as its place, and UnicodeDecodeError if the field is not UTF-8.
    """
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    text, at, line, first, listed, ended = "", 0, 1, True, False, False
    broken: UnicodeDecodeError | None = None
    while True:
        between = BETWEEN.match(text, at)
        assert between is not None, "the expression matches nothing too"
        line, at = line + text.count("\n", at, between.end()), between.end()
        if at < len(text):
            if first and text[at] == "[":
                first, listed, at = False, True, at + 1
                continue
            if listed and text[at] == "]":
                listed, at = False, at + 1
                continue
            try:
                value, end = decode_value(text, at)
            except NotJson as error:
                if ended or not error.cut:
                    raise NotJson(str(error), line + text.count("\n", at, error.place)) from None
            else:
                yield sound(value, field, broken), line
                line, at, first = line + text.count("\n", at, end), end, False
                continue
        elif ended:
            if listed:
                raise NotJson("the list does not end", line)
            return
        parts, wanted = [text[at:]], max(CHARACTERS_PER_READ, len(text) - at)
        while wanted > 0 and not ended:
            chunk = next(chunks, None)
            ended = chunk is None
            part = decode(chunk or b"", ended)
            if not part.isascii() and SURROGATES.search(part):
                broken = UnicodeDecodeError("utf-8", b"", 0, 1, "a byte that is not UTF-8")
            parts.append(part)
            wanted -= len(part)
        text, at = "".join(parts), 0


def text_of(row: Any, field: str, where: str, chat: WriteChat | None = None) -> str:
    """The text of one record, empty for null; `chat` renders a chat.

    For a record without the field, the failure lists its fields.
    """
    if not isinstance(row, dict):
        raise WorkerError(
            "malformed_line",
            f"A record must be a JSON object, but {where} is not one.",
            hint=f'Write one object a line, such as {{"{field}": "..."}}.',
        )
    if field not in row:
        fields = list(map(str, row))
        raise WorkerError(
            "missing_field",
            f"There is no field {field!r} in {where}.",
            hint=f"Set data.text_field to one of its fields: {', '.join(fields) or 'none'}.",
            fields=fields,
        )
    text = row[field]
    if text is None:
        return ""
    if chat is not None and is_chat(text):
        return SURROGATES.sub("\ufffd", chat(text, where))
    if not isinstance(text, str):
        raise not_text(f"The field {field!r} in {where}", type(text).__name__)
    return text


def not_text(what: str, kind: str) -> WorkerError:
    """The failure for a field of numbers, lists or bytes."""
    return WorkerError(
        "missing_field", f"{what} is not text but {kind}.", hint="Set data.text_field to a field that holds text."
    )
