"""Where to cut a document that is too long for one call of the tokeniser, so that its tokens do not change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

# Characters on each side of a cut whose tokens are compared, and how many cuts are tried before one is taken anyway.
COMPARED, TRIES = 256, 32
# A cut is searched in the last characters of a piece: in this part of it, but at most in so many characters.
PART, MOST = 16, 1 << 16
SPACE_AFTER_WORD = re.compile(r"(?<=\S)\s")
MARK = re.compile(r"[^\w\s]")

# From texts to each text's ids, without special tokens.
Ids = Callable[[list[str]], list[list[int]]]


def next_cut(document: str, start: int, size: int, ids: Ids) -> tuple[int, int]:
    """The end of the piece from `start`, after `size` characters at most, and the start of the next piece.

    Between them is nothing, or the space that a tokeniser puts in front of every text. A cut does not change the tokens
    around it: it is at white space for nearly every tokeniser, else after a punctuation mark. If there is no such place
    nearby, the cut is at white space, or in the middle of a word. It depends only on the tokeniser and the document
    after `start`.
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
    """Candidate ends and starts between `first` and `last`, last to first: at white space, then after other marks."""
    part = document[first:last]
    for found in reversed(list(SPACE_AFTER_WORD.finditer(part))):
        place = first + found.start()
        yield place, place
        if document[place] == " ":
            yield place, place + 1
    for found in reversed(list(MARK.finditer(part))):
        yield first + found.end(), first + found.end()
