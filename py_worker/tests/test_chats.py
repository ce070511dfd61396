"""The tokenizer's template turns chats into text, from every kind of file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from golden import FOLDER
from pyarrow import parquet
from transformers import AutoTokenizer

from dictlearn_worker.errors import WorkerError
from dictlearn_worker.text.chats import chat_writer
from dictlearn_worker.text.file_documents import FileDocuments
from dictlearn_worker.text.files import find_files
from dictlearn_worker.text.hub import DatasetDocuments

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('No tools.') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}\n{% endfor %}"
)
CHAT = [{"role": "user", "content": "one?"}, {"role": "assistant", "content": "two"}]
TEXT = "<user>one?\n<assistant>two\n"


def tokenizer(template: str | None = TEMPLATE) -> Any:
    found = AutoTokenizer.from_pretrained(FOLDER / "tiny-neox")
    found.chat_template = template
    assert found.bos_token
    return found


def read(path: Path, field: str = "messages", template: str | None = TEMPLATE) -> list[str]:
    return list(FileDocuments(find_files(str(path)), field, "line", chat_writer(tokenizer(template))))


CHATS = {
    "roles": CHAT,
    "from and value": [{"from": "human", "value": "one?"}, {"from": "gpt", "value": "two"}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "?"}]}, CHAT[1]],
}


@pytest.mark.parametrize("name", CHATS)
def test_json_lines(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"messages": CHATS[name]}) + '\n{"messages": "text"}\n{"messages": null}'
    )
    assert read(tmp_path / "a.jsonl") == [TEXT, "text"]


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"messages": CHAT}, {"messages": CHAT}], indent=1))
    parquet.write_table(pyarrow.table({"messages": [CHAT]}), tmp_path / "b.parquet")
    assert read(tmp_path / "a.json") == [TEXT] * 2
    assert read(tmp_path / "b.parquet") == [TEXT]
    chat = chat_writer(tokenizer())
    rows = DatasetDocuments([{"messages": CHAT}], "d", "train", "messages", rewinds=False, chat=chat)
    assert list(rows) == [TEXT]


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"messages": [{"role": "user", "content": "a \\ud83d"}]}')
    assert read(tmp_path / "a.jsonl") == ["<user>a \ufffd\n"]


@pytest.mark.parametrize(
    ("value", "template", "says"),
    [
        (CHAT, None, "Line 1 of .*a.jsonl holds a chat, but the model's tokenizer has no chat template"),
        ([{"role": "tool", "content": ""}], TEMPLATE, "The chat in line 1 of .* does not fit .* template: No tools"),
        ([1, 2], TEMPLATE, "The field 'messages' in line 1 of .* is not text but list"),
        ([], TEMPLATE, "is not text but list"),
    ],
)
def test_one_sentence(tmp_path: Path, value: Any, template: str | None, says: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": value}))
    with pytest.raises(WorkerError, match=says):
        read(tmp_path / "a.jsonl", template=template)


def test_the_hint_for_a_missing_field_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": CHAT}))
    with pytest.raises(WorkerError) as caught:
        read(tmp_path / "a.jsonl", "text")
    assert "messages" in (caught.value.hint or "")
    assert read(tmp_path / "a.jsonl", "messages") == [TEXT]
