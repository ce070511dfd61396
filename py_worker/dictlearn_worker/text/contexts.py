"""From documents to contexts: tensors of token ids that fit the model."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch

from ..errors import WorkerError
from ..models.shared_tokenizer import SharedTokenizer
from ..models.vocabulary import check_ids
from ..protocol import ContextsOpenParams
from .cuts import next_cut
from .stream import State, TextStream

# How far to read ahead, and the size of the tokeniser's calls: multiples of the largest request for contexts so far.
# Its threads share a call's documents, so a short call would wait for its longest document.
AHEAD = 4
# The assumed length of a token in text that is read but not yet tokenised.
CHARACTERS_PER_TOKEN = 4
# The most in one call, or one document: the tokeniser holds some hundred bytes per token until it is done.
MOST_CHARACTERS, MOST_DOCUMENTS = 1 << 20, 1 << 13
# Longer documents (characters) are tokenised in pieces.
LONGEST = 1 << 20
# How much of a document that is cut to one context is tokenised: characters per token, and the least in all.
CHARACTERS_OF_LONG, LEAST_OF_LONG = 16, 1 << 16


@dataclass
class Batch:
    """ids, keep, real: (contexts, positions). mask: the same, or None if the model gets none.

    `keep` marks the positions whose activations are stored, `real` the positions that hold text, not padding.
    """

    ids: torch.Tensor
    mask: torch.Tensor | None
    keep: torch.Tensor
    real: torch.Tensor


class Contexts:
    """Cuts a stream of documents into contexts of at most `ctx_len` tokens.

    pack: documents without special tokens, each followed by the end-of-text token, cut into full contexts; the last one
    may be shorter. truncate: one document, one context, with the tokeniser's special tokens, cut at `ctx_len`.

    After each call, a thread reads and tokenises `AHEAD` times as many contexts while the model runs on the last ones.
    A call that finds enough contexts does not wait for the thread. The thread always refills to the same amount, so the
    state depends on the calls alone. A failure in the thread is raised again by the call that needs the documents.
    """

    def __init__(
        self, text: TextStream, tokenizer: SharedTokenizer, max_context: int | None, params: ContextsOpenParams
    ) -> None:
        """Raises `context_too_long`."""
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
        inside = [each for each in (own, end) if each is not None and (tokenizer.rows is None or each < tokenizer.rows)]
        self.pad = inside[0] if inside else 0
        if self._packed:
            check_ids(tokenizer.rows, self.separator, tokenizer)
        # The token whose positions `keep: pad-token` drops; None if only padding is dropped.
        self.dropped = own if own is not None or params.pad_token == "own" else self.pad
        self.special = torch.tensor(sorted(tokenizer.all_special_ids), dtype=torch.int64)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._reading: Future[None] | None = None
        # The largest request for contexts so far.
        self._most = 0
        # Documents that are read but not yet tokenised; of the first one only the part after `_from`.
        # `_begun`: the first one has already given tokens.
        self._documents: list[str] = []
        self._from = 0
        self._begun = False
        # Tokens (int32) that are read but not yet returned, and for truncated contexts their lengths.
        self._tokens = np.empty(0, dtype=np.int32)
        self._lengths: list[int] = []
        # Guards these two.
        self._changing = Lock()
        # The contexts that were returned last: their tokens and lengths.
        self._given = (self._tokens, self._lengths)
        self.starved = False
        self.exhausted = False

    def next(self, count: int) -> Batch | None:
        """Up to `count` contexts. None: see `starved` and `exhausted`."""
        if count > self._most or self._held() < count:
            self._settle()
            self._most = max(self._most, count)
            self._read(count, self._most)
        if self.starved:
            return None
        tokens, lengths = self._take(count)
        if len(lengths) < count:
            self.exhausted = True
            if self.params.drop_partial_batch:
                return None
        self._given = (tokens, lengths)
        if self.text.readable_ahead and not self.exhausted:
            ahead = AHEAD * self._most
            self._reading = self._reader.submit(self._read, ahead, ahead)
        return self._batch(tokens, lengths) if lengths else None

    def put_back(self) -> None:
        """Takes back the contexts that were returned last, because the caller could not process them."""
        self._settle()
        tokens, lengths = self._given
        self._tokens = np.concatenate([tokens, self._tokens])
        if not self._packed:
            self._lengths = [*lengths, *self._lengths]
        self._given = (tokens[:0], [])
        self.exhausted = False

    def state(self) -> State:
        """The text's position, and the tokens that are read but not yet returned."""
        self._settle()
        contexts = np.split(self._tokens, np.cumsum(self._lengths))[:-1] if self._lengths else []
        return {
            "text": self.text.state(),
            "documents": [each[self._from * (index == 0) :] for index, each in enumerate(self._documents)],
            "begun": self._begun,
            "tokens": self._tokens.tolist() if self._packed else [],
            "contexts": [each.tolist() for each in contexts],
            "exhausted": self.exhausted,
        }

    def restore(self, state: State, changed: Collection[str] = ()) -> list[str]:
        """Continues from the state of another object with the same settings; as `Documents.restore`."""
        self._settle()
        notices = self.text.restore(state["text"], changed)
        # States from before reading ahead was added have none.
        self._documents, self._from = state.get("documents", []), 0
        self._begun = state.get("begun", False)
        contexts = [state["tokens"]] if self._packed else state["contexts"]
        self._tokens = flat(contexts)
        self._lengths = [] if self._packed else list(map(len, contexts))
        self.exhausted = state["exhausted"]
        return notices

    @property
    def _packed(self) -> bool:
        return self.params.contexts == "pack"

    def _held(self) -> int:
        """The number of whole contexts that are read but not yet returned."""
        return len(self._tokens) // self.params.ctx_len if self._packed else len(self._lengths)

    def _settle(self) -> None:
        """Waits until reading ahead is done: the thread runs its jobs in order, so the last one ends last."""
        if self._reading is not None:
            wait([self._reading])
            self._reading = None

    def _read(self, count: int, call: int) -> None:
        """Reads until there are `count` contexts, the text ends, or it is starved; about `call` of them at once."""
        self.starved = False
        while self._held() < count and self._read_more(call):
            pass

    def _take(self, count: int) -> tuple[np.ndarray, list[int]]:
        """Takes up to `count` of the contexts that are read: their tokens and lengths."""
        with self._changing:
            if self._packed:
                taken = min(count * self.params.ctx_len, len(self._tokens))
                whole, rest = divmod(taken, self.params.ctx_len)
                lengths = [self.params.ctx_len] * whole + ([rest] if rest else [])
            else:
                lengths, self._lengths = self._lengths[:count], self._lengths[count:]
                taken = sum(lengths)
            tokens, self._tokens = self._tokens[:taken], self._tokens[taken:]
        return tokens, lengths

    def _read_more(self, call: int) -> bool:
        """Tokenises documents for about `call` contexts; False at the end of the text, or when it is starved."""
        if not self._documents:
            characters = min(MOST_CHARACTERS, call * self.params.ctx_len * CHARACTERS_PER_TOKEN)
            documents = MOST_DOCUMENTS if self._packed else min(MOST_DOCUMENTS, call)
            self._documents = self.text.next_documents(documents, characters)
        if not self._documents:
            self.starved = not self.text.ended
            return False
        if self._packed:
            self._pack()
        else:
            found = [ids for ids in self._truncated() if ids]
            self._append(found, list(map(len, found)))
            self._documents = []
        return True

    def _pack(self) -> None:
        """The ids of the documents that are short enough to be tokenised whole, or of one piece of a long document."""
        rest, end, begin = len(self._documents[0]) - self._from, 0, 0
        if rest <= LONGEST:
            whole = list(itertools.takewhile(lambda each: len(each) <= LONGEST, self._documents[1:]))
            texts = [self._documents[0][self._from :], *whole]
        else:
            end, begin = next_cut(self._documents[0], self._from, LONGEST, self._plain_ids)
            texts = [self._documents[0][self._from : end]]
        parts, begun = [], self._begun
        for ids in self._plain_ids(texts):
            begun = begun or bool(ids)
            parts.append(ids)
            if begin == 0 and begun:
                parts.append(self.separator)
                begun = False
        self._append(parts, [])
        self._begun, self._from = begun, begin
        if begin == 0:
            self._documents = self._documents[len(texts) :]

    def _plain_ids(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer.ids(texts, special_tokens=False, most=None)

    def _truncated(self) -> list[list[int]]:
        """The ids of the documents, each cut to a context; of a long document only the needed part is tokenised."""
        most = self.params.ctx_len
        sizes = [max(LEAST_OF_LONG, CHARACTERS_OF_LONG * most)] * len(self._documents)
        found: list[list[int]] = [[]] * len(self._documents)
        left = list(range(len(self._documents)))
        while left:
            parts = [self._part(self._documents[index], sizes[index]) for index in left]
            for index, part, ids in zip(
                left, parts, self.tokenizer.ids(parts, special_tokens=True, most=most), strict=True
            ):
                found[index] = ids
                sizes[index] = -1 if len(ids) >= most or len(part) == len(self._documents[index]) else 2 * sizes[index]
            left = [index for index in left if sizes[index] > 0]
        return found

    def _part(self, document: str, size: int) -> str:
        """About `size` characters of the document, from the side that the tokeniser keeps; all of a short one."""
        if len(document) <= size:
            return document
        if getattr(self.tokenizer, "truncation_side", "right") == "left":
            return document[next_cut(document, 0, len(document) - size, self._plain_ids)[1] :]
        return document[: next_cut(document, 0, size, self._plain_ids)[0]]

    def _append(self, parts: list[list[int]], lengths: list[int]) -> None:
        """Appends tokens to the tokens that are read. Raises `unknown_token` if the model has no row for one."""
        tokens = flat(parts)
        if self.tokenizer.rows is not None and tokens.max(initial=0) >= self.tokenizer.rows:
            for ids in parts:
                check_ids(self.tokenizer.rows, ids, self.tokenizer)
        with self._changing:
            self._tokens = np.concatenate([self._tokens, tokens])
            self._lengths += lengths

    def _batch(self, tokens: np.ndarray, lengths: list[int]) -> Batch:
        longest = max(lengths)
        left = self.params.padding == "left-unmasked"
        if len(tokens) == len(lengths) * longest:
            ids = torch.from_numpy(tokens).long().view(-1, longest)
            filled = torch.ones(ids.shape, dtype=torch.bool)
        else:
            size = torch.tensor(lengths).unsqueeze(1)
            positions = torch.arange(longest)
            filled = positions >= longest - size if left else positions < size
            ids = torch.full(filled.shape, self.pad, dtype=torch.int64)
            ids.masked_scatter_(filled, torch.from_numpy(tokens).long())
        real = filled
        if self.params.keep == "pad-token" and self.dropped is not None:
            real = real & (ids != self.dropped)
        keep = real
        if self.params.exclude_special_tokens:
            keep = keep & ~torch.isin(ids, self.special)
        if left:
            # With nnsight of December 2023 the model attended to the padding too.
            return Batch(ids=ids, mask=torch.ones_like(ids), keep=keep, real=real)
        mask = filled.to(torch.int64) if self.params.attention_mask == "tokens" else None
        return Batch(ids=ids, mask=mask, keep=keep, real=real)


def flat(parts: list[list[int]]) -> np.ndarray:
    """All ids concatenated, as int32."""
    return np.fromiter(itertools.chain.from_iterable(parts), np.int32, sum(map(len, parts)))
