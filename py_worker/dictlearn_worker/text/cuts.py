"""Where a document that is too long for one call of the tokeniser is cut, so that its tokens stay what they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

# Characters on each side of a cut whose tokens are compared, and how many cuts are compared before one is taken anyway.
COMPARED, TRIES = 256, 32
# A cut is looked for in the last characters of a piece: a part of it, but no more than so many.
PART, MOST = 16, 1 << 16
SPACE_AFTER_WORD = re.compile(r"(?<=\S)\s")
MARK = re.compile(r"[^\w\s]")

# From texts to the ids of each, without special tokens.
Ids = Callable[[list[str]], list[list[int]]]


def next_cut(document: str, start: int, size: int, ids: Ids) -> tuple[int, int]:
    """Where the piece from `start` ends, after `size` characters at most, and where the next one begins.

    Between them lies nothing, or the space that a tokeniser puts in front of every text. At a cut the tokens of the
    characters around it are those of both sides: at white space for nearly every tokeniser, else after a punctuation
    mark. Where no such place is near, the cut is at white space, or in the middle of a word. It follows from the
    tokeniser and from the document after `start` alone.
    """
    if len(document) - start <= size:
        return len(document), len(document)
    last = start + size
    first = last - max(1, min(MOST, size // PART))
    fallback = (last, last)
    for number, cut in enumerate(places(document, first, last)):
        if number == 0:
            fallback = cut
        if number == TRIES:
            break
        end, begin = cut
        left, right = document[max(start, end - COMPARED) : end], document[begin : begin + COMPARED]
        around, *sides = ids([document[max(start, end - COMPARED) : begin + COMPARED], left, right])
        if around == [each for side in sides for each in side]:
            return cut
    return fallback


def places(document: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Ends and beginnings between `first` and `last`, from the last on: at white space, then after other marks."""
    part = document[first:last]
    for found in reversed(list(SPACE_AFTER_WORD.finditer(part))):
        place = first + found.start()
        yield place, place
        if document[place] == " ":
            yield place, place + 1
    for found in reversed(list(MARK.finditer(part))):
        yield first + found.end(), first + found.end()
