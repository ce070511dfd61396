"""Documents from local files, read on demand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import WorkerError
from ..found_files import Found, found_below, require_target, unreadable
from .chats import WriteChat
from .compressed import DAMAGED, byte_chunks, byte_lines
from .records import NotJson, field_reader, json_records, text_of

KINDS = (".txt", ".jsonl", ".ndjson", ".json")
COMPRESSIONS = (".gz", ".zst")
ENDINGS = (*KINDS, *(kind + packed for kind in KINDS for packed in COMPRESSIONS), ".parquet")
# Rows of a Parquet file that are held at once: fewer if they are long.
ROWS_PER_READ, BYTES_OF_ROWS = 256, 1 << 20


class Place(NamedTuple):
    """A place between documents: the file's index, its lines (rows of a Parquet file) and decompressed bytes so far."""

    file: int = 0
    line: int = 0
    offset: int = 0


def find_files(path: str) -> list[Found]:
    """The file itself, or every readable file below a folder, sorted.

    Raises `no_such_file`, `no_text` or `broken_file`.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise WorkerError("no_such_file", f"There is no file or folder {path}.", hint="Check data.path.")
    if root.is_file():
        if kind_of(root) is None:
            raise WorkerError(
                "no_text",
                f"{path} is not a kind of file that can be read as text.",
                hint=f"Its name must end in {', '.join(KINDS)}, with or without .gz or .zst, or in .parquet.",
            )
        return [Found(root, "")]
    found = [each for each in found_below(root) if kind_of(each.path) is not None]
    # With files of other kinds, a .json is metadata, like dataset_infos.json.
    files = [each for each in found if kind_of(each.path) != ".json"] or found
    if not files:
        raise WorkerError(
            "no_text",
            f"The folder {path} holds no text: no file in it ends in {', '.join(KINDS)} or .parquet.",
            hint="Check data.path, or convert the files.",
        )
    for found in files:
        require_target(found.path)
    return files


def read_file(
    file: Path, field: str, txt_documents: str, start: Place, chat: WriteChat | None = None
) -> Iterator[tuple[str, Place]]:
    """The documents of one file after `start`, blank ones included, each with the place after it."""
    try:
        yield from read_kind(file, field, txt_documents, start, chat)
    except DAMAGED as error:
        raise WorkerError(
            "broken_file",
            f"{file} is damaged or cut off: it cannot be decompressed.",
            hint="Copy or download the file again.",
        ) from error
    except OSError as error:
        raise unreadable(file, error) from error


def read_kind(
    file: Path, field: str, txt_documents: str, start: Place, chat: WriteChat | None = None
) -> Iterator[tuple[str, Place]]:
    """The same, by the file's ending."""
    match kind_of(file):
        case ".txt":
            yield from read_txt(file, txt_documents, start)
        case ".parquet":
            yield from read_parquet(file, field, start, chat)
        case ".json":
            yield from read_json(file, field, start, chat)
        case _:
            yield from read_jsonl(file, field, start, chat)


def kind_of(file: Path) -> str | None:
    """The ending that determines the reader, without the compression's; None for a file that is not text."""
    name = file.name.lower()
    if not name.endswith(ENDINGS):
        return None
    return Path(name.removesuffix(".gz").removesuffix(".zst")).suffix


