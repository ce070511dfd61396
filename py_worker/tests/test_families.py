"""Every model family at every place, out, in and in_to_out: rows, statistics and losses against plain hooks.

One process and one load per family; the ground truth is the model as PyTorch runs it, with hooks only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from families import FAMILIES, VOCABULARY, build, places
from golden import FOLDER

from dictlearn_worker.buffer.operations import harvest, recompute
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.evaluate.evaluation import Evaluation
from dictlearn_worker.evaluate.operations import measure, read_rows
from dictlearn_worker.models.language_model import LanguageModel, Read, reads_of
from dictlearn_worker.models.load import wrap
from dictlearn_worker.models.next_token import why_not
from dictlearn_worker.models.splice import logits_of_values
from dictlearn_worker.objects import Objects
from dictlearn_worker.protocol import LossSums, RowSums, Site
from dictlearn_worker.registry import Context
from dictlearn_worker.text.contexts import Batch

CPU = torch.device("cpu")
IOS = ("out", "in", "in_to_out")
FEATURES = 12
# Relative to the largest number compared.
TOLERANCE = 1e-6
Values = dict[Read, torch.Tensor]

# Sides without a row per token, as patterns. Every other one must work.
REFUSED = {
    # Their experts and routers get all tokens as one long row.
    "qwen2_moe": r"mlp\.(gate|shared_expert_gate)\.",
    "qwen3_moe": r"mlp\.gate\.",
    "mixtral": r"mlp\.gate\.",
    "deepseek_v3": r"mlp\.gate\.output",
    "gpt_oss": r"mlp\.router\.",
    "jamba": r"feed_forward\.router\.",
    "qwen3_next": r"mlp\.(gate|shared_expert_gate)\.",
    "minimax": r"mlp\.gate\.",
    # So does its MLP, with the norm before it.
    "opt": r"(fc1|fc2|layers\..*final_layer_norm)\.",
    # Unused by a decoder without an encoder.
    "bart": r"encoder_attn",
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(FOLDER / "tiny-neox")


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """The computations here are too small for threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def contexts() -> Batch:
    """Three contexts, two of them padded; the first position of each is not kept."""
    ids = torch.randint(5, VOCABULARY, (3, 8), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([8, 6, 3])
    real = torch.arange(8) < lengths[:, None]
    keep = real.clone()
    keep[:, 0] = False
    return Batch(ids=ids, mask=real.long(), keep=keep, real=real)


def first(value: Any) -> Any:
    """The value that a plain hook reads."""
    return value[0] if isinstance(value, (tuple, list)) and value else value


def hooked(module: torch.nn.Module, batch: Batch, hooks: dict[Read, Callable[[Any], Any]]) -> torch.Tensor:
    """The logits of a plain pass in which each hook gets a value and returns a replacement or None."""
    handles = []
    for read, look in hooks.items():

        def before(_: Any, args: Any, kwargs: Any, look=look) -> Any:
            if args:
                new = look(args[0])
                return None if new is None else ((new, *args[1:]), kwargs)
            name = next(iter(kwargs))
            new = look(kwargs[name])
            return None if new is None else ((), {**kwargs, name: new})

        def after(_: Any, __: Any, output: Any, look=look) -> Any:
            new = look(first(output))
            if new is None or isinstance(output, torch.Tensor):
                return new
            return type(output)([new, *output[1:]])

        place = module.get_submodule(read.submodule)
        handles.append(
            place.register_forward_pre_hook(before, with_kwargs=True)
            if read.kind == "input"
            else place.register_forward_hook(after)
        )
    logits = module(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits
    for handle in handles:
        handle.remove()
    return logits


def plain_values(module: torch.nn.Module, batch: Batch, reads: list[Read]) -> tuple[Values, set[str]]:
    """The places with a row per token, and those without or that run more than once."""
    seen: dict[Read, list[Any]] = {read: [] for read in reads}

    def keep(values: list[Any], value: Any) -> None:
        # Some models change it in place later.
        values.append(value.clone() if isinstance(value, torch.Tensor) else value)

    hooked(module, batch, {read: partial(keep, seen[read]) for read in reads})
    good = {
        read: values[0]
        for read, values in seen.items()
        if len(values) == 1
        and isinstance(values[0], torch.Tensor)
        and values[0].ndim == 3
        and values[0].shape[:2] == batch.ids.shape
    }
    return good, {name_of(read) for read in reads if read not in good}


def name_of(read: Read) -> str:
    """`transformer.h.0.input`."""
    return f"{read.submodule}.{read.kind}"


def close(found: Any, expected: Any, what: str) -> None:
    """Within the tolerance of the largest number."""
    found, expected = (torch.as_tensor(each, dtype=torch.float64) for each in (found, expected))
    assert found.shape == expected.shape, what
    error = (found - expected).abs().max().item() / max(expected.abs().max().item(), 1e-3)
    assert error <= TOLERANCE, f"{what}: {error:.1e}"


def random_dictionary(d_in: int, d_out: int) -> AutoEncoder:
    """About half of its features fire on each row."""
    dictionary = AutoEncoder(d_in, d_out, FEATURES, torch.float32)
    generator = torch.Generator().manual_seed(1)
    for parameter in dictionary.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return dictionary


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_every_place_is_as_plain_hooks_have_it(family: str, tokenizer: Any) -> None:
    module = build(family)
    batch = contexts()
    paths = places(module)
    sides = [Read(path, kind) for path in paths for kind in ("input", "output")]
    truth, refused = plain_values(module, batch, sides)
    # An embedding's input is token ids.
    pattern = REFUSED.get(family, "^$")
    assert refused == {f"{paths[0]}.input", *(side for side in map(name_of, sides) if re.search(pattern, side))}

    model = wrap(module, tokenizer, CPU)
    assert why_not(model) is None
    sites = []
    for site in (Site(submodule=path, io=io) for path in paths for io in IOS):
        if all(read in truth for read in reads_of(site)):
            sites.append(site)
        else:
            with pytest.raises(WorkerError) as error:
                model.try_sites([site])
            assert error.value.code in ("no_activations", "repeated_module")
    rows = check_rows(model, batch, sites, truth)
    for site in sites:
        check_statistics(model, batch, site, rows)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_model_that_sees_later_tokens_predicts_none(family: str, tokenizer: Any) -> None:
    model = wrap(build(family, is_decoder=False), tokenizer, CPU)
    assert "sees later tokens" in str(why_not(model))


def check_rows(model: LanguageModel, batch: Batch, sites: list[Site], truth: Values) -> Values:
    """Training rows, all sites in one pass, and those of a buffer restored from its state. Returns the ground truth."""
    widths = model.try_sites(sites)
    rows = {read: value[batch.keep] for read, value in truth.items()}
    count = int(batch.keep.sum())

    def buffer() -> ActivationRows:
        generator = torch.Generator().manual_seed(0)
        options: dict[str, Any] = {"dtype": torch.float32, "device": CPU, "generator": generator}
        return ActivationRows(sites, widths, count, randperm_each=False, keep_contexts=True, **options)

    filled, resumed = buffer(), buffer()
    assert harvest(filled, model, batch, stop=True, most=None) == count
    resumed.restore(filled.state(rows=True))
    assert recompute(Context(Objects()), resumed, model) == (1, 0)
    for number, site in enumerate(sites):
        found = filled.take(number, torch.arange(count))
        again = resumed.take(number, torch.arange(count))
        for read, x, same in zip(reads_of(site), found, again, strict=True):
            close(x, rows[read], f"rows of {site}")
            assert torch.equal(x, same)
    return rows


def check_statistics(model: LanguageModel, batch: Batch, site: Site, rows: Values) -> None:
    """The sums over rows, and the losses with the value replaced at the kept positions."""
    inside, outside = reads_of(site)
    x, y = rows[inside], rows[outside]
    dictionary = random_dictionary(x.shape[1], y.shape[1])
    evaluation = Evaluation(dictionary, model, site)
    evaluation.add_targets(read_rows(evaluation, batch).y)
    mean = y.double().mean(dim=0)
    close(evaluation.mean, mean, f"mean of {site}")
    sums, losses = measure(evaluation, batch, replace_all=False)
    check_sums(sums, dictionary, x, y, f"{site}")

    def reconstruct(value: torch.Tensor) -> torch.Tensor:
        return dictionary.decode(dictionary.encode(value))

    module = model.module
    original = hooked(module, batch, {})
    reconstructed = replaced(module, batch, site, reconstruct)
    expected = {
        "original": original,
        "reconstructed": reconstructed,
        "zero": replaced(module, batch, site, lambda _: torch.zeros(y.shape[1])),
        "mean": replaced(module, batch, site, lambda _: mean.float()),
    }
    for name, logits in expected.items():
        close(getattr(losses, name), cross_entropies(logits, batch), f"{name} at {site}")
    check_divergence(losses, original, reconstructed, batch, f"{site}")
    check_slopes(model, batch, site, y)


def check_slopes(model: LanguageModel, batch: Batch, site: Site, y: torch.Tensor) -> None:
    """The gradient of a number that depends on all logits, with respect to the targets."""
    leaves: list[torch.Tensor] = []

    def look(value: torch.Tensor) -> torch.Tensor:
        leaves.append(value.detach().clone().requires_grad_(True))
        return leaves[0].clone()

    with torch.enable_grad():
        found, _, targets = logits_of_values(model, batch.ids, batch.mask, site)
        (slope,) = torch.autograd.grad(found.square().sum(), targets)
        expected = hooked(model.module, batch, {reads_of(site)[1]: look})
        (plain,) = torch.autograd.grad(expected.square().sum(), leaves)
    close(targets.detach()[batch.keep], y, f"leaf at {site}")
    close(slope, plain, f"gradient at {site}")


def replaced(
    module: torch.nn.Module, batch: Batch, site: Site, value: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """The logits with the site's targets replaced where rows are kept."""
    inside, outside = reads_of(site)
    given: list[torch.Tensor] = []

    def look(x: torch.Tensor) -> None:
        given.append(x.clone())

    def put(y: torch.Tensor) -> torch.Tensor:
        new = y.clone()
        x = given[0] if given else y
        new[batch.keep] = value(x[batch.keep])
        return new

    hooks: dict[Read, Callable[[Any], Any]] = {outside: put}
    return hooked(module, batch, hooks if inside == outside else {inside: look, **hooks})


def check_sums(sums: RowSums, dictionary: AutoEncoder, x: torch.Tensor, y: torch.Tensor, what: str) -> None:
    """The definitions in docs/statistics.md, over all rows."""
    f = dictionary.encode(x)
    y_hat, y, f = dictionary.decode(f).double(), y.double(), f.double()
    close(sum(sums.squared_error), (y - y_hat).square().sum(), f"squared error at {what}")
    close(sum(sums.squared_deviation), (y - y.mean(dim=0)).square().sum(), f"squared deviation at {what}")
    close(sum(sums.l1), f.sum(), f"l1 at {what}")
    assert sum(sums.l0) == (f > 0).sum()


def cross_entropies(logits: torch.Tensor, batch: Batch) -> list[float]:
    """For each context the sum over its next tokens."""
    lost = -logits[:, :-1].double().log_softmax(dim=-1).gather(-1, batch.ids[:, 1:, None]).squeeze(-1)
    return (lost * batch.real[:, 1:]).sum(dim=1).tolist()


def check_divergence(losses: LossSums, original: torch.Tensor, other: torch.Tensor, batch: Batch, what: str) -> None:
    """KL(original || other), to the precision of float32 logits."""
    p, q = (logits.double().log_softmax(dim=-1) for logits in (original, other))
    divergence = ((p.exp() * (p - q)).sum(dim=-1) * batch.real).sum(dim=1)
    torch.testing.assert_close(torch.tensor(losses.divergence, dtype=torch.float64), divergence, rtol=1e-4, atol=1e-5)
    assert losses.predictions == batch.real[:, 1:].sum(dim=1).tolist(), what
