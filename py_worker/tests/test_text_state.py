"""A stream of text that is taken up where another one stood goes on with the same documents."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from dictlearn_worker.errors import WorkerError
from dictlearn_worker.found_files import Found
from dictlearn_worker.text.file_documents import FileDocuments
from dictlearn_worker.text.files import find_files
from dictlearn_worker.text.hub import DatasetDocuments, open_dataset
from dictlearn_worker.text.stream import ListedDocuments, Prepared, PushedStream, TextStream

# Anything that can stand in a document: blank ones, several lines, letters of several bytes.
DOCUMENTS = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=9), max_size=12)


def write(path: Path, documents: list[str]) -> None:
    lines = "".join(json.dumps({"text": document}) + "\n" for document in documents).encode()
    if path.name.endswith(".txt"):
        path.write_text("\ufeff" + "\n".join(documents))
    elif path.name.endswith(".parquet"):
        table = pyarrow.table({"text": pyarrow.array(documents, pyarrow.string())})
        parquet.write_table(table, path, row_group_size=3)
    elif path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines))
    elif path.name.endswith(".zst"):
        # Two frames in one file.
        packer = zstandard.ZstdCompressor()
        path.write_bytes(packer.compress(lines[: len(lines) // 2]) + packer.compress(lines[len(lines) // 2 :]))
    else:
        path.write_bytes(lines)


def through_json(state: dict) -> dict:
    return json.loads(json.dumps(state))


@pytest.mark.parametrize(
    ("ending", "unit"),
    [(".jsonl", "line"), (".jsonl.gz", "line"), (".jsonl.zst", "line"), (".parquet", "line")]
    + [(".txt", unit) for unit in ("line", "paragraph", "file")],
)
@settings(max_examples=60, deadline=None)
@given(first=DOCUMENTS, second=DOCUMENTS, taken=st.integers(0, 24), skip=st.integers(0, 3), window=st.integers(0, 5))
def test_files(tmp_path_factory, ending, unit, first, second, taken, skip, window):
    folder = tmp_path_factory.mktemp("text")
    write(folder / f"a{ending}", first)
    write(folder / f"b{ending}", second)

    def opened() -> TextStream:
        documents = FileDocuments(find_files(str(folder)), "text", unit)
        return TextStream(Prepared(documents, skip, window, seed=3)).peek()

    whole = opened().next_documents(1000)
    stream = opened()
    head = stream.next_documents(taken)
    assert head == whole[:taken]
    again = opened()
    again.restore(through_json(stream.state()))
    assert again.next_documents(1000) == whole[taken:]
    assert again.ended


def test_a_plain_file_is_not_read_up_to_its_position(tmp_path):
    write(tmp_path / "a.jsonl", ["one", "two", "three"])
    stream = FileDocuments([Found(tmp_path / "a.jsonl", "")], "text", "line")
    assert [next(stream), next(stream)] == ["one", "two"]
    # What was read before may be unreadable by now.
    data = bytearray((tmp_path / "a.jsonl").read_bytes())
    data[:10] = b"\xff" * 10
    (tmp_path / "a.jsonl").write_bytes(data)
    again = FileDocuments([Found(tmp_path / "a.jsonl", "")], "text", "line")
    again.restore(stream.state())
    assert list(again) == ["three"]


@pytest.mark.parametrize("shuffle", [0, 4])
@pytest.mark.parametrize("taken", [0, 1, 5, 12, 13])
def test_dataset(tmp_path, shuffle, taken):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.jsonl", [f"{name}{number}" if number % 5 else "" for number in range(8)])

    def opened() -> TextStream:
        dataset = open_dataset(str(tmp_path), None, "train", None)
        if shuffle:
            dataset = dataset.shuffle(seed=1, buffer_size=shuffle)
        return TextStream(DatasetDocuments(dataset, "d", "train", "text", rewinds=shuffle == 0)).peek()

    whole = opened().next_documents(1000)
    assert len(whole) == 12
    stream = opened()
    stream.next_documents(taken)
    again = opened()
    again.restore(through_json(stream.state()))
    assert again.next_documents(1000) == whole[taken:]


def test_listed_documents_know_another_list():
    state = ListedDocuments(["one", "two"]).state()
    with pytest.raises(WorkerError) as caught:
        ListedDocuments(["one"]).restore(state)
    assert caught.value.code == "changed_input"


def test_a_script_cannot_be_rewound():
    with pytest.raises(WorkerError) as caught:
        PushedStream().state()
    assert caught.value.code == "cannot_rewind"