def utf8(line: bytes, number: int, file: Path) -> str:
    """The line as text; for another encoding the failure names file and line number."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise not_utf8(f"line {number} of {file}") from error


def not_utf8(where: str) -> WorkerError:
    """The failure for text in another encoding."""
    return WorkerError(
        "broken_file", f"{where[0].upper()}{where[1:]} is not UTF-8 text.", hint="Convert the file to UTF-8."
    )


def lines_behind(file: Path, start: Place, end: str) -> Iterator[tuple[str, Place]]:
    """The lines of a file after `start`, with `end` in place of any line ending, and the place after each."""
    for number, (line, offset) in enumerate(byte_lines(file, start.offset), start=start.line + 1):
        # Lines may be long: no second copy of one is held here.
        ends = end if line.endswith((b"\n", b"\r")) else ""
        yield utf8(line.rstrip(b"\r\n"), number, file) + ends, Place(start.file, number, offset)


def read_txt(file: Path, documents: str, start: Place) -> Iterator[tuple[str, Place]]:
    """A document is a line, a paragraph (blank lines between), or the file. Any line ending becomes a newline."""
    lines = lines_behind(file, start, end="" if documents == "line" else "\n")
    if documents == "file":
        yield "".join(line for line, _ in lines), Place(start.file + 1)
    elif documents == "line":
        yield from lines
    else:
        paragraph: list[str] = []
        place = start
        for line, place in lines:
            if not line.isspace():
                paragraph.append(line)
            elif paragraph:
                yield "".join(paragraph), place
                paragraph = []
        yield "".join(paragraph), place


def read_jsonl(file: Path, field: str, start: Place, chat: WriteChat | None) -> Iterator[tuple[str, Place]]:
    """One JSON object per line. The failure for a malformed line names file and line number."""
    read = field_reader(field)
    for number, (line, offset) in enumerate(byte_lines(file, start.offset), start=start.line + 1):
        if line.isspace():
            continue
        try:
            row = read(line)
        except UnicodeDecodeError as error:
            raise not_utf8(f"line {number} of {file}") from error
        except NotJson as error:
            raise malformed(f"{error} (character {error.place + 1})", number, file) from error
        yield text_of(row, field, f"line {number} of {file}", chat), Place(start.file, number, offset)


def read_json(file: Path, field: str, start: Place, chat: WriteChat | None) -> Iterator[tuple[str, Place]]:
    """The records of a list, or records one after the other. Records before `start` are read again."""
    records = json_records(byte_chunks(file), field)
    number = 0
    while True:
        try:
            row, line = next(records)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise not_utf8(f"a field of {file}") from error
        except NotJson as error:
            raise malformed(str(error), error.place, file) from error
        number += 1
        if number > start.line:
            yield text_of(row, field, f"line {line} of {file}", chat), Place(start.file, number)


def malformed(reason: str, line: int, file: Path) -> WorkerError:
    """The failure for a line that is not JSON."""
    return WorkerError(
        "malformed_line",
        f"Line {line} of {file} is not valid JSON: {reason}.",
        hint="Mend or remove the line.",
        file=str(file),
        line=line,
    )


def value_of(scalar: Any, where: str) -> Any:
    """The value of one cell; for text that is not UTF-8 the failure names the row."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        raise not_utf8(where) from error


def read_parquet(file: Path, field: str, start: Place, chat: WriteChat | None) -> Iterator[tuple[str, Place]]:
    """One record per row; null is an empty document. Row groups before `start` are not read."""
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
            facts = table.metadata.row_group(group)
            if row + facts.num_rows <= start.line:
                row += facts.num_rows
                continue
            size = facts.total_byte_size // max(1, facts.num_rows)
            at_once = max(1, min(ROWS_PER_READ, BYTES_OF_ROWS // max(1, size)))
            for batch in table.iter_batches(batch_size=at_once, columns=[field], row_groups=[group]):
                rows = [(n, value_of(each, f"row {n} of {file}")) for n, each in enumerate(batch.column(0), row + 1)]
                # pyarrow holds no copy while long rows are used.
                del batch
                if at_once == 1:
                    pyarrow.default_memory_pool().release_unused()
                for row, value in rows:
                    if row > start.line:
                        yield text_of({field: value}, field, f"row {row} of {file}", chat), Place(start.file, row)
    except (pyarrow.ArrowException, OSError) as error:
        # pyarrow raises either of them for "not a Parquet file" and for "corrupt page".
        raise WorkerError(
            "broken_file",
            f"{file} is not a whole Parquet file: {str(error).splitlines()[0].rstrip('.')}.",
            hint="Copy or download the file again.",
        ) from error
