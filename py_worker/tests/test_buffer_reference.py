"""The activation buffer against a plain one over transformers and a hook, on this machine: every bit."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from golden import FOLDER, case
from test_buffer_golden import CASES, first_texts, serve
from transformers import AutoModelForCausalLM, AutoTokenizer


def plain_buffer() -> ModuleType:
    """bench/reference/buffer.py, which belongs to no package."""
    path = Path(__file__).parents[2] / "bench/reference/buffer.py"
    spec = importlib.util.spec_from_file_location("reference_buffer", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", CASES)
def test_batches_bit_for_bit(name: str, tmp_path: Path) -> None:
    """Inputs and targets of every batch, and the end."""
    s, _ = case("buffer", name)
    inputs, targets = serve(name, tmp_path)
    model = AutoModelForCausalLM.from_pretrained(FOLDER / "tiny-neox").eval()
    texts = iter([json.loads(line)["text"] for line in first_texts(name)])
    sizes = {key: s[key] for key in ("n_ctxs", "ctx_len", "in_batch_size", "out_batch_size")}
    submodule = model.get_submodule(re.sub(r"\[(\d+)\]", r".\1", s["submodule"]))
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "tiny-neox")
    buffer = plain_buffer().ActivationBuffer(texts, model, tokenizer, submodule, s["io"], **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(s["seed"])
        batches = list(itertools.islice(buffer, s["batches"]))
    assert len(batches) == len(inputs)
    for place, (x, y) in enumerate(batches):
        assert torch.equal(inputs[place], x), place
        assert torch.equal(targets[place], y), place
