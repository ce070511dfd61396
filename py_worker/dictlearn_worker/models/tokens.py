"""The tokenizer's operations for scripts."""

from __future__ import annotations

from typing import Any

import torch

from .. import protocol as p
from ..errors import WorkerError
from ..registry import Context, method
from .language_model import LanguageModel
from .pieces import pieces
from .vocabulary import check_ids, padding_inside


@method("tokenizer.encode")
def encode(context: Context, params: p.TokenizerEncodeParams) -> p.TokenizerEncodeResult:
    """Ids without padding."""
    tokenizer = context.objects.get(params.model, LanguageModel).tokenizer
    ids = [tokenizer.encode(text, add_special_tokens=params.special_tokens) for text in params.texts]
    return p.TokenizerEncodeResult(ids=ids)


@method("tokenizer.decode")
def decode(context: Context, params: p.TokenizerDecodeParams) -> p.TokenizerDecodeResult:
    """Texts of ids; an id that the tokenizer lacks is `unknown_token`."""
    model = context.objects.get(params.model, LanguageModel)
    for ids in params.ids:
        check_ids(model.rows, ids)
    decoder, skip = model.tokenizer, params.skip_special_tokens
    texts = [decoder.decode(ids, skip_special_tokens=skip) for ids in params.ids]
    parts = [pieces(decoder, ids) for ids in params.ids] if params.pieces else []
    return p.TokenizerDecodeResult(texts=texts, pieces=parts)


@method("tokenizer.batch")
def batch(context: Context, params: p.TokenizerBatchParams) -> p.TokenizerBatchResult:
    """The tokens that nnsight itself makes from the prompts before a trace."""
    encoding = assemble(context.objects.get(params.model, LanguageModel), params.prompts)
    positions = encoding.get("position_ids")
    return p.TokenizerBatchResult(
        ids=encoding["input_ids"].tolist(),
        mask=encoding["attention_mask"].tolist(),
        positions=None if positions is None else positions.tolist(),
    )


def assemble(model: LanguageModel, prompts: p.Prompts) -> dict[str, torch.Tensor]:
    """The keyword arguments of one forward pass over the prompts. Raises `no_prompt` or `unknown_token`."""
    from nnsight.modeling.processing import batch_forward

    _, encoding = batch_forward(model.traced, [((inputs_of(model, prompts),), {})])
    padding_inside(encoding, model.rows, model.tokenizer)
    return encoding


def inputs_of(model: LanguageModel, prompts: p.Prompts) -> Any:
    """The prompts as nnsight takes them: texts, or lists of ids. Raises `no_prompt` or `unknown_token`."""
    if prompts.texts:
        return prompts.texts
    if not prompts.tokens or not all(prompts.tokens):
        raise WorkerError("no_prompt", "There is no prompt, or it has no token.", hint="Give at least one prompt.")
    for ids in prompts.tokens:
        check_ids(model.rows, ids)
    return prompts.tokens
