"""The direct effect of a residual-stream direction on the logits, through the final norm and the unembedding."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .. import protocol as p
from ..errors import WorkerError
from ..models.language_model import TRIAL, LanguageModel
from ..models.pieces import pieces
from ..models.values import first_input, first_tensor

# Columns are scaled to a length at which the epsilon in a norm's denominator does not matter.
LENGTH = 1e3


@torch.no_grad()
def standardised_effects(model: LanguageModel, columns: torch.Tensor) -> torch.Tensor:
    """Effects (features, vocabulary) of columns (features, d), in standard deviations over the vocabulary.

    e = W_U (n(c d) - n(0)), where n is the final norm and c large, then (e - mean e) / std e. A norm divides by the
    size of its input, so its output depends on the column alone: gain * d for RMSNorm, gain * (d - mean d) for
    LayerNorm, up to a factor that the standardisation removes. A constant added to all logits changes no
    probability, so their mean is removed too. Columns of zeros have effects of 0. Raises `no_unembedding`.
    """
    head = unembedding(model, columns.shape[1])
    norm = final_norm(model, head)
    weight = head.weight[: len(model.tokenizer)]
    lengths = torch.linalg.vector_norm(columns, dim=1, keepdim=True)
    unit = torch.where(lengths > 0, columns / lengths, torch.zeros_like(columns)).to(weight)
    if norm is not None:
        unit = norm(LENGTH * unit) - norm(torch.zeros_like(unit))
    effects = (unit @ weight.T).float()
    effects = effects - effects.mean(dim=1, keepdim=True)
    spread = effects.std(dim=1, keepdim=True, correction=0)
    return torch.where(spread > 0, effects / spread, torch.zeros_like(effects))


def unembedding(model: LanguageModel, width: int) -> nn.Linear:
    """The matrix that maps the residual stream to logits, (vocabulary, width)."""
    head: Any = model.module.get_output_embeddings()  # pyright: ignore[reportCallIssue]
    if not isinstance(head, nn.Linear):
        raise WorkerError("no_unembedding", "The model has no unembedding that is a matrix.")
    if head.in_features != width:
        raise WorkerError(
            "no_unembedding",
            f"The unembedding reads rows of width {head.in_features}, so a direction of width {width} is none of them.",
        )
    return head


@torch.no_grad()
def final_norm(model: LanguageModel, head: nn.Linear) -> nn.Module | None:
    """The norm whose output the unembedding reads, found in a short forward pass; None if it reads something else."""
    # All outputs are kept until the end, so that no two of them can reuse the same memory.
    outputs: list[tuple[nn.Module, torch.Tensor]] = []
    read: list[torch.Tensor] = []

    def after(module: nn.Module, _: Any, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None:
            outputs.append((module, tensor))

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        read.append(first_input((args, kwargs)))

    handles: list[Any] = [module.register_forward_hook(after) for module in model.module.modules()]
    handles.append(head.register_forward_pre_hook(before, with_kwargs=True))
    try:
        ids = torch.zeros(TRIAL, dtype=torch.int64, device=model.device)
        model.call(ids)
    finally:
        for handle in handles:
            handle.remove()
    (given,) = read
    place = given.untyped_storage().data_ptr()
    maker = next((module for module, tensor in outputs if tensor.untyped_storage().data_ptr() == place), None)
    return maker if maker is not None and "norm" in type(maker).__name__.lower() else None


def extreme_tokens(model: LanguageModel, effects: torch.Tensor, count: int) -> list[p.DirectEffect]:
    """The `count` tokens at either end of each row of effects (features, vocabulary)."""
    most = min(count, effects.shape[1])

    def tokens(row: torch.Tensor, *, largest: bool) -> list[p.TokenEffect]:
        # A stable sort keeps equal effects in the order of the vocabulary.
        order = row.sort(descending=largest, stable=True).indices[:most].tolist()
        return [
            p.TokenEffect(token=token, text=pieces(model.tokenizer, [token])[0], effect=row[token].item())
            for token in order
            if (row[token] > 0 if largest else row[token] < 0)
        ]

    rows = effects.cpu()
    return [p.DirectEffect(promoted=tokens(row, largest=True), suppressed=tokens(row, largest=False)) for row in rows]
