"""A stream restored to another one's position continues with the same documents."""

from __future__ import annotations

import gzip
import itertools
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

# Anything that a document can contain: blank ones, several lines, letters of several bytes.
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
    state = stream.state()
    # In the second case the read part is read again.
    for changed in ((), {f"a{ending}", f"b{ending}"}):
        again = opened()
        again.restore(through_json(state), changed)
        assert again.next_documents(1000) == whole[taken:]
        assert again.ended


def test_a_plain_file_is_not_read_up_to_its_position(tmp_path):
    write(tmp_path / "a.jsonl", ["one", "two", "three"])
    stream = FileDocuments([Found(tmp_path / "a.jsonl", "")], "text", "line")
    assert [next(stream), next(stream)] == ["one", "two"]
    # The part that was read may be unreadable now.
    data = bytearray((tmp_path / "a.jsonl").read_bytes())
    data[:10] = b"\xff" * 10
    (tmp_path / "a.jsonl").write_bytes(data)
    again = FileDocuments([Found(tmp_path / "a.jsonl", "")], "text", "line")
    again.restore(stream.state())
    assert list(again) == ["three"]


@settings(max_examples=60, deadline=None)
@given(documents=DOCUMENTS, taken=st.integers(1, 12), number=st.integers(0, 11), other=st.text("ab", min_size=1))
def test_another_document_matters_where_it_was_read(tmp_path_factory, documents, taken, number, other):
    folder = tmp_path_factory.mktemp("text")
    write(folder / "a.jsonl", documents)
    stream = FileDocuments(find_files(str(folder)), "text", "line")
    read = list(itertools.islice(stream, taken))
    state = through_json(stream.state())
    changed = [other if index == number else document for index, document in enumerate(documents)]
    write(folder / "a.jsonl", changed)
    again = FileDocuments(find_files(str(folder)), "text", "line")
    there = [document for document in changed if document.strip()]
    # More text may follow only if the end had not been reached.
    ended = len(read) < taken
    if there[: len(read)] == read and not (ended and len(there) > len(read)):
        again.restore(state, {"a.jsonl"})
        assert list(again) == there[len(read) :]
    else:
        with pytest.raises(WorkerError, match="was changed since the run was started") as caught:
            again.restore(state, {"a.jsonl"})
        assert caught.value.code == "changed_input"


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
