"""Tokens without a row in the model's embedding: padding never is one; a text with one is refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden import FOLDER
from transformers import AutoModelForCausalLM, AutoTokenizer

from dictlearn_worker import protocol as p
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models.language_model import LanguageModel
from dictlearn_worker.models.load import wrap
from dictlearn_worker.models.tokens import assemble, inputs_of
from dictlearn_worker.models.vocabulary import tokens_outside
from dictlearn_worker.text.contexts import Batch, Contexts
from dictlearn_worker.text.stream import ListedDocuments, TextStream

ROWS = 264
SAYS = r"\[PAD\].*holds the token '\[PAD\]' with the id 264, but the model's embedding ends at the id 263"


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """tiny-neox with a pad token in its tokenizer but not in its embedding."""
    module = AutoModelForCausalLM.from_pretrained(FOLDER / "tiny-neox")
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "tiny-neox")
    assert len(tokenizer) <= ROWS == module.config.vocab_size
    tokenizer.add_special_tokens({"additional_special_tokens": [f"[{n}]" for n in range(len(tokenizer), ROWS)]})
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert tokenizer.pad_token_id == ROWS
    return wrap(module, tokenizer, torch.device("cpu"))


def contexts(model: LanguageModel, documents: list[str], kind: str = "truncate", **switches: Any) -> Batch | None:
    chosen: dict[str, Any] = {"padding": "right", "keep": "mask", "pad_token": "own", "attention_mask": "tokens"}
    handle = p.Handle(0, 0)
    params = p.ContextsOpenParams(
        text=handle,
        model=handle,
        ctx_len=16,
        contexts=kind,
        exclude_special_tokens=False,
        drop_partial_batch=False,
        **(chosen | switches),
    )
    return Contexts(TextStream(ListedDocuments(documents)), model.shared_tokenizer, None, params).next(4)


@pytest.mark.parametrize("switches", [{}, {"padding": "left-unmasked"}, {"keep": "pad-token"}])
def test_padding_has_a_row(model: LanguageModel, switches: dict[str, str]) -> None:
    batch = contexts(model, ["one", "one, two and three"], **switches)
    assert batch is not None
    assert not batch.real.all()
    assert batch.ids.max() < ROWS
    assert model.module(input_ids=batch.ids, attention_mask=batch.mask).logits.isfinite().all()


@pytest.mark.parametrize("kind", ["pack", "truncate"])
def test_contexts_name_token_and_text(model: LanguageModel, kind: str) -> None:
    with pytest.raises(WorkerError, match=SAYS) as caught:
        contexts(model, ["one", "two [PAD] three"], kind)
    assert caught.value.code == "unknown_token"
    assert "resize_token_embeddings(265)" in (caught.value.hint or "")


def test_an_end_of_text_outside(model: LanguageModel) -> None:
    """It would follow every document."""
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "tiny-neox")
    tokenizer.add_special_tokens({"eos_token": "[END]"})
    other = LanguageModel(model.traced, model.module, tokenizer, model.device, None)
    object.__setattr__(other, "shared_tokenizer", type(model.shared_tokenizer)(tokenizer, tokenizer.eos_token_id))
    with pytest.raises(WorkerError, match=r"holds the token '\[END\]'"):
        contexts(other, ["one"], "pack")
    assert contexts(other, ["one"]) is not None


def prompts(*texts: str) -> p.Prompts:
    return p.Prompts(texts=list(texts), tokens=[])


def test_prompts_of_different_lengths(model: LanguageModel) -> None:
    """In a trace and in a generation, by nnsight; the shorter one has the same logits as alone."""
    together = prompts("one, two and three", "one")
    assert assemble(model, together)["input_ids"].max() < ROWS
    with torch.no_grad(), model.traced.trace(inputs_of(model, together)):
        batched = model.traced.output.logits.save()
    with torch.no_grad(), model.traced.trace(inputs_of(model, prompts("one"))):
        alone = model.traced.output.logits.save()
    torch.testing.assert_close(batched[1, -1], alone[0, -1])
    assert model.traced.generate(inputs_of(model, together), max_new_tokens=2) is not None


def test_prompts_name_token_and_text(model: LanguageModel) -> None:
    for texts in (["two [PAD] three"], ["one", "two [PAD] three, four"]):
        with pytest.raises(WorkerError, match=SAYS):
            assemble(model, prompts(*texts))
        with pytest.raises(WorkerError, match=SAYS), model.traced.trace(inputs_of(model, prompts(*texts))):
            pass


def test_what_is_outside(model: LanguageModel) -> None:
    assert tokens_outside(model.tokenizer, model.rows) == ["[PAD]"]
    assert tokens_outside(AutoTokenizer.from_pretrained(FOLDER / "tiny-neox"), ROWS) == []
    assert tokens_outside(model.tokenizer, None) == []
