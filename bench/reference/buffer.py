"""The activation buffer of dictionary_learning ddac948, over transformers with forward hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


class ActivationBuffer:
    """Iterates over (input, target) batches. Padding on the left, with a mask of ones over it too, as nnsight did."""

    def __init__(
        self, texts: Iterator[str], model: Any, tokenizer: Any, submodule: torch.nn.Module, io: str, **sizes: int
    ) -> None:
        self.texts, self.model, self.tokenizer, self.io = texts, model, tokenizer, io
        self.ctx_len, self.in_batch = sizes["ctx_len"], sizes["in_batch_size"]
        self.out_batch = sizes["out_batch_size"]
        self.capacity = sizes["n_ctxs"] * self.ctx_len
        self.rows: list[torch.Tensor] = []
        self.read = torch.zeros(0, dtype=torch.bool)
        self.seen: dict[str, torch.Tensor] = {}
        submodule.register_forward_hook(self.remember)
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token

    def remember(self, _: Any, inputs: Any, output: Any) -> None:
        self.seen = {"in": inputs[0], "out": output[0] if isinstance(output, tuple) else output}

    @torch.no_grad()
    def widths(self) -> tuple[int, int]:
        """The widths of inputs and targets, from one pass over one token."""
        self.model(input_ids=torch.zeros(1, 1, dtype=torch.int64))
        kinds = {"in": ("in", "in"), "out": ("out", "out"), "in_to_out": ("in", "out")}[self.io]
        inputs, targets = (self.seen[kind].shape[-1] for kind in kinds)
        return inputs, targets

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            if int((~self.read).sum()) < self.capacity // 2 and not self.refresh():
                return
            unread = torch.nonzero(~self.read).flatten()
            chosen = unread[torch.randperm(len(unread))[: self.out_batch]]
            self.read[chosen] = True
            batch = [rows[chosen] for rows in self.rows]
            yield batch[0], batch[-1]

    def refresh(self) -> bool:
        """Drops the read rows and fills up; False if the texts run out meanwhile."""
        self.rows = [rows[~self.read] for rows in self.rows]
        self.read = torch.zeros(int((~self.read).sum()), dtype=torch.bool)
        while len(self.read) < self.capacity:
            texts = [text for _, text in zip(range(self.in_batch), self.texts, strict=False)]
            if len(texts) < self.in_batch:
                return False
            new = self.activations(texts)
            self.rows = [torch.cat(pair) for pair in zip(self.rows, new, strict=True)] if self.rows else new
            self.read = torch.cat([self.read, torch.zeros(len(new[0]), dtype=torch.bool)])
        return True

    @torch.no_grad()
    def activations(self, texts: list[str]) -> list[torch.Tensor]:
        """Rows (n, width) of every position that is not the pad token: the input's, the output's, or both."""
        ids = self.tokenizer(
            texts, return_tensors="pt", padding=True, truncation=True, max_length=self.ctx_len
        ).input_ids
        self.model(input_ids=ids, attention_mask=torch.ones_like(ids))
        kinds = ["in", "out"] if self.io == "in_to_out" else [self.io]
        rows = [self.seen[kind][ids != self.tokenizer.pad_token_id] for kind in kinds]
        return [each.to(torch.get_default_dtype()) for each in rows]
