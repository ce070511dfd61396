"""Text that is reserved for evaluation: which documents each part takes, from every kind of stream."""

from __future__ import annotations

import pytest

import dictlearn_worker.operations  # noqa: F401
from dictlearn_worker import protocol as p
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import HANDLERS, Context
from dictlearn_worker.text.stream import TextStream

DOCUMENTS = [f"document {number}" for number in range(25)]


def stream(context: Context, tmp_path, *, take: str | None, skip: int = 0, shuffle_buffer: int = 0) -> list[str]:
    path = tmp_path / "texts.txt"
    # Blank lines are not documents, so they have no number.
    path.write_text("\n\n".join(DOCUMENTS), encoding="utf-8")
    params = p.TextFilesParams(
        path=str(path),
        text_field="text",
        model=None,
        txt_documents="line",
        split="train",
        name=None,
        skip=skip,
        shuffle_buffer=shuffle_buffer,
        seed=3,
        part=None if take is None else p.Part(every=10, take=take),  # pyright: ignore[reportArgumentType]
        cache=str(tmp_path),
    )
    opened = HANDLERS["text.files"](context, params)
    return context.objects.get(opened.text, TextStream).next_documents(100)


def test_every_tenth_document_behind_the_skipped_ones(tmp_path) -> None:
    context = Context(Objects())
    assert stream(context, tmp_path, take="evaluation") == [DOCUMENTS[9], DOCUMENTS[19]]
    assert stream(context, tmp_path, take="evaluation", skip=3) == [DOCUMENTS[12], DOCUMENTS[22]]
    assert stream(context, tmp_path, take="training", skip=3) == [
        document for number, document in enumerate(DOCUMENTS) if number > 2 and number not in (12, 22)
    ]


@pytest.mark.parametrize("shuffle_buffer", [0, 4, 100])
def test_the_parts_are_disjoint_and_make_up_the_whole(tmp_path, shuffle_buffer: int) -> None:
    context = Context(Objects())
    parts = [stream(context, tmp_path, take=take, shuffle_buffer=shuffle_buffer) for take in ("training", "evaluation")]
    assert sorted(parts[0] + parts[1]) == sorted(DOCUMENTS)
    assert len(parts[1]) == 2
    assert stream(context, tmp_path, take="evaluation", shuffle_buffer=shuffle_buffer) == parts[1]


def test_pushed_documents_are_numbered_across_messages() -> None:
    context = Context(Objects())
    part = p.Part(every=3, take="evaluation")
    text = HANDLERS["text.pushed"](context, p.TextPushedParams(part=part)).text
    for start in range(0, 25, 5):
        documents = [" ", *DOCUMENTS[start : start + 5]]
        HANDLERS["text.push"](context, p.TextPushParams(text=text, documents=documents, end=start == 20))
    found = context.objects.get(text, TextStream).next_documents(100)
    assert found == DOCUMENTS[2::3]
