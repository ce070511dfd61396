"""Which files of a folder are read: those of a split if there are splits, else all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import dictlearn_worker.operations  # noqa: F401
from dictlearn_worker import protocol as p
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import HANDLERS, Context
from dictlearn_worker.text.stream import TextStream

README = """---
license: mit
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: held_out
    path: [data/held.jsonl, "more/**/*.txt"]
- config_name: short
  data_dir: data
  data_files: held.*
---
# Words
"""
DESCRIBED = {"README.md": README, "data/train-1.jsonl": "a", "data/held.jsonl": "b", "more/x/y.txt": "c", "z.txt": "d"}
PLAIN = {"b.txt": "b", "a.txt": "a"}
NAMED = {"data/train.jsonl": "a", "data/test.jsonl": "b"}
SHARDS = {f"data/{split}-{n:05}-of-00002-abc.jsonl": f"{split}{n}" for split in ("train_sft", "test") for n in (0, 1)}
FOLDERS = {"training/b.txt": "b", "training/x/a.txt": "a", "dev/c.txt": "c"}
TITLES = {"a train to Paris.txt": "a", "test.txt": "b", "training.txt": "c"}
ALONE = {"train.txt": "a", "notes.txt": "b"}


def read(folder: Path, files: dict[str, str], **keys: str | None) -> tuple[list[str], list[str]]:
    """The documents and the splits. A file holds one document, here its content."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"text": "{text}", "body": "x"}}' if name.endswith(".jsonl") else text)
    return opened(str(folder), **keys)


def opened(path: str, **keys: str | None) -> tuple[list[str], list[str]]:
    others = {"split": "train", "name": None, "text_field": "text", "txt_documents": "line"} | keys
    params = p.TextFilesParams(path=path, model=None, skip=0, shuffle_buffer=0, seed=0, part=None, cache="", **others)  # pyright: ignore
    context = Context(Objects())
    found = HANDLERS["text.files"](context, params)
    return context.objects.get(found.text, TextStream).next_documents(100), found.splits


READ = [
    (PLAIN, {}, ["a", "b"], []),
    (NAMED, {}, ["a"], ["test", "train"]),
    (NAMED, {"split": "test"}, ["b"], ["test", "train"]),
    (NAMED, {"split": "testing"}, ["b"], ["test", "train"]),
    (SHARDS, {"split": "train_sft"}, ["train_sft0", "train_sft1"], ["test", "train_sft"]),
    (FOLDERS, {}, ["b", "a"], ["train", "validation"]),
    (FOLDERS, {"split": "validation"}, ["c"], ["train", "validation"]),
    (FOLDERS, {"split": "val"}, ["c"], ["train", "validation"]),
    (ALONE, {}, ["b", "a"], []),
    (DESCRIBED, {}, ["a"], ["held_out", "train"]),
    (DESCRIBED, {"split": "held_out"}, ["b", "c"], ["held_out", "train"]),
    (DESCRIBED, {"name": "short"}, ["b"], ["train"]),
    # A description that matches no file, or cannot be read, is ignored.
    (PLAIN | {"README.md": README}, {}, ["a", "b"], []),
    (NAMED | {"README.md": "---\nconfigs: [\n---\n"}, {"split": "test"}, ["b"], ["test", "train"]),
]


@pytest.mark.parametrize(("files", "keys", "documents", "splits"), READ)
def test_a_split_is_read(tmp_path, files, keys, documents, splits):
    assert read(tmp_path, files, **keys) == (documents, splits)


REFUSED = [
    (NAMED, {"split": "no-such-split"}, "no split 'no-such-split': it has test, train", "Set data.split"),
    (SHARDS, {}, "no split 'train': it has test, train_sft", "Set data.split"),
    (PLAIN, {"split": "test"}, "no split 'test': its files belong to no split", "Leave data.split out"),
    (TITLES, {}, "splits test, train, and others that belong to none, a train to Paris.txt first", "Name one file"),
    (DESCRIBED, {"split": "test"}, "no split 'test': it has held_out, train", "Set data.split"),
    (DESCRIBED, {"name": "long"}, "no configuration 'long': it has default, short", "Set data.name"),
    (NAMED, {"name": "short"}, "data.name is 'short', but .* describes no configurations", "Leave data.name out"),
    (PLAIN, {"text_field": "body"}, "data.text_field is 'body', but .* have no fields", "Leave data.text_field out"),
    (NAMED, {"txt_documents": "file"}, "data.txt_documents is 'file', but there is no .txt", "Leave data.txt_docu"),
]


@pytest.mark.parametrize(("files", "keys", "says", "hint"), REFUSED)
def test_a_key_that_nothing_comes_of_is_a_mistake(tmp_path, files, keys, says, hint):
    with pytest.raises(WorkerError, match=says) as caught:
        read(tmp_path, files, **keys)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize("key", ["split", "name", "text_field", "txt_documents"])
@pytest.mark.parametrize("path", ["python-docs", "one.parquet"])
def test_on_what_has_no_such_thing_too(tmp_path, path, key):
    if path != "python-docs":
        path = str(tmp_path / "one.txt")
        Path(path).write_text("one")
    if key == "txt_documents" and path != "python-docs":
        return
    with pytest.raises(WorkerError, match=f"^data.{key} is ") as caught:
        opened(path, **{key: "file"})
    assert caught.value.code == "config"


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("a")
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / "linked").symlink_to("../real")
    (tmp_path / "real" / "circle").symlink_to("../ds")
    assert opened(str(tmp_path / "ds"))[0] == ["a"]
    (tmp_path / "real" / "b.txt").symlink_to("nowhere")
    with pytest.raises(WorkerError, match=r"linked/b\.txt is a link to \S+/real/nowhere, which does not exist"):
        opened(str(tmp_path / "ds"))
