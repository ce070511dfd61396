"""From documents to contexts: tensors of token ids that fit the model."""

from __future__ import annotations

import itertools
from concurrent.futures import Future, ThreadPoolExecutor, wait
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

    Whenever contexts were given out, as many as were ever asked for are read and tokenised on a thread, while the model
    runs on the others. Every call waits for that thread first, so what is held follows from the calls alone. What fails
    there fails again where it is needed.
    """

    def __init__(self, text: TextStream, tokenizer: Any, max_context: int | None, params: ContextsOpenParams) -> None:
        """`tokenizer`: one that threads may share. Raises `context_too_long`."""
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
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._reading: Future[None] | None = None
        # The most contexts that were asked for at once.
        self._most = 0
        # Documents that were read and not yet tokenised.
        self._documents: list[str] = []
        # Tokens (pack) or whole contexts (truncate) that were read and not yet given out.
        self._tokens: list[int] = []
        self._contexts: list[list[int]] = []
        # The contexts that were given out last.
        self._given: list[list[int]] = []
        self.starved = False
        self.exhausted = False

    def next(self, count: int) -> Batch | None:
        """Up to `count` contexts. None: see `starved` and `exhausted`."""
        self._settle()
        self._read(count)
        if self.starved:
            return None
        rows = self._take(count)
        if len(rows) < count:
            self.exhausted = True
            if self.params.drop_partial_batch:
                return None
        self._given = rows
        if self.text.readable_ahead and not self.exhausted:
            self._most = max(self._most, count)
            self._reading = self._reader.submit(self._read, self._most)
        return self._batch(rows) if rows else None

    def put_back(self) -> None:
        """Takes back the contexts that were given out last, because nothing could be done with them."""
        self._settle()
        if self.params.contexts == "pack":
            self._tokens = [*itertools.chain.from_iterable(self._given), *self._tokens]
        else:
            self._contexts = [*self._given, *self._contexts]
        self._given = []
        self.exhausted = False

    def state(self) -> State:
        """Where the text is, and what was read of it and not yet given out."""
        self._settle()
        return {
            "text": self.text.state(),
            "documents": self._documents,
            "tokens": self._tokens,
            "contexts": self._contexts,
            "exhausted": self.exhausted,
        }

    def restore(self, state: State) -> None:
        """Continues where another one with the same settings stood."""
        self._settle()
        self.text.restore(state["text"])
        # States of before there was reading ahead have none.
        self._documents = state.get("documents", [])
        self._tokens, self._contexts = state["tokens"], state["contexts"]
        self.exhausted = state["exhausted"]

    def _settle(self) -> None:
        """Waits until nothing is read ahead any more."""
        if self._reading is not None:
            wait([self._reading])
            self._reading = None

    def _read(self, count: int) -> None:
        """Reads until there are `count` contexts, the text ends, or it is starved."""
        packed, self.starved = self.params.contexts == "pack", False
        while True:
            held = len(self._tokens) // self.params.ctx_len if packed else len(self._contexts)
            if held >= count or not self._read_more(DOCUMENTS_PER_CALL if packed else count - held):
                return

    def _take(self, count: int) -> list[list[int]]:
        """Up to `count` of the contexts that were read."""
        if self.params.contexts == "truncate":
            taken, self._contexts = self._contexts[:count], self._contexts[count:]
            return taken
        length = self.params.ctx_len
        tokens, self._tokens = self._tokens[: count * length], self._tokens[count * length :]
        return [tokens[start : start + length] for start in range(0, len(tokens), length)]

    def _read_more(self, count: int) -> bool:
        """Tokenises up to `count` further documents; False at the end of the text, or when it is starved."""
        if not self._documents:
            self._documents = self.text.next_documents(count)
        if not self._documents:
            self.starved = not self.text.ended
            return False
        if self.params.contexts == "pack":
            for ids in self.tokenizer(self._documents, add_special_tokens=False, verbose=False)["input_ids"]:
                if ids:
                    self._tokens += ids
                    self._tokens += self.separator
        else:
            cut = self.tokenizer(self._documents, truncation=True, max_length=self.params.ctx_len, verbose=False)
            self._contexts += [ids for ids in cut["input_ids"] if ids]
        self._documents = []
        return True

    def _batch(self, rows: list[list[int]]) -> Batch:
        lengths = torch.tensor(list(map(len, rows))).unsqueeze(1)
        longest = int(lengths.max())
        left = self.params.padding == "left-unmasked"
        positions = torch.arange(longest)
        filled = positions >= longest - lengths if left else positions < lengths
        ids = torch.full(filled.shape, self.pad, dtype=torch.int64)
        ids[filled] = torch.tensor(list(itertools.chain.from_iterable(rows)), dtype=torch.int64)
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
