"""Checks token ids against the model: ids for which its embedding has no row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from ..errors import WorkerError

# Tokens shown on each side of an invalid one.
SHOWN = 10


def embedding_rows(module: torch.nn.Module) -> int | None:
    """How many ids the model knows; None if its embedding cannot be found."""
    try:
        weight = module.get_input_embeddings().weight  # pyright: ignore[reportCallIssue]
    except (AttributeError, NotImplementedError):
        return None
    return len(weight) if isinstance(weight, torch.Tensor) and weight.ndim == 2 else None


def tokens_outside(tokenizer: Any, rows: int | None) -> list[str]:
    """The tokenizer's tokens for which there is no row, in the order of their ids."""
    outside = {number: name for name, number in tokenizer.get_vocab().items() if rows is not None and number >= rows}
    return [outside[number] for number in sorted(outside)]


def check_ids(rows: int | None, ids: Sequence[int], tokenizer: Any = None) -> None:
    """Raises `unknown_token` for ids without a row; given the tokenizer that made them, it names token and text."""
    wrong = next((index for index, each in enumerate(ids) if each < 0 or (rows is not None and each >= rows)), None)
    if wrong is None:
        return
    if tokenizer is None:
        raise WorkerError("unknown_token", f"The model has {rows} tokens, but one of the ids is {ids[wrong]}.")
    token = tokenizer.convert_ids_to_tokens(ids[wrong])
    begin, end = max(0, wrong - SHOWN), wrong + SHOWN
    text = tokenizer.decode(ids[begin:end])
    text = f"{'…' if begin > 0 else ''}{text}{'…' if end < len(ids) else ''}"
    raise WorkerError(
        "unknown_token",
        f"The text {text!r} holds the token {token!r} with the id {ids[wrong]}, "
        f"but the model's embedding ends at the id {(rows or 0) - 1}.",
        hint=f"Take {token!r} out of the text, use the tokenizer that belongs to the model, or enlarge the model with "
        f"model.resize_token_embeddings({ids[wrong] + 1}) and save it again.",
    )


def padding_inside(batch: dict[str, Any], rows: int | None, tokenizer: Any) -> None:
    """Checks the ids of a padded batch, and replaces a pad token outside the embedding by id 0.

    batch: the arguments of a forward pass. The model does not attend to padding, so its id does not matter.
    """
    ids, mask = batch.get("input_ids"), batch.get("attention_mask")
    if rows is None or not isinstance(ids, torch.Tensor) or isinstance(ids, FakeTensor) or not (ids >= rows).any():
        return
    if isinstance(mask, torch.Tensor) and mask.shape == ids.shape:
        for row, seen in zip(ids, mask.bool(), strict=True):
            check_ids(rows, row[seen].tolist(), tokenizer)
        batch["input_ids"] = ids.masked_fill(~mask.bool(), 0)
    else:
        for row in ids:
            check_ids(rows, row.tolist(), tokenizer)
