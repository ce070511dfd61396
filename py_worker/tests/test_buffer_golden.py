"""The activation buffer against the golden batches of the reference, from tiny-neox.

Another machine computed them, so their last bits differ; test_buffer_reference.py compares bits.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import FOLDER, case

import dictlearn_worker.operations
from dictlearn_worker import protocol as p
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import HANDLERS, Context

CASES = ["out", "in", "in_to_out", "residual", "left-unmasked", "exhausted"]


def call(context: Context, name: str, /, **params: object):
    """Runs one operation as the loop would."""
    return HANDLERS[name](context, p.DATA_METHODS[name][0](**params))


def first_texts(name: str) -> list[str]:
    """The lines of the texts that a case reads."""
    count = 60 if name == "exhausted" else 400
    return (FOLDER / "texts.jsonl").read_text(encoding="utf-8").splitlines()[:count]


def serve(name: str, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets (batches, rows, width) of a golden case, under the reference's refresh rule."""
    s, _ = case("buffer", name)
    context = Context(Objects())
    model = call(
        context,
        "model.load",
        path=str(FOLDER / "tiny-neox"),
        revision=None,
        device="cpu",
        dtype=None,
        cache=str(folder),
        trust_remote_code=False,
    ).model
    path = folder / "texts.jsonl"
    path.write_text("\n".join(first_texts(name)), encoding="utf-8")
    text = call(
        context,
        "text.files",
        path=str(path),
        text_field="text",
        model=None,
        txt_documents="line",
        split="train",
        name=None,
        skip=0,
        shuffle_buffer=0,
        seed=0,
        part=None,
        cache=str(folder),
    ).text
    contexts = call(
        context,
        "contexts.open",
        text=text,
        model=model,
        ctx_len=s["ctx_len"],
        contexts="truncate",
        # All golden buffers were padded on the left and attended to it, although their README says right padding.
        padding="left-unmasked",
        keep="pad-token",
        pad_token="end-of-text",
        attention_mask="none",
        exclude_special_tokens=False,
        drop_partial_batch=True,
    ).contexts
    site = p.Site(submodule=s["submodule"], io=s["io"])
    widths = call(context, "model.widths", model=model, sites=[site]).widths
    capacity = s["n_ctxs"] * s["ctx_len"]
    generator = context.objects.put(torch.Generator().manual_seed(s["seed"]))
    source = call(
        context,
        "buffer.create",
        sites=[site],
        widths=widths,
        rows=capacity + s["in_batch_size"] * s["ctx_len"],
        dtype="float32",
        device="cpu",
        generator=generator,
        draws="randperm-each",
        keep_contexts=True,
    ).source

    unread = 0
    ended = False
    inputs, targets = [], []
    while len(inputs) < s["batches"]:
        if unread < capacity // 2:
            while unread < capacity and not ended:
                added = call(
                    context,
                    "buffer.append",
                    source=source,
                    model=model,
                    contexts=contexts,
                    n_contexts=s["in_batch_size"],
                    forward="full",
                    max_norm_multiple=None,
                )
                unread += added.rows
                ended = added.exhausted
            if ended:
                break
        rows = min(s["out_batch_size"], unread)
        unread -= rows
        buffer = context.objects.get(source, dictlearn_worker.buffer.rows.ActivationRows)
        buffer.draw(rows)
        x, y = buffer.batch(0)
        inputs.append(x)
        targets.append(y)

    return torch.stack(inputs), torch.stack(targets)


@pytest.mark.parametrize("name", CASES)
def test_golden_batches(name: str, tmp_path: Path) -> None:
    """Every row in its place, within float32's tolerance."""
    s, tensors = case("buffer", name)
    inputs, targets = serve(name, tmp_path)
    assert len(inputs) == s["batches"]
    expected = (tensors["inputs"], tensors["targets"]) if s["io"] == "in_to_out" else (tensors["batches"],) * 2
    torch.testing.assert_close(inputs, expected[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(targets, expected[1], rtol=1e-4, atol=1e-5)
