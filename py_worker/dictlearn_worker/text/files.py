"""Documents from local files, read as they are needed."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import zstandard

from ..errors import WorkerError

ENDINGS = (".txt", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
ROWS_PER_READ = 256


def find_files(path: str) -> list[Path]:
    """The file itself, or every readable file below a folder, sorted. Raises `no_such_file` or `no_text`."""
    root = Path(path).expanduser()
    if not root.exists():
        raise WorkerError("no_such_file", f"There is no file or folder {path}.", hint="Check data.path.")
    if root.is_file():
        if not root.name.endswith(ENDINGS):
            raise WorkerError("no_text", f"{path} has an ending that is not known; known are {', '.join(ENDINGS)}.")
        return [root]
    files = sorted(file for file in root.rglob("*") if file.is_file() and file.name.endswith(ENDINGS))
    if not files:
        raise WorkerError("no_text", f"The folder {path} holds no text: no file in it ends in {', '.join(ENDINGS)}.")
    return files


def read_files(files: list[Path], field: str, txt_documents: str) -> Iterator[str]:
    """Every document of every file, in order. Blank documents are left out."""
    for file in files:
        try:
            for document in read_file(file, field, txt_documents):
                if document.strip():
                    yield document
        except UnicodeDecodeError as error:
            raise WorkerError("broken_file", f"{file} is not UTF-8 text (byte {error.start}).") from error
        except (zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
            raise WorkerError("broken_file", f"{file} is damaged: it cannot be decompressed.") from error
        except OSError as error:
            raise WorkerError(
                "broken_file", f"{file} cannot be read: {(error.strerror or str(error)).lower()}."
            ) from error


def read_file(file: Path, field: str, txt_documents: str) -> Iterator[str]:
    """The documents of one file."""
    if file.name.endswith(".txt"):
        yield from read_txt(file, txt_documents)
    elif file.name.endswith(".parquet"):
        yield from read_parquet(file, field)
    else:
        with file.open("rb") as raw:
            yield from read_jsonl(file, decompressed(file, raw), field)


def decompressed(file: Path, raw: BinaryIO) -> Any:
    """A stream of bytes lines, whatever the file is packed with."""
    if file.name.endswith(".gz"):
        return gzip.open(raw)
    if file.name.endswith(".zst"):
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
    return raw


def read_txt(file: Path, documents: str) -> Iterator[str]:
    """A document is a line, a paragraph (blank lines between), or the file."""
    with file.open(encoding="utf-8") as lines:
        if documents == "file":
            yield lines.read()
        elif documents == "line":
            yield from (line.rstrip("\n") for line in lines)
        else:
            paragraph: list[str] = []
            for line in lines:
                if line.strip():
                    paragraph.append(line)
                elif paragraph:
                    yield "".join(paragraph)
                    paragraph = []
            yield "".join(paragraph)


def read_jsonl(file: Path, lines: Any, field: str) -> Iterator[str]:
    """One JSON object a line. A malformed line names its file and number."""
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkerError(
                "malformed_line",
                f"Line {number} of {file} is not valid JSON: {error}.",
                hint="Mend or remove the line.",
                file=str(file),
                line=number,
            ) from error
        yield text_of(row, field, f"line {number} of {file}")


def text_of(row: Any, field: str, where: str) -> str:
    """The text of one record; a record without it says which fields it has."""
    if not isinstance(row, dict):
        raise WorkerError("malformed_line", f"A record must be a JSON object, but {where} is not one.")
    if field not in row:
        fields = ", ".join(map(str, row)) or "none"
        raise WorkerError(
            "missing_field",
            f"There is no field {field!r} in {where}.",
            hint=f"Set data.text_field to one of its fields: {fields}.",
        )
    text = row[field]
    if not isinstance(text, str):
        raise WorkerError("missing_field", f"The field {field!r} in {where} is not text.")
    return text


def read_parquet(file: Path, field: str) -> Iterator[str]:
    """One record a row."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
    except pyarrow.ArrowInvalid as error:
        raise WorkerError("broken_file", f"{file} is not a Parquet file.") from error
    names = table.schema_arrow.names
    if field not in names:
        raise WorkerError(
            "missing_field",
            f"There is no column {field!r} in {file}.",
            hint=f"Set data.text_field to one of its columns: {', '.join(names)}.",
        )
    for batch in table.iter_batches(batch_size=ROWS_PER_READ, columns=[field]):
        for text in batch.column(0).to_pylist():
            if text is not None and not isinstance(text, str):
                raise WorkerError("missing_field", f"The column {field!r} in {file} is not text.")
            yield text or ""
