"""Models with a custom forward: each gets the arguments that it takes, in the trial and in every pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden import FOLDER
from transformers import AutoTokenizer, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicCache

import dictlearn_worker.operations  # noqa: F401
from dictlearn_worker import protocol as p
from dictlearn_worker.buffer.operations import harvest
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.evaluate.evaluation import Evaluation
from dictlearn_worker.evaluate.operations import measure, read_rows
from dictlearn_worker.features.direct_effects import standardised_effects
from dictlearn_worker.models.flops import count
from dictlearn_worker.models.language_model import LanguageModel, Read
from dictlearn_worker.models.load import wrap
from dictlearn_worker.models.modules import catalogue
from dictlearn_worker.models.splice import logits_and_values, logits_of_values, logits_with
from dictlearn_worker.objects import Objects
from dictlearn_worker.protocol import Site
from dictlearn_worker.registry import HANDLERS, Context
from dictlearn_worker.text.contexts import Batch

CPU = torch.device("cpu")
WIDTH, VOCABULARY = 8, 264
SITE = Site(submodule="mlp", io="out")


class Config(PretrainedConfig):
    model_type = "toy"


class Toy(PreTrainedModel):
    """Embedding, one layer, head. The subclasses below define its arguments and return value."""

    config_class = Config

    def __init__(self) -> None:
        super().__init__(Config(hidden_size=WIDTH, vocab_size=VOCABULARY))
        torch.manual_seed(0)
        self.embed = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.mlp = torch.nn.Linear(WIDTH, WIDTH)
        self.head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.embed

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.head

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        return self.head(x + self.mlp(x))


class Labelled(Toy):
    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, labels: Any = None) -> tuple[Any, ...]:
        assert attention_mask is not None and labels is None
        return self.logits(input_ids), None


class Bare(Toy):
    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.logits(input_ids)


class Mapping(Toy):
    def forward(self, input_ids: torch.Tensor, **given: Any) -> dict[str, Any]:
        assert given["use_cache"] is False
        return {"loss": None, "logits": self.logits(input_ids)}


class OldCache(Toy):
    """Like models from before transformers 4.50: the cache's method no longer exists."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, use_cache: Any = None) -> tuple[Any, ...]:
        if use_cache is not False:
            DynamicCache().get_usable_length(input_ids.shape[1])  # pyright: ignore[reportAttributeAccessIssue]
        return (self.logits(input_ids),)


