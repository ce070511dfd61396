"""Loss effects against single ablations, direct effects against the model's own logits, neighbours."""

from __future__ import annotations

import re

import pytest
import torch
from test_evaluate_golden import Evaluated, call

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.features.loss_effects import total_cross_entropy
from dictlearn_worker.models.language_model import LanguageModel
from dictlearn_worker.models.splice import logits_with
from dictlearn_worker.text.contexts import Contexts

SIZE = 12
CONTEXTS = 4


def random_dictionary(d_in: int, d_out: int, *, scale: float, dtype: torch.dtype = torch.float64) -> AutoEncoder:
    """Columns of norm `scale`; features that fire on some of the rows."""
    generator = torch.Generator().manual_seed(5)
    dictionary = AutoEncoder(d_in, d_out, SIZE, dtype)
    with torch.no_grad():
        for parameter in dictionary.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        dictionary.decoder.weight.mul_(scale / dictionary.decoder.weight.norm(dim=0))
    return dictionary


@pytest.mark.parametrize(
    ("submodule", "io", "widths"),
    [
        ("gpt_neox.layers.0.mlp", "out", (32, 32)),
        ("gpt_neox.layers.1.attention", "out", (32, 32)),
        ("gpt_neox.layers.0", "out", (32, 32)),
        ("gpt_neox.layers.1.mlp", "in", (32, 32)),
        ("gpt_neox.layers.1.mlp", "in_to_out", (32, 32)),
        ("gpt_neox.layers.0.mlp.dense_4h_to_h", "in_to_out", (128, 32)),
    ],
)
@pytest.mark.parametrize("how", ["pack", "truncate"])
def test_loss_effects_are_ablations(submodule: str, io: str, widths: tuple[int, int], how: str) -> None:
    """With columns so short that second order is negligible, the estimate is the cost of each feature's ablation."""
    site = p.Site(submodule=submodule, io=io)
    dictionary = random_dictionary(*widths, scale=1e-4)
    evaluated = Evaluated(site, dictionary, dtype="float64")
    over = {"contexts": how, "padding": "right", "keep": "mask", "attention_mask": "tokens", "ctx_len": 24}
    context = evaluated.context
    found = call(
        context,
        "features.loss_effects",
        evaluation=evaluated.evaluation,
        contexts=evaluated.contexts(**over),
        n_contexts=CONTEXTS,
    )
    effects = torch.frombuffer(bytearray(context.reply_frames[0]), dtype=torch.float64)
    fired = torch.frombuffer(bytearray(context.reply_frames[1]), dtype=torch.int64)

    model = context.objects.get(evaluated.model, LanguageModel)
    batch = context.objects.get(evaluated.contexts(**over), Contexts).next(CONTEXTS)
    assert batch is not None
    counts = torch.zeros(SIZE, dtype=torch.int64)

    def loss_without(feature: int | None) -> float:
        def replace(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            f = dictionary.encode(x)
            if feature is None:
                counts.add_((f[batch.keep] != 0).sum(dim=0))
                return y
            gone = f[..., feature, None] * dictionary.decoder.weight[:, feature]
            return torch.where(batch.keep.unsqueeze(-1), y - gone, y)

        logits = logits_with(model, batch.ids, batch.mask, site, replace)
        return total_cross_entropy(logits, batch.ids, batch.real).item()

    untouched = loss_without(None)
    ablated = torch.tensor([loss_without(feature) - untouched for feature in range(SIZE)], dtype=torch.float64)
    assert found.contexts == CONTEXTS
    assert found.rows == int(batch.keep.sum())
    assert found.predictions == int(batch.real[:, 1:].sum())
    assert fired.tolist() == counts.tolist()
    assert (ablated.abs() > 1e-8).sum() >= SIZE // 2
    torch.testing.assert_close(effects, ablated, rtol=2e-3, atol=1e-3 * ablated.abs().max().item())


def test_direct_effects_are_the_logits_of_the_direction() -> None:
    """tiny-neox has a LayerNorm: gain * (d - mean d) through the unembedding, up to shift and scale."""
    dictionary = random_dictionary(32, 32, scale=1, dtype=torch.float32)
    with torch.no_grad():
        dictionary.decoder.weight[:, 3] = 0
    evaluated = Evaluated(p.Site(submodule="gpt_neox.layers.1.mlp", io="out"), dictionary)
    context = evaluated.context
    handle = context.objects.put(dictionary)
    features = [7, 3, 0]
    found = call(
        context, "features.direct_effects", model=evaluated.model, dictionary=handle, features=features, count=5
    ).effects
    model = context.objects.get(evaluated.model, LanguageModel)
    norm = model.submodule("gpt_neox.final_layer_norm")
    head = model.module.get_output_embeddings()
    vocabulary = len(model.tokenizer)
    for feature, each in zip(features, found, strict=True):
        d = dictionary.decoder.weight[:, feature].detach()
        if feature == 3:
            assert each.promoted == each.suppressed == []
            continue
        logits = head.weight[:vocabulary] @ (norm.weight * (d - d.mean()))
        expected = (logits - logits.mean()) / logits.std(correction=0)
        order = expected.argsort(descending=True).tolist()
        assert [token.token for token in each.promoted] == order[:5]
        assert [token.token for token in each.suppressed] == order[::-1][:5]
        for token in (*each.promoted, *each.suppressed):
            assert token.effect == pytest.approx(expected[token.token].item(), rel=1e-4)
            text = model.tokenizer.decode([token.token])
            # A part of a character is shown as its bytes: see test_pieces.py.
            assert (
                token.text == text if "\ufffd" not in text else re.fullmatch("⟨[0-9A-F]{2}( [0-9A-F]{2})*⟩", token.text)
            )


def test_a_direction_of_another_width_has_no_direct_effect() -> None:
    dictionary = random_dictionary(128, 128, scale=1)
    evaluated = Evaluated(p.Site(submodule="gpt_neox.layers.1.mlp", io="out"), None)
    handle = evaluated.context.objects.put(dictionary)
    with pytest.raises(WorkerError, match="a direction of width 128 is none of them") as error:
        call(
            evaluated.context,
            "features.direct_effects",
            model=evaluated.model,
            dictionary=handle,
            features=[0],
            count=1,
        )
    assert error.value.code == "no_unembedding"


def test_neighbours_are_the_columns_with_the_highest_cosine() -> None:
    dictionary = random_dictionary(32, 32, scale=1)
    with torch.no_grad():
        dictionary.decoder.weight[:, 4] = -2 * dictionary.decoder.weight[:, 1]
        dictionary.decoder.weight[:, 5] = 3 * dictionary.decoder.weight[:, 1]
        dictionary.decoder.weight[:, 6] = 0
    from dictlearn_worker.objects import Objects
    from dictlearn_worker.registry import Context

    context = Context(Objects())
    handle = context.objects.put(dictionary)
    found = call(context, "features.neighbours", dictionary=handle, features=[1, 6], count=100).neighbours
    assert [len(each) for each in found] == [SIZE - 1, SIZE - 1]
    of_one, of_zero = found
    assert of_one[0].feature == 5 and of_one[0].cosine == pytest.approx(1)
    assert of_one[-1].feature == 4 and of_one[-1].cosine == pytest.approx(-1)
    assert {each.cosine for each in of_zero} == {0}
    decoder = dictionary.decoder.weight.detach()
    unit = decoder / decoder.norm(dim=0)
    for each in of_one:
        expected = 0.0 if each.feature == 6 else float(unit[:, 1] @ unit[:, each.feature])
        assert each.cosine == pytest.approx(expected, abs=1e-6)


def test_the_norm_before_the_unembedding_is_found() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    from dictlearn_worker.features.direct_effects import final_norm

    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2
    )
    module = LlamaForCausalLM(config).eval()
    model = LanguageModel(traced=None, module=module, tokenizer=None, device=torch.device("cpu"), max_context=None)
    head = module.lm_head
    assert final_norm(model, head) is module.model.norm
