"""Lines of bytes from plain, gzip and zstandard files; what is cut off or damaged is an error, never a shorter file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

BYTES_PER_READ = 1 << 17
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What the decompressors raise; BadGzipFile is an OSError, so it has to be named before that one is caught.
DAMAGED = (zstandard.ZstdError, gzip.BadGzipFile, zlib.error, EOFError)


def byte_lines(file: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
    """The lines from byte `start` of the decompressed file on, with their ends, each with the byte behind it.

    Raises one of `DAMAGED`, or OSError.
    """
    with file.open("rb") as raw:
        offset = start
        for line in opened(file, raw, start):
            text = line if offset else line.removeprefix(BYTE_ORDER_MARK)
            offset += len(line)
            if text:
                yield text, offset


def opened(file: Path, raw: BinaryIO, start: int) -> Iterator[bytes]:
    """Decompresses by the file's ending. A plain file skips to `start`; the others are decompressed up to it."""
    if file.name.endswith(".gz"):
        unpacked = gzip.GzipFile(fileobj=raw)
        unpacked.seek(start)
        return iter(unpacked)
    if file.name.endswith(".zst"):
        return split_lines(without(start, zstd_chunks(raw)))
    raw.seek(start)
    return iter(raw)


def without(count: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks without their first `count` bytes."""
    for chunk in chunks:
        if len(chunk) > count:
            yield chunk[count:]
        count = max(0, count - len(chunk))


def zstd_chunks(raw: BinaryIO) -> Iterator[bytes]:
    """The decompressed bytes of all frames. zstandard's own reader takes a cut-off frame for a shorter one."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    started = False
    while packed := raw.read(BYTES_PER_READ):
        while packed:
            yield frame.decompress(packed)
            started = not frame.eof
            packed = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
    if started:
        raise EOFError


def split_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines out of chunks that were cut anywhere."""
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        if b"\n" in chunk:
            *lines, last = rest.split(b"\n")
            yield from (bytes(line) + b"\n" for line in lines)
            rest = bytearray(last)
    if rest:
        yield bytes(rest)
