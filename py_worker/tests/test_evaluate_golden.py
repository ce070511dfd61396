"""The sums of evaluation against the golden statistics of the reference, and against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from golden import FOLDER, Batches, case

import dictlearn_worker.operations  # noqa: F401
from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import HANDLERS, Context

CASES = ["out", "in", "in_to_out"]
# The tokens of the golden cases are these texts, cut to 32 tokens.
SKIP, CONTEXTS = 48, 16


def call(context: Context, name: str, /, **params: object):
    """Runs one operation as the loop would."""
    return HANDLERS[name](context, p.DATA_METHODS[name][0](**params))


class Evaluated:
    """tiny-neox, its texts from `skip` on, and a dictionary, read as the reference reads them."""

    def __init__(self, site: p.Site, dictionary: AutoEncoder | None, *, dtype: str | None = None) -> None:
        self.context = Context(Objects())
        self.site = site
        self.model = call(
            self.context,
            "model.load",
            path=str(FOLDER / "tiny-neox"),
            revision=None,
            trust_remote_code=False,
            device="cpu",
            dtype=dtype,
            cache="",
        ).model
        if dictionary is not None:
            self.open(dictionary)

    def open(self, dictionary: AutoEncoder) -> None:
        self.evaluation = call(
            self.context,
            "evaluate.open",
            dictionary=self.context.objects.put(dictionary),
            model=self.model,
            site=self.site,
        ).evaluation

    def contexts(self, **over: object):
        text = call(
            self.context,
            "text.files",
            path=str(FOLDER / "texts.jsonl"),
            text_field="text",
            model=None,
            txt_documents="line",
            split="train",
            name=None,
            skip=SKIP,
            shuffle_buffer=0,
            seed=0,
            part=None,
            cache="",
        ).text
        settings: dict = {
            "ctx_len": 32,
            "contexts": "truncate",
            "padding": "left-unmasked",
            "keep": "pad-token",
            "pad_token": "end-of-text",
            "attention_mask": "none",
            "exclude_special_tokens": False,
            "drop_partial_batch": True,
        }
        opened = call(self.context, "contexts.open", text=text, model=self.model, **(settings | over))
        return opened.contexts

    def measure(self, replace: str = "all", **over: object):
        batch = {"evaluation": self.evaluation, "n_contexts": CONTEXTS}
        call(
            self.context,
            "evaluate.gather",
            **batch,
            contexts=self.contexts(**over),
            mean_contexts=CONTEXTS,
            count_rows=[],
        )
        return call(
            self.context, "evaluate.contexts", **batch, contexts=self.contexts(**over), replace=replace, losses=True
        )


def golden_dictionary(tensors: dict[str, torch.Tensor]) -> AutoEncoder:
    state = {key.removeprefix("dictionary."): value for key, value in tensors.items() if key.startswith("dictionary.")}
    size, width = state["encoder.weight"].shape
    dictionary = AutoEncoder(width, width, size, torch.float32)
    dictionary.load_state_dict(state)
    return dictionary


def identity(width: int) -> AutoEncoder:
    """f = ReLU([x, -x]), which reconstructs x exactly."""
    dictionary = AutoEncoder(width, width, 2 * width, torch.float32)
    eye = torch.eye(width)
    dictionary.load_state_dict(
        {
            "bias": torch.zeros(width),
            "encoder.weight": torch.cat([eye, -eye]),
            "encoder.bias": torch.zeros(2 * width),
            "decoder.weight": torch.cat([eye, -eye], dim=1),
        }
    )
    return dictionary


def constant(value: torch.Tensor) -> AutoEncoder:
    """One silent feature, so that every reconstruction is `value`."""
    width = len(value)
    dictionary = AutoEncoder(width, width, 1, torch.float32)
    zeros = {"encoder.weight": torch.zeros(1, width), "encoder.bias": torch.zeros(1)}
    dictionary.load_state_dict({"bias": value, **zeros, "decoder.weight": torch.ones(width, 1)})
    return dictionary


@pytest.mark.parametrize("name", CASES)
def test_golden_losses(name: str) -> None:
    """The three cross-entropies on the golden tokens."""
    settings, tensors = case("evaluate", name)
    site = p.Site(submodule=settings["submodule"], io=settings["io"])
    evaluated = Evaluated(site, golden_dictionary(tensors))
    losses = evaluated.measure().losses
    count = sum(losses.predictions)
    expected = settings["expected"]
    for key, sums in (
        ("loss_original", losses.original),
        ("loss_reconstructed", losses.reconstructed),
        ("loss_zero", losses.zero),
    ):
        assert sum(sums) / count == pytest.approx(expected[key], rel=1e-5), key


@pytest.mark.parametrize("name", CASES)
def test_golden_rows(name: str) -> None:
    """Square error, L1, L0 and the frequency of every feature on the golden rows."""
    settings, tensors = case("evaluate", name)
    context = Context(Objects())
    dictionary = golden_dictionary(tensors)
    evaluation = call(
        context, "evaluate.open", dictionary=context.objects.put(dictionary), model=None, site=None
    ).evaluation
    rows = len(tensors["inputs"])

    def source():
        targets = tensors["targets"].unsqueeze(0) if "targets" in tensors else None
        return context.objects.put(Batches(tensors["inputs"].unsqueeze(0), targets))

    call(
        context,
        "evaluate.gather_rows",
        evaluation=evaluation,
        source=source(),
        groups=[rows],
        draw=True,
        count_rows=[rows],
    )
    sums = call(context, "evaluate.rows", evaluation=evaluation, source=source(), groups=[100, 156], draw=True).rows
    expected = settings["expected"]
    assert sums.rows == [100, 156]
    assert math.sqrt(sum(sums.squared_error) / rows / 32) == pytest.approx(expected["mse_loss"], rel=1e-5)
    assert sum(sums.l1) / rows == pytest.approx(expected["sparsity_loss"], rel=1e-5)
    assert sum(sums.l0) / rows == pytest.approx(expected["l0"], rel=1e-5)
    call(context, "evaluate.firings", evaluation=evaluation, count=0)
    fired = torch.frombuffer(bytearray(context.reply_frames[0]), dtype=torch.int64)
    torch.testing.assert_close(fired / rows, tensors["feature_frequencies"], rtol=0, atol=1e-6)
    assert (fired > 0).double().mean().item() == pytest.approx(expected["percent_alive"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("submodule", "io"),
    [
        ("gpt_neox.layers.0", "out"),
        ("gpt_neox.layers.1", "in"),
        ("gpt_neox.layers.1.attention", "out"),
        ("gpt_neox.layers.1.mlp", "out"),
        ("gpt_neox.layers.1.mlp", "in"),
        ("gpt_neox.embed_in", "out"),
    ],
)
def test_an_identity_changes_nothing(submodule: str, io: str, dtype: str) -> None:
    """Residual stream, attention (a tuple), MLP and embeddings, outputs and inputs, in two dtypes of the model."""
    evaluated = Evaluated(p.Site(submodule=submodule, io=io), identity(32), dtype=dtype)
    found = evaluated.measure(contexts="pack", padding="right", keep="mask", attention_mask="tokens", replace="kept")
    assert sum(found.rows.squared_error) == 0
    assert found.losses.reconstructed == found.losses.original
    assert sum(found.losses.divergence) == 0
    assert sum(found.losses.zero) != sum(found.losses.original)
    assert sum(found.rows.cosine) == pytest.approx(sum(found.rows.rows), rel=1e-6)


def test_the_mean_is_mean_ablation() -> None:
    """A dictionary whose reconstruction is always the mean explains nothing, and costs as much as mean ablation."""
    site = p.Site(submodule="gpt_neox.layers.1.mlp", io="out")
    evaluated = Evaluated(site, identity(32))
    over: dict = {"contexts": "pack", "padding": "right", "keep": "mask", "attention_mask": "tokens"}
    evaluated.measure(replace="kept", **over)
    from dictlearn_worker.evaluate.evaluation import Evaluation

    mean = evaluated.context.objects.get(evaluated.evaluation, Evaluation).mean
    evaluated.open(constant(mean.float()))
    found = evaluated.measure(replace="kept", **over)
    assert sum(found.rows.squared_error) == pytest.approx(sum(found.rows.squared_deviation), rel=1e-5)
    assert found.losses.reconstructed == pytest.approx(found.losses.mean, rel=1e-5)


def test_zeros_are_zero_ablation_and_padding_stays() -> None:
    """With short and long contexts; values at the padding do not matter."""
    site = p.Site(submodule="gpt_neox.layers.0", io="out")
    evaluated = Evaluated(site, constant(torch.zeros(32)))
    over: dict = {
        "contexts": "truncate",
        "padding": "right",
        "keep": "mask",
        "attention_mask": "tokens",
        "ctx_len": 100,
    }
    kept = evaluated.measure(replace="kept", **over)
    every = evaluated.measure(replace="all", **over)
    assert kept.losses.reconstructed == kept.losses.zero
    assert every.losses.zero == pytest.approx(kept.losses.zero, rel=1e-5)


def test_weights_that_are_no_numbers() -> None:
    """Such a dictionary has no meaningful statistics, so it is not evaluated."""
    dictionary = identity(4)
    with torch.no_grad():
        dictionary.encoder.weight[1, :2] = torch.tensor([math.nan, math.inf])
    context = Context(Objects())
    with pytest.raises(WorkerError, match=r"encoder\.weight is not finite at 2 of 32 places") as raised:
        call(context, "evaluate.open", dictionary=context.objects.put(dictionary), model=None, site=None)
    assert raised.value.code == "non_finite_weights"