class InPlace(Toy):
    """As Falcon adds its attention to its MLP's output, in place."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        y = self.mlp(self.embed(input_ids))
        y += 1
        return self.head(y)


class Looped(Toy):
    """Runs its layer, registered under two paths, three times."""

    def __init__(self) -> None:
        super().__init__()
        self.again = torch.nn.ModuleList([self.mlp])

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(input_ids)
        for _ in range(3):
            x = x + self.mlp(x)
        return self.head(x)


class Needy(Toy):
    def forward(self, input_ids: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        return self.logits(input_ids) + speaker


class Renamed(Toy):
    def forward(self, idx: torch.Tensor, targets: Any = None) -> torch.Tensor:
        return self.logits(idx)


class LastOnly(Toy):
    def forward(self, input_ids: torch.Tensor) -> tuple[Any, ...]:
        return self.logits(input_ids)[:, -1:], None


class Headless(Toy):
    def forward(self, input_ids: torch.Tensor) -> dict[str, Any]:
        self.logits(input_ids)
        return {"hidden": None}


def opened(kind: type[Toy]) -> LanguageModel:
    module = kind().eval().requires_grad_(False)
    return wrap(module, AutoTokenizer.from_pretrained(FOLDER / "tiny-neox"), CPU)


def contexts() -> Batch:
    ids = torch.randint(5, VOCABULARY, (2, 6), generator=torch.Generator().manual_seed(0))
    real = torch.arange(6) < torch.tensor([6, 4])[:, None]
    return Batch(ids=ids, mask=real.long(), keep=real, real=real)


def evaluated(model: LanguageModel) -> Evaluation:
    torch.manual_seed(1)
    evaluation = Evaluation(AutoEncoder(WIDTH, WIDTH, 5, torch.float32), model, SITE)
    model.try_sites([SITE])
    evaluation.add_targets(read_rows(evaluation, contexts()).y)
    return evaluation


@pytest.mark.parametrize("kind", [Labelled, Bare, Mapping, OldCache])
@torch.no_grad()
def test_it_is_called_with_what_it_takes(kind: type[Toy]) -> None:
    model, batch = opened(kind), contexts()
    module: Any = model.module
    widths = model.try_sites([SITE])
    assert [each.path for each in catalogue(model, 2, 4) if each.calls == 1] == ["", "embed", "mlp", "head"]
    partial, full = count(model, [SITE], 4)
    assert (partial, full) == (4 * 2 * WIDTH**2, 4 * 2 * (WIDTH**2 + WIDTH * VOCABULARY))

    rows = int(batch.keep.sum())
    generator = torch.Generator().manual_seed(0)
    options: dict[str, Any] = {"dtype": torch.float32, "device": CPU, "generator": generator}
    buffer = ActivationRows([SITE], widths, rows, randperm_each=False, keep_contexts=False, **options)
    assert harvest(buffer, model, batch, stop=True, most=None) == rows
    y = module.mlp(module.embed(batch.ids))[batch.keep]
    torch.testing.assert_close(buffer.take(0, torch.arange(rows))[1], y)

    evaluation = evaluated(model)
    _, losses = measure(evaluation, batch, replace_all=True)
    zero = module.head(module.embed(batch.ids)).log_softmax(-1)[:, :-1].gather(-1, batch.ids[:, 1:, None]).squeeze(-1)
    torch.testing.assert_close(torch.tensor(losses.zero), -(zero * batch.real[:, 1:]).sum(dim=1).double().float())

    assert standardised_effects(model, torch.eye(WIDTH)[:2]).shape == (2, len(model.tokenizer))
    with model.traced.trace([[5, 6, 7], [8, 9, 10]]):
        read = model.envoy("mlp").output.save()
    torch.testing.assert_close(read, module.mlp(module.embed(torch.tensor([[5, 6, 7], [8, 9, 10]]))))


@pytest.mark.parametrize("stop", [True, False])
@torch.no_grad()
def test_what_is_changed_in_place_is_read_as_it_was(stop: bool) -> None:
    """With any other reads in the same pass, and wherever it ends."""
    model, batch = opened(InPlace), contexts()
    module: Any = model.module
    y = module.mlp(module.embed(batch.ids))
    reads = [Read("mlp", "output"), Read("head", "output")]
    model.try_sites([SITE, Site(submodule="head", io="out")])
    for _ in range(2):
        torch.testing.assert_close(model.read(batch.ids, None, reads, stop=stop)[reads[0]], y)

    context = Context(Objects())
    params = p.TraceRunParams(
        model=context.objects.put(model),
        invokes=[p.Prompts(texts=None, tokens=batch.ids.tolist())],
        program=[p.TraceRead(id=0, module="mlp", side="output", at=[], invoke=0), p.TraceSave(input=0)],
        gradients=False,
        stop=stop,
    )
    (saved,) = HANDLERS["trace.run"](context, params).saved  # pyright: ignore[reportAttributeAccessIssue]
    torch.testing.assert_close(context.objects.get(saved.tensor, torch.Tensor), y)


@torch.no_grad()
def trace_two_lengths(model: LanguageModel) -> None:
    """A trace of two prompts of different lengths."""
    with model.traced.trace([[5, 6, 7], [8]]):
        model.envoy("mlp").output.save()


def test_padding_that_a_model_cannot_be_told_of_is_refused() -> None:
    """nnsight pads prompts on the left, where a model without a mask would read the padding."""
    model = opened(Bare)
    with pytest.raises(WorkerError, match="takes no attention_mask") as error:
        trace_two_lengths(model)
    assert error.value.code == "model_forward"


def test_what_is_missing_is_said_in_a_sentence() -> None:
    with pytest.raises(
        WorkerError, match=r"The forward of Renamed takes no input_ids; it takes idx, targets\."
    ) as error:
        opened(Renamed)
    assert error.value.code == "model_forward"
    model = opened(Needy)
    for attempt in (lambda: model.try_sites([SITE]), lambda: catalogue(model, 2, 4), lambda: count(model, [SITE], 4)):
        with pytest.raises(WorkerError, match=r"The forward of Needy failed: TypeError: .*'speaker'") as error:
            attempt()
        assert error.value.code == "model_forward"


@pytest.mark.parametrize(
    ("kind", "what"),
    [(LastOnly, r"a tensor of shape \[2, 1, 264\] for 2 contexts of 6 tokens"), (Headless, "a dict without them")],
)
@torch.no_grad()
def test_logits_that_are_not_there_are_named(kind: type[Toy], what: str) -> None:
    evaluation = evaluated(opened(kind))
    with pytest.raises(WorkerError, match=what) as error:
        measure(evaluation, contexts(), replace_all=True)
    assert error.value.code == "no_logits"


@pytest.mark.parametrize("path", ["mlp", "again.0"])
def test_a_module_that_runs_several_times_is_read_where_one_says(path: str) -> None:
    model = opened(Looped)
    with pytest.raises(WorkerError, match=rf"{path} runs 3 times in one pass, so it has 3 rows") as error:
        model.try_sites([Site(submodule=path, io="out")])
    assert error.value.code == "repeated_module"
    assert f"from {path}#1 to {path}#3" in str(error.value.hint)
    with pytest.raises(WorkerError, match=rf"There is no {path}#4: one pass runs {path} 3 times"):
        model.try_sites([Site(submodule=f"{path}#4", io="out")])
    # Afterwards the number of its calls is still known.
    assert model.try_sites([Site(submodule="embed", io="out")])
    with pytest.raises(WorkerError, match="runs 3 times"):
        model.try_sites([Site(submodule=path, io="in")])


@pytest.mark.parametrize("path", ["mlp", "again.0"])
@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("io", ["out", "in", "in_to_out"])
@torch.no_grad()
def test_one_of_its_calls_is_read_and_replaced(path: str, call: int, io: Any) -> None:
    """In training rows, statistics, losses and gradients, with any other reads in the same pass."""
    model, batch = opened(Looped), contexts()
    module: Any = model.module
    site = Site(submodule=f"{path}#{call}", io=io)
    others = [Site(submodule=f"{path}#{each}", io="in_to_out") for each in (3, 1, 2)]

    def plain(target: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs and targets of the call, and the logits with `target` in place of the targets."""
        x, found = module.embed(batch.ids), []
        for number in (1, 2, 3):
            given = target if number == call and io == "in" and target is not None else x
            y = torch.nn.functional.linear(given, module.mlp.weight, module.mlp.bias)
            if number == call:
                found = [y if io == "out" else given, given if io == "in" else y]
                y = target if io != "in" and target is not None else y
            x = x + y
        return found[0], found[1], module.head(x)

    x, y, _ = plain(None)
    widths = model.try_sites([*others, site])
    rows = int(batch.keep.sum())
    generator = torch.Generator().manual_seed(0)
    options: dict[str, Any] = {"dtype": torch.float32, "device": CPU, "generator": generator}
    buffer = ActivationRows([*others, site], widths, rows, randperm_each=False, keep_contexts=False, **options)
    assert harvest(buffer, model, batch, stop=True, most=None) == rows
    inputs, targets = buffer.take(3, torch.arange(rows))
    torch.testing.assert_close(inputs, x[batch.keep])
    torch.testing.assert_close(targets, y[batch.keep])

    evaluation = Evaluation(AutoEncoder(WIDTH, WIDTH, 5, torch.float32), model, site)
    torch.testing.assert_close(read_rows(evaluation, batch).y, y[batch.keep])
    logits, inputs, targets = logits_and_values(model, batch.ids, batch.mask, site)
    torch.testing.assert_close(inputs, x)
    torch.testing.assert_close(targets, y)
    torch.testing.assert_close(logits, plain(None)[2])
    new = torch.randn(y.shape, generator=generator)
    torch.testing.assert_close(
        logits_with(model, batch.ids, batch.mask, site, lambda given, _: new + 0 * given), plain(new)[2]
    )
    _, inputs, leaf = logits_of_values(model, batch.ids, batch.mask, site)
    torch.testing.assert_close(inputs.detach(), x)
    torch.testing.assert_close(leaf.detach(), y)
    if io == "out":
        layer = 2 * WIDTH**2 * 4
        assert count(model, [site], 4)[0] == call * layer
