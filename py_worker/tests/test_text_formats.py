"""The other content of real files: it is read past, or refused with the right reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from dictlearn_worker.errors import WorkerError
from dictlearn_worker.text.file_documents import FileDocuments
from dictlearn_worker.text.files import find_files

GOOD = b'{"text": "one"}\n{"text": "two"}\n'
BOM = b"\xef\xbb\xbf"
DEEP = b"[" * 100_000 + b"]" * 100_000


def read(path: Path, field: str = "text", unit: str = "line") -> list[str]:
    return list(FileDocuments(find_files(str(path)), field, unit))


def lines(**other: str) -> bytes:
    """Two records, the first with one more field, whose JSON is given."""
    ((name, value),) = other.items()
    return f'{{"text": "one", "{name}": {value}}}\n{{"text": "two"}}\n'.encode()


READ = {
    "NaN": ("a.jsonl", lines(score="NaN")),
    "-Infinity": ("a.jsonl", lines(score="[-Infinity, Infinity]")),
    "a number out of range": ("a.jsonl", lines(score="1e999")),
    "a number of many digits": ("a.jsonl", lines(score="[NaN, " + "1" * 5000 + "]")),
    "half a surrogate pair in another field": ("a.jsonl", lines(title='"\\ud83d"')),
    "a tab in another field": ("a.jsonl", lines(title='"a\tb"')),
    "Latin-1 in another field": ("a.jsonl", lines(title='"caf?"').replace(b"?", b"\xe9")),
    "Latin-1 and NaN in other fields": ("a.jsonl", lines(title='["caf?", NaN]').replace(b"?", b"\xe9")),
    "a byte order mark": ("a.jsonl", BOM + GOOD),
    "joined files": ("a.jsonl", BOM + BOM + GOOD.replace(b"\n", b"\n" + BOM)),
    "joined text files": ("a.txt", BOM + b"one\n" + BOM + b"two\n"),
    "lines that end as on old Macs": ("a.txt", b"one\rtwo\r"),
    "lines that end in three ways": ("a.txt", b"one\r\r\n\ntwo"),
    "records on lines of old Macs": ("a.jsonl", GOOD.replace(b"\n", b"\r")),
    "capitals": ("A.JSONL", GOOD),
    "capitals of text": ("A.TXT", b"one\ntwo"),
    "capitals of a packed file": ("A.JSONL.GZ", gzip.compress(GOOD)),
    "another name of JSON lines": ("a.ndjson", GOOD),
    "packed text": ("a.txt.gz", gzip.compress(b"one\ntwo")),
    "JSON lines with the ending of JSON": ("a.json", GOOD),
    "a list": ("a.json", b'\n[{"text": "one"},\n {"text": "two", "n": NaN}]\n'),
    "a list behind a byte order mark": ("a.json", BOM + b'[{"text": "one"}, {"text": "two"}]'),
    "records over several lines": (
        "a.json",
        json.dumps({"text": "one"}, indent=2).encode() * 1 + b'\n{"text":\n"two"}',
    ),
    "a packed list": ("a.json.gz", gzip.compress(b'[{"text": "one"}, {"text": "two"}]')),
    "a list packed with zstd": ("a.json.zst", zstandard.compress(b'[{"text": "one"}, {"text": "two"}]')),
    "a list with Latin-1 in another field": ("a.json", b'[{"text": "one", "o": "\xe9"}, {"text": "two"}]'),
    "several members": ("a.jsonl.gz", gzip.compress(GOOD[:20]) + gzip.compress(b"") + gzip.compress(GOOD[20:])),
    "members after zeros": ("a.jsonl.gz", gzip.compress(GOOD[:20]) + b"\0" * 9 + gzip.compress(GOOD[20:]) + b"\0" * 9),
    "garbage after the last member": ("a.jsonl.gz", gzip.compress(GOOD) + b"garbage"),
    "one byte of garbage": ("a.jsonl.gz", gzip.compress(GOOD) + b"\x1f"),
}


@pytest.mark.parametrize("name", READ)
def test_both_documents_are_read(tmp_path: Path, name: str) -> None:
    file, data = READ[name]
    (tmp_path / file).write_bytes(data)
    assert read(tmp_path / file) == ["one", "two"]
    # Also from after the first one.
    again = FileDocuments(find_files(str(tmp_path / file)), "text", "line")
    next(again)
    state = json.loads(json.dumps(again.state()))
    again = FileDocuments(find_files(str(tmp_path / file)), "text", "line")
    again.restore(state)
    assert list(again) == ["two"]


REFUSED = {
    "cut off": ("a.jsonl", GOOD + b'{"text": "thr\n', "Line 3 of .*a.jsonl is not valid JSON: unterminated string"),
    "two records on a line": (
        "a.jsonl",
        GOOD + b'{"text": "a"}{"text": "b"}',
        "Line 3 of .*after the end of the record",
    ),
    "too deep": ("a.jsonl", GOOD + b'{"text": "a", "b": ' + DEEP + b"}", "Line 3 of .* nested too deeply"),
    "Latin-1 in the field": ("a.jsonl", GOOD + b'{"text": "caf\xe9"}', "Line 3 of .*a.jsonl is not UTF-8"),
    "Latin-1 in the field, and NaN": ("a.jsonl", GOOD + b'{"text": "caf\xe9", "n": NaN}', "Line 3 of .* not UTF-8"),
    "no object": ("a.jsonl", GOOD + b'"three"', "must be a JSON object, but line 3 of"),
    "a list that is cut off": (
        "a.json",
        b'[{"text": "one"},\n{"text": "two"},\n',
        "Line 3 of .*a.json is not valid JSON: the list",
    ),
    "a record that is cut off": (
        "a.json",
        b'[{"text": "one"},\n{"text": "two"},\n{"text"',
        "Line 3 of .* is not valid JSON: expecting",
    ),
    "a mistake in a list": (
        "a.json",
        b'[{"text": "one"},\n{"text": "two"},\n{text: ' + b" " * 99,
        "Line 3 of .* is not valid JSON: expecting",
    ),
    "a list with Latin-1 in the field": (
        "a.json",
        b'[{"text": "one"}, {"text": "two"}, {"text": "caf\xe9"}]',
        "A field of .*a.json is not UTF-8",
    ),
    "a gzip file cut off": ("a.jsonl.gz", gzip.compress(GOOD)[:-4], "a.jsonl.gz is damaged or cut off"),
    "a second member cut off": ("a.jsonl.gz", gzip.compress(GOOD) + gzip.compress(GOOD)[:-9], "is damaged or cut off"),
    "no gzip file": ("a.jsonl.gz", GOOD, "a.jsonl.gz is damaged or cut off"),
    "a damaged gzip file": ("a.jsonl.gz", gzip.compress(GOOD)[:-8] + bytes(8), "a.jsonl.gz is damaged or cut off"),
    "a damaged zstd file": ("a.jsonl.zst", zstandard.compress(GOOD)[:-4], "a.jsonl.zst is damaged or cut off"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_sentence_names_file_and_line(tmp_path: Path, name: str) -> None:
    file, data, says = REFUSED[name]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(WorkerError, match=says):
        read(tmp_path / file)


@pytest.mark.parametrize("file", ["a.jsonl", "a.json"])
def test_half_a_surrogate_pair_becomes_a_replacement_character(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b'{"text": "a \\ud83d b \\ud83e\\uddea \\udea0"}\n')
    assert read(tmp_path / file) == ["a \ufffd b \U0001f9ea \ufffd"]


@pytest.mark.parametrize("field", ['a "b"', "a\\b", "naïve", ""])
def test_every_name_of_a_field(tmp_path: Path, field: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"a": 1, field: "one"}) + "\n")
    assert read(tmp_path / "a.jsonl", field) == ["one"]


def test_a_list_is_read_part_by_part(tmp_path: Path) -> None:
    """Values longer than a part, and more of them than one."""
    documents = [f"é{number} " * (1 + number * 997 % 30_000) for number in range(40)]
    (tmp_path / "a.json").write_text(json.dumps([{"text": each} for each in documents], ensure_ascii=False))
    assert read(tmp_path / "a.json") == documents


def test_a_file_of_metadata_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "dataset_infos.json").write_text('{"default": {}}')
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    assert read(tmp_path) == ["one", "two"]
    (tmp_path / "a.jsonl").rename(tmp_path / "dataset_infos.json")
    assert read(tmp_path) == ["one", "two"]


def frame(window: int) -> bytes:
    """A zstandard frame of one raw block that asks for a window of 2**`window` bytes (RFC 8878)."""
    block = (len(GOOD) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + bytes([0, (window - 10) << 3]) + block + GOOD


def test_zstd_windows(tmp_path: Path) -> None:
    """As `zstd --long=31` writes them. A larger window is not damage."""
    (tmp_path / "a.jsonl.zst").write_bytes(frame(20) + frame(31))
    assert read(tmp_path / "a.jsonl.zst") == ["one", "two"] * 2
    (tmp_path / "a.jsonl.zst").write_bytes(frame(33))
    with pytest.raises(WorkerError, match="needs more memory to decompress"):
        read(tmp_path / "a.jsonl.zst")


def test_parquet_columns(tmp_path: Path) -> None:
    """Other columns are not read; a row that is not UTF-8 is named."""
    table = pyarrow.table({"text": ["one", None, "two"], "other": pyarrow.array([b"\xff", b"", b""]).view("string")})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == ["one", "two"]
    with pytest.raises(WorkerError, match=r"Row 1 of .*a\.parquet is not UTF-8"):
        read(tmp_path / "a.parquet", "other")


def test_long_rows_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a file with rows of a megabyte, few are held at once."""
    asked = []
    original = parquet.ParquetFile.iter_batches
    monkeypatch.setattr(
        parquet.ParquetFile,
        "iter_batches",
        lambda self, **options: asked.append(options["batch_size"]) or original(self, **options),
    )
    documents = [f"{number} " * 300_000 for number in range(3)]
    parquet.write_table(pyarrow.table({"text": documents}), tmp_path / "a.parquet", use_dictionary=False)
    assert read(tmp_path / "a.parquet") == documents
    parquet.write_table(pyarrow.table({"text": ["a", "b"]}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == ["a", "b"]
    assert asked[0] <= 2
    assert asked[1] == 256
