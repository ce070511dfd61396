"""Bytes and lines of plain, gzip and zstandard files; a truncated or damaged one is an error, never a shorter file."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from ..errors import WorkerError

BYTES_PER_READ = 1 << 17
# The most bytes that one read of a gzip file may expand to.
MOST_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The largest window that the zstandard library decodes: enough for every file that `zstd --long` writes.
MOST_WINDOW = 1 << 31
GZIP_MAGIC = b"\x1f\x8b"
# zlib's code for a gzip header and trailer around the data.
GZIP_FORMAT = 16 + zlib.MAX_WBITS
# The exceptions of the decompressors.
DAMAGED = (zstandard.ZstdError, zlib.error, EOFError)


def byte_lines(file: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
    """The lines from byte `start` of the decompressed file on, with their ends, each with the byte after it.

    A line ends at a line feed, a carriage return, or both. Byte order marks at the start of a line are left out: joined
    files can have one in the middle. Raises one of `DAMAGED`, OSError, or `broken_file`.
    """
    with file.open("rb") as raw:
        offset = start
        for group in grouped_lines(file, raw, start):
            for line in group.splitlines(keepends=True) if b"\r" in group else (group,):
                offset += len(line)
                text = line
                while text.startswith(BYTE_ORDER_MARK):
                    text = text.removeprefix(BYTE_ORDER_MARK)
                if text:
                    yield text, offset


def grouped_lines(file: Path, raw: BinaryIO, start: int) -> Iterator[bytes]:
    """The pieces between line feeds. A plain file skips to `start`; the others are decompressed up to it."""
    decompress = decompressor(file)
    if decompress is not None:
        return split_lines(without(start, decompress(raw)))
    raw.seek(start)
    return iter(raw)


def byte_chunks(file: Path) -> Iterator[bytes]:
    """The decompressed file in parts of any size. Raises as `byte_lines`."""
    decompress = decompressor(file)
    with file.open("rb") as raw:
        yield from iter(lambda: raw.read(BYTES_PER_READ), b"") if decompress is None else decompress(raw)


def decompressor(file: Path) -> Callable[[BinaryIO], Iterator[bytes]] | None:
    """The decompressor, by the file's ending; None for a plain file."""
    return {".gz": gzip_chunks, ".zst": zstd_chunks}.get(file.suffix.lower())


def without(count: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks without their first `count` bytes."""
    for chunk in chunks:
        if len(chunk) > count:
            yield chunk[count:]
        count = max(0, count - len(chunk))


def gzip_chunks(raw: BinaryIO) -> Iterator[bytes]:
    """The decompressed bytes of all members. Data after the last one that is not a member is ignored, as gzip does."""
    packed = raw.read(BYTES_PER_READ)
    while packed:
        member = zlib.decompressobj(GZIP_FORMAT)
        while not member.eof:
            packed = packed or raw.read(BYTES_PER_READ)
            if not packed:
                raise EOFError
            yield member.decompress(packed, MOST_BYTES)
            packed = member.unconsumed_tail
        # Zeros may pad the file to the end of a block.
        packed = member.unused_data.lstrip(b"\0")
        while len(packed) < len(GZIP_MAGIC) and (more := raw.read(BYTES_PER_READ)):
            packed = (packed + more).lstrip(b"\0")
        if not packed.startswith(GZIP_MAGIC):
            return


def zstd_chunks(raw: BinaryIO) -> Iterator[bytes]:
    """The decompressed bytes of all frames. zstandard's own reader accepts a truncated frame as a shorter one.

    Raises `broken_file` for a frame whose window is larger than the library or the memory allows.
    """
    frame = zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW).decompressobj()
    started = False
    while packed := raw.read(BYTES_PER_READ):
        while packed:
            try:
                yield frame.decompress(packed)
            except zstandard.ZstdError as error:
                raise too_much_memory(raw) if "memory" in str(error) else error from None
            started = not frame.eof
            packed = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW).decompressobj()
    if started:
        raise EOFError


def too_much_memory(raw: BinaryIO) -> WorkerError:
    """The failure for a sound file that was written with too large a window."""
    return WorkerError(
        "broken_file",
        f"{raw.name} needs more memory to decompress than zstandard may take here: it was written with a long window.",
        hint="Decompress it with `zstd -d --long=31` where there is more memory, and compress it again without --long.",
    )


def split_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines from chunks that can end anywhere."""
    rest: list[bytes] = []
    for chunk in chunks:
        first, *lines = chunk.split(b"\n")
        rest.append(first)
        if not lines:
            continue
        rest.append(b"\n")
        whole, rest = b"".join(rest), [lines.pop()]
        yield whole
        yield from (line + b"\n" for line in lines)
    if last := b"".join(rest):
        yield last
