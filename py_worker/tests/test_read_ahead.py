"""Text is read and tokenised ahead on a thread: only the timing differs."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_contexts_switches import END, tokenizer

from dictlearn_worker import protocol as p
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models.shared_tokenizer import SharedTokenizer
from dictlearn_worker.text.contexts import AHEAD, Contexts
from dictlearn_worker.text.stream import ListedDocuments, PushedStream, TextStream

CTX_LEN = 3


class Broken(ListedDocuments):
    """The data after the last document cannot be read."""

    def __next__(self) -> str:
        try:
            return super().__next__()
        except StopIteration:
            raise WorkerError("broken_file", "The rest is damaged.") from None


def contexts(text: TextStream, kind: str) -> Contexts:
    handle = p.Handle(0, 0)
    params = p.ContextsOpenParams(
        text=handle,
        model=handle,
        ctx_len=CTX_LEN,
        contexts=kind,
        padding="right",
        keep="mask",
        pad_token="own",
        attention_mask="tokens",
        exclude_special_tokens=False,
        drop_partial_batch=False,
    )
    return Contexts(text, SharedTokenizer(tokenizer(None)), None, params)


def expected(documents: list[str], kind: str) -> list[list[int]]:
    ids = [["abcd".index(letter) + 1 for letter in document] for document in documents]
    if kind == "truncate":
        return [each[:CTX_LEN] for each in ids if each]
    tokens = list(itertools.chain.from_iterable([*each, END] for each in ids if each))
    return [tokens[start : start + CTX_LEN] for start in range(0, len(tokens), CTX_LEN)]


def given_out(found: Contexts, count: int) -> list[list[int]]:
    batch = found.next(count)
    rows = [] if batch is None else zip(batch.ids.tolist(), batch.real.tolist(), strict=True)
    return [[token for token, real in zip(*row, strict=True) if real] for row in rows]


DOCUMENTS = st.lists(st.text("abcd", max_size=7), max_size=30)
CALLS = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["take", "put back", "resume"])), max_size=12)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, CALLS, st.sampled_from(["pack", "truncate"]), st.booleans())
def test_the_contexts_are_those_of_the_text(documents, calls, kind, broken) -> None:
    """In every order of calls, and from a state saved at any time; damage is reported where it is reached."""

    def opened() -> Contexts:
        return contexts(TextStream((Broken if broken else ListedDocuments)(documents)), kind)

    found, seen, damaged = opened(), [], False
    for count, then in [*calls, (100, "take"), (1, "take")]:
        try:
            rows = given_out(found, count)
            seen += rows
            if rows and then == "put back":
                found.put_back()
                del seen[-len(rows) :]
        except WorkerError:
            damaged = True
        if then == "resume":
            state = json.loads(json.dumps(found.state()))
            found = opened()
            found.restore(state)
    whole = expected(documents, kind)
    assert damaged == broken
    if broken:
        # Contexts before the damage that were not requested together with text after it.
        assert seen == whole[: len(seen)]
    else:
        assert seen == whole


def test_damage_does_not_cost_what_is_before_it() -> None:
    """Six contexts are sound; reading ahead has met the damage when the second half of them is requested."""
    found = contexts(TextStream(Broken(["ab"] * 6)), "truncate")
    assert given_out(found, 3) == given_out(found, 3) == [[1, 2]] * 3
    for _ in range(2):
        with pytest.raises(WorkerError, match="damaged"):
            found.next(1)


class Watched(ListedDocuments):
    """Waits for permission before the fourth document, and records which thread reads."""

    def __init__(self) -> None:
        super().__init__(["ab"] * 6)
        self.may_go_on, self.readers = threading.Event(), []

    def __next__(self) -> str:
        self.readers.append(threading.current_thread())
        if len(self.readers) == 4:
            assert self.may_go_on.wait(60)
        return super().__next__()


def test_the_caller_has_its_contexts_while_more_is_read() -> None:
    documents = Watched()
    found = contexts(TextStream(documents), "truncate")
    assert len(given_out(found, 3)) == 3
    documents.may_go_on.set()
    assert len(given_out(found, 3)) == 3
    assert [each is threading.main_thread() for each in documents.readers[:6]] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("kind", ["pack", "truncate"])
def test_a_script_is_not_asked_before_there_is_need(kind) -> None:
    """Pushed documents that are not needed stay in the queue, and more are requested only when too few are left."""
    text = PushedStream()
    found = contexts(text, kind)
    text.push(["abc"] * 100, end=False)
    assert len(given_out(found, 2)) == 2
    assert len(text.next_documents(1000)) == {"pack": 100 - 8, "truncate": 98}[kind]
    found.next(200)
    assert found.starved


class Slow(ListedDocuments):
    """Waits for permission before the document with this number."""

    def __init__(self, documents: list[str], number: int) -> None:
        super().__init__(documents)
        self.number, self.may_go_on, self.reached = number, threading.Event(), threading.Event()

    def __next__(self) -> str:
        if self._next == self.number:
            self.reached.set()
            assert self.may_go_on.wait(60)
        return super().__next__()


@pytest.mark.parametrize("kind", ["pack", "truncate"])
def test_who_finds_enough_does_not_wait_and_what_is_held_does_not_tell(kind) -> None:
    """Reading ahead is stalled; available contexts are returned meanwhile, and the state is that of a fast reader."""
    count, documents = 4, ["ab", "c", "abcd"] * 40
    slow, quick = (Slow(documents, 34) for _ in range(2))
    quick.may_go_on.set()
    found, other = (contexts(TextStream(each), kind) for each in (slow, quick))
    seen = given_out(found, count)
    found._settle()
    seen += given_out(found, count)
    assert slow.reached.wait(60)
    seen += given_out(found, count)
    assert not slow.may_go_on.is_set()
    slow.may_go_on.set()
    assert seen == expected(documents, kind)[: 3 * count]
    assert seen == [row for _ in range(3) for row in given_out(other, count)]
    assert found.state() == other.state()
    assert found._held() >= AHEAD * count


def test_threads_end_with_their_contexts() -> None:
    before = set(threading.enumerate())

    def used() -> Iterator[int]:
        for _ in range(5):
            found = contexts(TextStream(ListedDocuments(["ab"] * 9)), "pack")
            yield len(given_out(found, 2))

    assert list(used()) == [2] * 5
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
        assert not thread.is_alive()


def test_a_call_is_bounded_by_characters_and_by_documents() -> None:
    """At least one document, of any length; and none after enough characters."""
    for text in (TextStream(ListedDocuments(["aaaa"] * 9)), PushedStream()):
        if isinstance(text, PushedStream):
            text.push(["aaaa"] * 9, end=True)
        assert [len(text.next_documents(*each)) for each in ((3, 100), (9, 1), (9, 8), (9, 9), (9, 100))] == [
            3,
            1,
            2,
            3,
            0,
        ]
        assert text.ended


def test_a_state_of_before_there_were_arrays() -> None:
    """Tokens and contexts as lists; one of the two is empty."""
    text = {"documents": {"taken": 1, "of": 2}, "first": [], "ended": False, "number": 0}
    for kind, held in (("pack", [1, 2, 3, 4]), ("truncate", [])):
        found = contexts(TextStream(ListedDocuments(["a", "d"])), kind)
        found.restore({"text": text, "tokens": held, "contexts": [] if held else [[1, 2], [3]], "exhausted": False})
        assert given_out(found, 9) == ([[1, 2, 3], [4, 4, END]] if held else [[1, 2], [3], [4]])
