"""Documents from local files, read as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..errors import WorkerError
from .compressed import DAMAGED, byte_lines

ENDINGS = (".txt", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
ROWS_PER_READ = 256


def find_files(path: str) -> list[Path]:
    """The file itself, or every readable file below a folder, sorted. Raises `no_such_file` or `no_text`."""
    root = Path(path).expanduser()
    if not root.exists():
        raise WorkerError("no_such_file", f"There is no file or folder {path}.", hint="Check data.path.")
    if root.is_file():
        if not root.name.endswith(ENDINGS):
            raise WorkerError(
                "no_text",
                f"{path} is not a kind of file that can be read as text.",
                hint=f"Its name must end in {', '.join(ENDINGS)}.",
            )
        return [root]
    files = sorted(file for file in root.rglob("*") if file.is_file() and file.name.endswith(ENDINGS))
    if not files:
        raise WorkerError(
            "no_text",
            f"The folder {path} holds no text: no file in it ends in {', '.join(ENDINGS)}.",
            hint="Check data.path, or convert the files.",
        )
    return files


def read_files(files: list[Path], field: str, txt_documents: str) -> Iterator[str]:
    """Every document of every file, in order. Blank documents are left out."""
    for file in files:
        try:
            for document in read_file(file, field, txt_documents):
                if document.strip():
                    yield document
        except DAMAGED as error:
            raise WorkerError(
                "broken_file",
                f"{file} is damaged or cut off: it cannot be decompressed.",
                hint="Copy or download the file again.",
            ) from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower().rstrip(".")
            raise WorkerError(
                "broken_file", f"{file} cannot be read: {reason}.", hint="Check the file and its permissions."
            ) from error


def read_file(file: Path, field: str, txt_documents: str) -> Iterator[str]:
    """The documents of one file."""
    if file.name.endswith(".txt"):
        yield from read_txt(file, txt_documents)
    elif file.name.endswith(".parquet"):
        yield from read_parquet(file, field)
    else:
        yield from read_jsonl(file, field)


def utf8(line: bytes, number: int, file: Path) -> str:
    """The line as text; one in another encoding names its file and number."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise WorkerError(
            "broken_file",
            f"Line {number} of {file} is not UTF-8 text.",
            hint="Convert the file to UTF-8.",
            file=str(file),
            line=number,
        ) from error


def text_lines(file: Path) -> Iterator[str]:
    """The lines of a plain file, with whatever ends a line as a newline."""
    for number, line in enumerate(byte_lines(file), start=1):
        yield utf8(line, number, file).replace("\r\n", "\n")


def read_txt(file: Path, documents: str) -> Iterator[str]:
    """A document is a line, a paragraph (blank lines between), or the file."""
    lines = text_lines(file)
    if documents == "file":
        yield "".join(lines)
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


def read_jsonl(file: Path, field: str) -> Iterator[str]:
    """One JSON object a line. A malformed line names its file and number."""
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(byte_lines(file), start=1):
        if not line.strip():
            continue
        try:
            row = decode(utf8(line, number, file))
        except msgspec.DecodeError as error:
            raise WorkerError(
                "malformed_line",
                f"Line {number} of {file} is not valid JSON: {str(error).rstrip('.')}.",
                hint="Mend or remove the line.",
                file=str(file),
                line=number,
            ) from error
        yield text_of(row, field, f"line {number} of {file}")


def text_of(row: Any, field: str, where: str) -> str:
    """The text of one record, empty for null; a record without the field says which fields it has."""
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
    if not isinstance(text, str):
        raise not_text(f"The field {field!r} in {where}", type(text).__name__)
    return text


def not_text(what: str, kind: str) -> WorkerError:
    """One sentence on a field of numbers, lists or bytes."""
    return WorkerError(
        "missing_field", f"{what} is not text but {kind}.", hint="Set data.text_field to a field that holds text."
    )


def read_parquet(file: Path, field: str) -> Iterator[str]:
    """One record a row; null is an empty document."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
        names = table.schema_arrow.names
        if field not in names:
            raise WorkerError(
                "missing_field",
                f"There is no column {field!r} in {file}.",
                hint=f"Set data.text_field to one of its columns: {', '.join(names)}.",
                fields=names,
            )
        for batch in table.iter_batches(batch_size=ROWS_PER_READ, columns=[field]):
            for text in batch.column(0).to_pylist():
                if text is not None and not isinstance(text, str):
                    raise not_text(f"The column {field!r} in {file}", type(text).__name__)
                yield text or ""
    except (pyarrow.ArrowException, OSError) as error:
        # pyarrow says "not a Parquet file" and "corrupt page" with either.
        raise WorkerError(
            "broken_file",
            f"{file} is not a whole Parquet file: {str(error).splitlines()[0].rstrip('.')}.",
            hint="Copy or download the file again.",
        ) from error
