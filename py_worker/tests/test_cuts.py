"""A long document is tokenised in pieces: the tokens are those of the whole, and a run resumes in its middle."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from golden import FOLDER
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from dictlearn_worker import protocol as p
from dictlearn_worker.models.shared_tokenizer import SharedTokenizer
from dictlearn_worker.text import contexts as module
from dictlearn_worker.text.contexts import Contexts
from dictlearn_worker.text.cuts import COMPARED, next_cut
from dictlearn_worker.text.stream import ListedDocuments, TextStream

WORDS = ["the", "cat,", "sat", "on", "(a)", "mat.", "while", "", "seven", "1234", "dogs\nran", "naïve", "don't"]
WORDS += ["hills!\n\nand", "cold\trivers", "Ελληνικά"]
random.seed(0)
PROSE = " ".join(random.choice(WORDS) for _ in range(3000))
CHINESE = "".join(random.choice("一二三四五六七八九十。,") for _ in range(9000))


def bpe(pre: Any, normalizer: Any = None, **options: Any) -> PreTrainedTokenizerFast:
    """Trained on the prose, so it has tokens of whole words and of several marks."""
    tokenizer = Tokenizer(models.BPE(unk_token="[?]", fuse_unk=True))
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["[?]", "[A]", "[B]"], initial_alphabet=alphabet, show_progress=False
    )
    # Without a split, merges would cross words; sentencepiece does not train those.
    space = "" if isinstance(normalizer, normalizers.Sequence) else " "
    tokenizer.train_from_iterator([PROSE] if pre is not None else [space + each for each in PROSE.split(" ")], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="[A] $A", special_tokens=[("[A]", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="[A]", eos_token="[B]", **options)


def metaspace(**options: Any) -> Any:
    return pre_tokenizers.Metaspace(**options)


CL100K = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TOKENIZERS = {
    "neox": lambda: AutoTokenizer.from_pretrained(FOLDER / "tiny-neox"),
    "gpt2": lambda: bpe(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "with a space in front": lambda: bpe(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "llama 3": lambda: bpe(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(CL100K), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    ),
    "metaspace": lambda: bpe(metaspace(prepend_scheme="always")),
    "metaspace at the first word": lambda: bpe(metaspace(prepend_scheme="first")),
    "llama 2": lambda: bpe(None, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
    "gemma": lambda: bpe(None, normalizers.Replace(" ", "▁")),
    "words": lambda: bpe(pre_tokenizers.Whitespace(), normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])),
}


MARKED = ("words", "with a space in front", "metaspace", "metaspace at the first word", "llama 2")


def pieces(document: str, size: int, tokenizer: SharedTokenizer) -> list[list[int]]:
    def ids(texts: list[str]) -> list[list[int]]:
        return tokenizer.ids(texts, special_tokens=False, most=None)

    found, start = [], 0
    while start < len(document):
        end, begin = next_cut(document, start, size, ids)
        assert start < end <= start + size
        found += ids([document[start:end]])
        start = begin
    return found


@pytest.mark.parametrize(
    ("name", "text"),
    # Without white space a text is one word for some tokenisers, or has a mark in front of every piece.
    [(name, "prose") for name in TOKENIZERS] + [(name, "chinese") for name in TOKENIZERS if name not in MARKED],
)
def test_the_pieces_have_the_tokens_of_the_whole(name: str, text: str) -> None:
    document = {"prose": PROSE, "chinese": CHINESE}[text]
    tokenizer = SharedTokenizer(TOKENIZERS[name]())
    (whole,) = tokenizer.ids([document], special_tokens=False, most=None)
    found = pieces(document, 1000, tokenizer)
    assert len(found) > 8
    assert [each for ids in found for each in ids] == whole


def test_text_without_any_place_to_cut() -> None:
    found = pieces("a" * 3500, 1000, SharedTokenizer(TOKENIZERS["gpt2"]()))
    assert len(found) == 4


def opened(documents: list[str], kind: str, tokenizer: Any) -> Contexts:
    handle = p.Handle(0, 0)
    params = p.ContextsOpenParams(
        text=handle,
        model=handle,
        ctx_len=16,
        contexts=kind,
        padding="right",
        keep="mask",
        pad_token="own",
        attention_mask="tokens",
        exclude_special_tokens=False,
        drop_partial_batch=False,
    )
    return Contexts(TextStream(ListedDocuments(documents)), SharedTokenizer(tokenizer), None, params)


def drain(found: Contexts, count: int = 7) -> list[list[int]]:
    rows = []
    while (batch := found.next(count)) is not None:
        for ids, real in zip(batch.ids, batch.real, strict=True):
            rows.append(ids[real].tolist())
    return rows


@pytest.mark.parametrize("kind", ["pack", "truncate"])
@pytest.mark.parametrize("name", ["gpt2", "llama 2", "words", "gpt2 on the left"])
def test_contexts(monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    """They are those of documents tokenised whole, also after a resume in the middle of one."""
    tokenizer = TOKENIZERS[name.removesuffix(" on the left")]()
    tokenizer.truncation_side = "left" if name.endswith("left") else "right"
    documents = ["short", PROSE[:5000], "", "a b", PROSE[5000:] + "  \n", PROSE[:999], "end"]
    whole = drain(opened(documents, kind, tokenizer))
    monkeypatch.setattr(module, "LONGEST", 1000)
    monkeypatch.setattr(module, "LEAST_OF_LONG", 40)
    monkeypatch.setattr(module, "CHARACTERS_OF_LONG", 1)
    longest = []
    original = SharedTokenizer.ids

    def watched(self: SharedTokenizer, texts: list[str], **options: Any) -> list[list[int]]:
        longest.append(max(map(len, texts)))
        return original(self, texts, **options)

    monkeypatch.setattr(SharedTokenizer, "ids", watched)
    assert drain(opened(documents, kind, tokenizer)) == whole
    assert max(longest) <= (1000 if kind == "pack" else 2 * COMPARED)
    for taken in range(0, 60, 9):
        first = opened(documents, kind, tokenizer)
        rows = []
        for _ in range(taken):
            batch = first.next(1)
            rows += [] if batch is None else [batch.ids[0][batch.real[0]].tolist()]
        again = opened(documents, kind, tokenizer)
        again.restore(json.loads(json.dumps(first.state())))
        assert rows + drain(again) == whole
