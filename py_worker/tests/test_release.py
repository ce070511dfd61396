"""Released objects are freed: nothing else in the process keeps them alive."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
import torch
from golden import FOLDER

from dictlearn_worker import protocol as p
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.objects import Objects
from dictlearn_worker.operations import __all__ as _  # noqa: F401  registers every operation
from dictlearn_worker.registry import HANDLERS, Context

SITE = p.Site(submodule="gpt_neox.layers.1.mlp", io="out")
WIDTHS = p.SiteWidths(input_width=32, output_width=32)


@pytest.fixture
def context() -> Context:
    return Context(Objects())


def call(context: Context, name: str, /, **params: Any) -> Any:
    """Runs an operation."""
    return HANDLERS[name](context, p.DATA_METHODS[name][0](**params))


def release(context: Context, *handles: p.Handle) -> None:
    """Without the garbage collector, so that only the release can free objects."""
    gc.disable()
    try:
        call(context, "release", handles=list(handles))
    finally:
        gc.enable()


def model_of(context: Context) -> Any:
    """The tiny model."""
    path = str(FOLDER / "tiny-neox")
    return call(
        context,
        "model.load",
        path=path,
        revision=None,
        device="cpu",
        dtype=None,
        cache="",
        trust_remote_code=False,
    ).model


def test_a_model_is_freed_with_its_weights_after_a_pass(context) -> None:
    """nnsight's wrappers and traces are reference cycles."""
    model = model_of(context)
    call(context, "model.widths", model=model, sites=[SITE])
    weight = weakref.ref(next(iter(context.objects.get(model, object).module.parameters())))
    release(context, model)
    assert weight() is None


def test_a_buffer_and_its_text_are_freed_with_the_thread_that_reads_ahead(context) -> None:
    before = threading.active_count()
    model = model_of(context)
    call(context, "model.widths", model=model, sites=[SITE])
    generator = call(context, "generator.create", seed=0).generator
    text = call(
        context,
        "text.files",
        path=str(FOLDER / "texts.jsonl"),
        text_field="text",
        model=None,
        txt_documents="line",
        split="train",
        name=None,
        skip=0,
        shuffle_buffer=0,
        seed=0,
        part=None,
        cache="",
    ).text
    contexts = call(
        context,
        "contexts.open",
        text=text,
        model=model,
        ctx_len=16,
        contexts="pack",
        padding="right",
        keep="mask",
        pad_token="own",
        attention_mask="tokens",
        exclude_special_tokens=False,
        drop_partial_batch=False,
    ).contexts
    source = call(
        context,
        "buffer.create",
        sites=[SITE],
        widths=[WIDTHS],
        rows=256,
        dtype="float32",
        device="cpu",
        generator=generator,
        draws="shuffled",
        keep_contexts=True,
    ).source
    call(
        context,
        "buffer.append",
        source=source,
        model=model,
        contexts=contexts,
        n_contexts=8,
        forward="partial",
        max_norm_multiple=None,
    )
    dead = [weakref.ref(context.objects.get(handle, object)) for handle in (source, contexts, text, model)]
    threads = [each for each in threading.enumerate() if each.name.startswith("read")]
    assert threads
    release(context, source, contexts, text, model, generator)
    assert [each() for each in dead] == [None] * 4
    for each in threads:
        each.join(timeout=60)
    assert threading.active_count() <= before
    assert len(context.objects) == 0


@pytest.mark.parametrize("fused", [True, False])
def test_a_trainee_is_freed_with_its_moments_and_scratch(context, fused) -> None:
    generator = call(context, "generator.create", seed=0).generator
    shape = {"input_width": 8, "output_width": 8, "size": 16, "dtype": "float32", "device": "cpu"}
    dictionary = call(context, "dictionary.create", generator=generator, **shape).dictionary
    adam = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=fused)
    trainee = call(context, "trainee.create", dictionary=dictionary, adam=adam).trainee
    object_ = context.objects.get(trainee, object)
    numbers = p.StepNumbers(
        trainee=trainee,
        site=0,
        first_step=0,
        scale=1.0,
        lr=[1e-3],
        sparsity_penalty=[1e-3],
        loss=p.Loss(reconstruction="mse", sparsity="l1"),
        adam=adam,
        fired="forward",
        autocast=None,
    )
    rows = torch.randn(4, 8)
    object_.step(rows, rows, numbers, 0)
    moments = [weakref.ref(each) for each in object_.optimiser.first_moments]
    dead = [*moments, weakref.ref(object_.dictionary.decoder.weight)]
    del object_
    release(context, trainee)
    assert [each() for each in moments] == [None] * len(moments)
    release(context, dictionary)
    assert [each() for each in dead] == [None] * len(dead)


def test_an_unknown_handle_does_not_keep_the_others(context) -> None:
    known = call(context, "generator.create", seed=0).generator
    with pytest.raises(WorkerError) as caught:
        release(context, p.Handle(id=99, generation=0), known)
    assert caught.value.code == "stale_handle"
    assert len(context.objects) == 0
