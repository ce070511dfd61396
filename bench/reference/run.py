"""Runs cases through the plain procedure: `run.py CASES.json FOLDER`; each case gets NAME.safetensors and NAME.json.

A case has the settings of train.py, `dtype`, `seed`, `io`, and either `rows` (made here, written to NAME.rows.safetensors)
or `model`, `model_dtype` (null: `dtype`), `submodule`, `texts` and the buffer's sizes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from buffer import ActivationBuffer
from safetensors.torch import save_file
from train import Settings, train


def make_rows(case: dict[str, Any], folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets (batches, batch, width): few directions, sparsely mixed, so that features die."""
    r = case["rows"]
    generator = torch.Generator().manual_seed(r["seed"])
    shape = (r["batches"], r["batch"])
    dtype = torch.get_default_dtype()
    directions = torch.randn(r["directions"], r["width"], generator=generator, dtype=dtype)
    strength = torch.rand(*shape, r["directions"], generator=generator, dtype=dtype)
    inputs = (strength * (strength > r["threshold"])) @ directions
    targets = inputs
    if case["io"] == "in_to_out":
        targets = torch.tanh(inputs @ torch.randn(r["width"], r["target_width"], generator=generator, dtype=dtype))
    tensors = {"inputs": inputs} | ({"targets": targets} if case["io"] == "in_to_out" else {})
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{case['name']}.rows.safetensors")
    return inputs, targets


def batches_of(case: dict[str, Any], folder: Path) -> tuple[Any, tuple[int, int]]:
    """The batches of a case, and the widths of inputs and targets."""
    if "rows" in case:
        inputs, targets = make_rows(case, folder)
        return list(zip(inputs, targets, strict=True)), (inputs.shape[-1], targets.shape[-1])
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # transformers of 2023 created every model in torch's default dtype.
    dtype = getattr(torch, case["model_dtype"] or case["dtype"])
    model = AutoModelForCausalLM.from_pretrained(case["model"], dtype=dtype).eval()
    tokenizer = AutoTokenizer.from_pretrained(case["model"])
    lines = Path(case["texts"]).read_text(encoding="utf-8").splitlines()
    texts = iter([json.loads(line)["text"] for line in lines])
    sizes = {key: case[key] for key in ("n_ctxs", "ctx_len", "in_batch_size", "out_batch_size")}
    buffer = ActivationBuffer(texts, model, tokenizer, model.get_submodule(case["submodule"]), case["io"], **sizes)
    return buffer, buffer.widths()


def main(cases: Path, folder: Path) -> None:
    """Runs every case."""
    names = {each.name for each in fields(Settings)}
    for case in json.loads(cases.read_text(encoding="utf-8")):
        torch.set_default_dtype(getattr(torch, case["dtype"]))
        batches, widths = batches_of(case, folder)
        torch.manual_seed(case["seed"])
        trained = train(batches, widths, Settings(**{key: case[key] for key in names & set(case)}))
        tensors = {f"final.{key}": value.detach() for key, value in trained.ae.state_dict().items()}
        for step, state in trained.checkpoints.items():
            tensors |= {f"checkpoints.{step}.{key}": value for key, value in state.items()}
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{case['name']}.safetensors")
        (folder / f"{case['name']}.json").write_text(json.dumps(trained.log), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
