"""Documents from local files, read as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..errors import WorkerError
from .compressed import DAMAGED, byte_lines
from .stream import Documents, State

ENDINGS = (".txt", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
ROWS_PER_READ = 256


class Place(NamedTuple):
    """Between two documents: the file's number, its lines (rows of a Parquet file) and decompressed bytes so far."""

    file: int = 0
    line: int = 0
    offset: int = 0


class FileDocuments(Documents):
    """Every document of every file, in order. Blank documents are left out."""

    def __init__(self, files: list[Path], field: str, txt_documents: str) -> None:
        self._files = files
        self._field = field
        self._txt_documents = txt_documents
        self._place = Place()
        self._reader: Iterator[tuple[str, Place]] | None = None

    def __next__(self) -> str:
        """Raises `broken_file`, `malformed_line` or `missing_field`."""
        if self._reader is None:
            self._reader = read_files(self._files, self._field, self._txt_documents, self._place)
        document, self._place = next(self._reader)
        return document

    def state(self) -> State:
        """The place behind the last document."""
        return self._place._asdict()

    def restore(self, state: State) -> None:
        """Goes back to that place."""
        self._place = Place(**state)
        self._reader = None


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


def read_files(files: list[Path], field: str, txt_documents: str, start: Place) -> Iterator[tuple[str, Place]]:
    """The non-blank documents behind `start`, each with the place behind it."""
    for number, file in enumerate(files[start.file :], start=start.file):
        begin = start if number == start.file else Place(number)
        try:
            for document, place in read_file(file, field, txt_documents, begin):
                if document.strip():
                    yield document, place
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


def read_file(file: Path, field: str, txt_documents: str, start: Place) -> Iterator[tuple[str, Place]]:
    """The documents of one file behind `start`, each with the place behind it."""
    if file.name.endswith(".txt"):
        yield from read_txt(file, txt_documents, start)
    elif file.name.endswith(".parquet"):
        yield from read_parquet(file, field, start)
    else:
        yield from read_jsonl(file, field, start)


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


def lines_behind(file: Path, start: Place) -> Iterator[tuple[str, Place]]:
    """The lines of a file behind `start`, with the place behind each."""
    for number, (line, offset) in enumerate(byte_lines(file, start.offset), start=start.line + 1):
        yield utf8(line, number, file), Place(start.file, number, offset)


def read_txt(file: Path, documents: str, start: Place) -> Iterator[tuple[str, Place]]:
    """A document is a line, a paragraph (blank lines between), or the file. Whatever ends a line becomes a newline."""
    lines = ((line.replace("\r\n", "\n"), place) for line, place in lines_behind(file, start))
    if documents == "file":
        yield "".join(line for line, _ in lines), Place(start.file + 1)
    elif documents == "line":
        yield from ((line.rstrip("\n"), place) for line, place in lines)
    else:
        paragraph: list[str] = []
        place = start
        for line, place in lines:
            if line.strip():
                paragraph.append(line)
            elif paragraph:
                yield "".join(paragraph), place
                paragraph = []
        yield "".join(paragraph), place


def read_jsonl(file: Path, field: str, start: Place) -> Iterator[tuple[str, Place]]:
    """One JSON object a line. A malformed line names its file and number."""
    decode = msgspec.json.Decoder().decode
    for line, place in lines_behind(file, start):
        if not line.strip():
            continue
        try:
            row = decode(line)
        except msgspec.DecodeError as error:
            raise WorkerError(
                "malformed_line",
                f"Line {place.line} of {file} is not valid JSON: {str(error).rstrip('.')}.",
                hint="Mend or remove the line.",
                file=str(file),
                line=place.line,
            ) from error
        yield text_of(row, field, f"line {place.line} of {file}"), place


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


def read_parquet(file: Path, field: str, start: Place) -> Iterator[tuple[str, Place]]:
    """One record a row; null is an empty document. Row groups before `start` are not read."""
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
        row = 0
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if row + rows <= start.line:
                row += rows
                continue
            for batch in table.iter_batches(batch_size=ROWS_PER_READ, columns=[field], row_groups=[group]):
                for text in batch.column(0).to_pylist():
                    row += 1
                    if text is not None and not isinstance(text, str):
                        raise not_text(f"The column {field!r} in {file}", type(text).__name__)
                    if row > start.line:
                        yield text or "", Place(start.file, row)
    except (pyarrow.ArrowException, OSError) as error:
        # pyarrow says "not a Parquet file" and "corrupt page" with either.
        raise WorkerError(
            "broken_file",
            f"{file} is not a whole Parquet file: {str(error).splitlines()[0].rstrip('.')}.",
            hint="Copy or download the file again.",
        ) from error
