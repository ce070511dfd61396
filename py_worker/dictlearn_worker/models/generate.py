"""Continuing prompts."""

from __future__ import annotations

from typing import Any

import torch

from .. import protocol as p
from ..errors import WorkerError
from ..registry import Context, method
from ..trace.generation import generate_with, require_passes, saved_in_passes
from ..trace.interpreter import Interpreter
from ..trace.operations import held
from .language_model import LanguageModel
from .load import quiet
from .tokens import assemble, inputs_of


@method("model.generate")
@torch.no_grad()
def generate(context: Context, params: p.ModelGenerateParams) -> p.ModelGenerateResult:
    """Generates through nnsight, on the batch of a trace of these prompts, with the program in each pass."""
    model = context.objects.get(params.model, LanguageModel)
    require_generation(model)
    batch = assemble(model, params.prompts)
    prompt_tokens = batch["attention_mask"].sum(dim=1).tolist()
    width = batch["input_ids"].shape[1]

    sequences = batch["input_ids"]

    def watch(ids: torch.Tensor, _: Any, **__: Any) -> torch.Tensor:
        nonlocal sequences
        sequences = ids
        context.progress("Generating", ids.shape[1] - width, params.max_new_tokens)
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    options: dict[str, Any] = {**drawing(params.sample), "num_beams": 1, "stopping_criteria": [watch]}
    options |= {"max_new_tokens": params.max_new_tokens, "min_new_tokens": params.min_new_tokens}
    if params.stop:
        options |= {"stop_strings": params.stop, "tokenizer": model.tokenizer}
    # transformers draws from torch's global generators: these are seeded for the call, and restored after it.
    devices = [model.device] if model.device.type == "cuda" else []
    with quiet(), torch.random.fork_rng(devices=devices):
        if params.sample is not None:
            torch.manual_seed(params.sample.seed)
        inputs = inputs_of(model, params.prompts)
        interpreter = Interpreter(context, model)
        if params.program:
            generate_with(model, interpreter, params.program, inputs, **options)
            require_passes(interpreter, sequences.shape[1] - width)
        else:
            model.traced.generate(inputs, **options)
    ids, stopped = finish(model, sequences[:, width:].tolist(), params.stop)
    return p.ModelGenerateResult(
        ids=ids,
        texts=[model.tokenizer.decode(each, skip_special_tokens=True) for each in ids],
        prompt_tokens=prompt_tokens,
        stopped=stopped,
        saved=[[held(context, tensor) for tensor in each] for each in saved_in_passes(interpreter, params.program)],
    )


def require_generation(model: LanguageModel) -> None:
    """Raises `cannot_generate` for a model whose own code has no `generate`."""
    if not getattr(model.module, "can_generate", lambda: False)():
        raise WorkerError(
            "cannot_generate",
            f"The model's class, {type(model.module).__name__}, cannot generate.",
            hint="Trace it instead, or make it a GenerationMixin of transformers in the model's own code.",
        )


def drawing(sample: p.Sampling | None) -> dict[str, Any]:
    """How transformers chooses a token."""
    if sample is None:
        return {"do_sample": False}
    # Zero and one stand for "no limit", so that the checkpoint's own settings do not apply.
    return {
        "do_sample": True,
        "temperature": sample.temperature,
        "top_k": sample.top_k or 0,
        "top_p": 1.0 if sample.top_p is None else sample.top_p,
    }


def finish(model: LanguageModel, rows: list[list[int]], stop: list[str]) -> tuple[list[list[int]], list[Any]]:
    """Each row up to its own end, without the padding after it, and why it ended there."""
    ends = model.module.generation_config.eos_token_id  # pyright: ignore[reportAttributeAccessIssue]
    ends = set(ends if isinstance(ends, list) else [ends])
    kept, reasons = [], []
    for row in rows:
        length, reason = len(row), "length"
        for index, token in enumerate(row):
            if token in ends:
                length, reason = index + 1, "end"
                break
            if stop and any(text in model.tokenizer.decode(row[: index + 1]) for text in stop):
                length, reason = index + 1, "text"
                break
        kept.append(row[:length])
        reasons.append(reason)
    return kept, reasons
