"""Batches that nnsight does not take apart: the model's arguments and results are the same as if it did."""

from __future__ import annotations

import pytest
import torch
from golden import FOLDER

from dictlearn_worker.models.language_model import LanguageModel
from dictlearn_worker.models.load import load_pretrained, wrap

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    module, tokenizer = load_pretrained("tiny-neox", str(FOLDER / "tiny-neox"), None, "float32", CPU, trust=False)
    return wrap(module, tokenizer, CPU)


def logits(model: LanguageModel, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The result of a trace, and the arguments of the model's call."""
    given = {}

    def see(_, args, kwargs) -> None:
        assert args == ()
        given.update(kwargs)

    handle = model.module.register_forward_pre_hook(see, with_kwargs=True)
    with torch.no_grad(), model.traced.trace(inputs, use_cache=False):
        found = model.traced.output.logits.save()
    handle.remove()
    return found, given


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("masked", ["padded", "full", "none"])
def test_the_model_gets_the_same(monkeypatch, model, masked, side) -> None:
    """For either padding side of the tokeniser: these are already padded, after the text."""
    monkeypatch.setattr(model.tokenizer, "padding_side", side)
    ids = torch.randint(1, 200, (3, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    if masked == "padded":
        mask[1, 5:] = mask[2, 1:] = 0
    plain = {"input_ids": ids} if masked == "none" else {"input_ids": ids, "attention_mask": mask}
    ours = model.inputs(ids, None if masked == "none" else mask)
    (expected, by_nnsight), (found, given) = logits(model, plain), logits(model, ours)
    assert list(given) == list(by_nnsight)
    for name, value in by_nnsight.items():
        assert torch.equal(torch.as_tensor(given[name]), torch.as_tensor(value))
    assert given["input_ids"] is ours["input_ids"]
    assert torch.equal(found, expected)


def test_prompts_are_still_nnsights(model) -> None:
    """Texts of several lengths, and several invokes next to a batch of ids."""
    with torch.no_grad(), model.traced.trace(["a", "a longer one"], use_cache=False):
        found = model.traced.output.logits.save()
    assert found.shape[0] == 2
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad(), model.traced.trace(use_cache=False) as tracer:
        with tracer.invoke({"input_ids": ids}):
            first = model.traced.output.logits.save()
        with tracer.invoke({"input_ids": ids}):
            second = model.traced.output.logits.save()
    torch.testing.assert_close(first, second)
    assert first.shape[:2] == (1, 3)
