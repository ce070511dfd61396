"""From documents to contexts: tensors of token ids that fit the model."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import WorkerError
from ..protocol import ContextsOpenParams
from .stream import State, TextStream

# Documents per call of the tokeniser: enough to keep its threads busy, few enough to stay ahead by little.
DOCUMENTS_PER_CALL = 64


@dataclass
class Batch:
    """ids, keep, real: (contexts, positions). mask: the same, or None where the model gets none.

    `keep` marks the positions whose activations are stored, `real` those that hold text and not padding.
    """

    ids: torch.Tensor
    mask: torch.Tensor | None
    keep: torch.Tensor
    real: torch.Tensor


class Contexts:
    """Cuts a stream of documents into contexts of at most `ctx_len` tokens.

    pack: documents without special tokens, each followed by the end-of-text token, cut into full contexts; the last one
    may be shorter. truncate: one document, one context, as the tokeniser writes it, cut at `ctx_len`.
    """

    def __init__(self, text: TextStream, tokenizer: Any, max_context: int | None, params: ContextsOpenParams) -> None:
        if max_context is not None and params.ctx_len > max_context:
            raise WorkerError(
                "context_too_long",
                f"buffer.ctx_len is {params.ctx_len}, but the model reads at most {max_context} tokens.",
                hint=f"Set buffer.ctx_len to {max_context} or less.",
            )
        self.text = text
        self.tokenizer = tokenizer
        self.params = params
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.bos_token_id
        self.separator = [] if end is None else [end]
        own = tokenizer.pad_token_id
        self.pad = own if own is not None else (end or 0)
        # The token whose positions `keep: pad-token` drops; None where nothing but the padding is.
        self.dropped = own if own is not None or params.pad_token == "own" else self.pad
        self.special = torch.tensor(sorted(tokenizer.all_special_ids), dtype=torch.int64)
        # Tokens (pack) or whole contexts (truncate) that were read and not yet given out.
        self._tokens: list[int] = []
        self._contexts: list[list[int]] = []
        # The contexts that were given out last.
        self._given: list[list[int]] = []
        self.starved = False
        self.exhausted = False

    def next(self, count: int) -> Batch | None:
        """Up to `count` contexts. None: see `starved` and `exhausted`."""
        self.starved = False
        rows = self._packed(count) if self.params.contexts == "pack" else self._truncated(count)
        if self.starved:
            return None
        if len(rows) < count:
            self.exhausted = True
            if self.params.drop_partial_batch:
                return None
        self._given = rows
        return self._batch(rows) if rows else None

    def put_back(self) -> None:
        """Takes back the contexts that were given out last, because nothing could be done with them."""
        if self.params.contexts == "pack":
            self._tokens = [*itertools.chain.from_iterable(self._given), *self._tokens]
        else:
            self._contexts = [*self._given, *self._contexts]
        self._given = []
        self.exhausted = False

    def state(self) -> State:
        """Where the text is, and what was read of it and not yet given out."""
        return {
            "text": self.text.state(),
            "tokens": self._tokens,
            "contexts": self._contexts,
            "exhausted": self.exhausted,
        }

    def restore(self, state: State) -> None:
        """Continues where another one with the same settings stood."""
        self.text.restore(state["text"])
        self._tokens, self._contexts = state["tokens"], state["contexts"]
        self.exhausted = state["exhausted"]

    def _packed(self, count: int) -> list[list[int]]:
        length = self.params.ctx_len
        while len(self._tokens) < count * length and self._read_more():
            pass
        if self.starved:
            return []
        end = count * length
        taken, self._tokens = self._tokens[:end], self._tokens[end:]
        return [taken[start : start + length] for start in range(0, len(taken), length)]

    def _truncated(self, count: int) -> list[list[int]]:
        while len(self._contexts) < count and self._read_more(count - len(self._contexts)):
            pass
        if self.starved:
            return []
        taken, self._contexts = self._contexts[:count], self._contexts[count:]
        return taken

    def _read_more(self, count: int = DOCUMENTS_PER_CALL) -> bool:
        """Tokenises the next documents; False at the end of the text, or when it is starved."""
        documents = self.text.next_documents(count)
        self.starved = not documents and not self.text.ended
        if not documents:
            return False
        if self.params.contexts == "pack":
            for ids in self.tokenizer(documents, add_special_tokens=False, verbose=False)["input_ids"]:
                if ids:
                    self._tokens += ids
                    self._tokens += self.separator
        else:
            cut = self.tokenizer(documents, truncation=True, max_length=self.params.ctx_len, verbose=False)["input_ids"]
            self._contexts += [ids for ids in cut if ids]
        return True

    def _batch(self, rows: list[list[int]]) -> Batch:
        longest = max(map(len, rows))
        left = self.params.padding == "left-unmasked"
        ids = torch.full((len(rows), longest), self.pad, dtype=torch.int64)
        filled = torch.zeros((len(rows), longest), dtype=torch.bool)
        for index, row in enumerate(rows):
            place = slice(longest - len(row), longest) if left else slice(0, len(row))
            ids[index, place] = torch.tensor(row, dtype=torch.int64)
            filled[index, place] = True
        real = filled
        if self.params.keep == "pad-token" and self.dropped is not None:
            real = real & (ids != self.dropped)
        keep = real
        if self.params.exclude_special_tokens:
            keep = keep & ~torch.isin(ids, self.special)
        if left:
            # nnsight of December 2023 had the model attend to the padding too.
            return Batch(ids=ids, mask=torch.ones_like(ids), keep=keep, real=real)
        mask = filled.to(torch.int64) if self.params.attention_mask == "tokens" else None
        return Batch(ids=ids, mask=mask, keep=keep, real=real)
