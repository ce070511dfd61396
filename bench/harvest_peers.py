"""The output of one early layer: as the worker reads it, with bare hooks, and as the reference did.

`full`: contexts without padding, from tokens to activations. `text`: documents of all lengths, from text to kept rows.
Reads one JSON request a line, answers one JSON object a line.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "py_worker"))

from answers import answer_lines
from peak import product

from dictlearn_worker.buffer.operations import harvest
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.models.fetch import locate
from dictlearn_worker.models.flops import count
from dictlearn_worker.models.language_model import Read, first_tensor
from dictlearn_worker.models.load import load_pretrained, wrap
from dictlearn_worker.objects import Objects
from dictlearn_worker.protocol import ContextsOpenParams, Handle, Site
from dictlearn_worker.registry import Context
from dictlearn_worker.text.contexts import Contexts
from dictlearn_worker.text.python_docs import documents
from dictlearn_worker.text.stream import ListedDocuments, TextStream


class Enough(Exception):
    pass


def load(request):
    path = locate(Context(Objects()), request["model"], Path(request["cache"]))
    cpu = torch.device("cpu")
    module, tokenizer = load_pretrained(request["model"], path, None, "float32", cpu, trust=False)
    return wrap(module, tokenizer, cpu)


@torch.no_grad()
def by_hooks(model, layer, ids, mask):
    """One pass that ends after the layer."""
    found = []

    def keep(_, inputs, output):
        found.append(first_tensor(output))
        raise Enough

    handle = model.module.get_submodule(layer).register_forward_hook(keep)
    try:
        model.module(input_ids=ids, attention_mask=mask, use_cache=False)
    except Enough:
        return found[0]
    finally:
        handle.remove()


@torch.no_grad()
def by_generation(model, layer, ids, mask, logits):
    """All layers, the head and one new token, as in dictionary_learning ddac948.

    `logits`: the number of last positions; 0: all, as in the transformers version of its time.
    """
    found = []
    handle = model.module.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: found.append(first_tensor(output))
    )
    try:
        model.module.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=1,
            do_sample=False,
            pad_token_id=0,
            logits_to_keep=logits,
        )
    finally:
        handle.remove()
    return found[0]


def full(model, request):
    """Seconds of every side in every round, and whether the rows are the same."""
    layer = request["layer"]
    read = Read(layer, "output")
    shape = request["contexts"], request["positions"]
    ids = torch.randint(0, 1000, shape, generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    sides = {
        "ours": lambda: model.read(ids, mask, [read], stop=True)[read],
        "hooks": lambda: by_hooks(model, layer, ids, mask),
        "reference": lambda: by_generation(model, layer, ids, mask, 0),
        "generate": lambda: by_generation(model, layer, ids, mask, 1),
        "product": product(),
    }
    sides = {name: sides[name] for name in request.get("sides", sides)}
    seconds = {name: [] for name in sides}
    # The first round warms up; the sides take turns, so that a slow moment of the machine hits all.
    for repetition in range(request["repetitions"] + 1):
        rows = []
        for name, take in sides.items():
            begin = time.perf_counter()
            rows.append(take())
            if repetition > 0:
                seconds[name].append(time.perf_counter() - begin)
    if "sides" in request:
        return seconds
    same = torch.equal(rows[0], rows[1]) and torch.allclose(rows[0], rows[2], rtol=1e-4, atol=1e-4)
    operations, _ = count(model, [Site(submodule=layer, io="out")], request["positions"])
    return {**seconds, "same": same, "operations": request["contexts"] * operations}


def contexts_of(text, model, kind, length):
    """The worker's contexts of `length` tokens, `pack` or `truncate`, with a run's other settings."""
    handle = Handle(0, 0)
    params = ContextsOpenParams(
        text=handle,
        model=handle,
        ctx_len=length,
        contexts=kind,
        padding="right",
        keep="mask",
        pad_token="own",
        attention_mask="tokens",
        exclude_special_tokens=False,
        drop_partial_batch=False,
    )
    return Contexts(text, model.shared_tokenizer, None, params)


class Ours:
    """The worker's contexts and buffer, for `rounds` rounds of `count` contexts."""

    def __init__(self, model, request, kind, count, rounds):
        self.model, self.count, self.filled = model, count, 0
        self.contexts = contexts_of(TextStream(ListedDocuments(documents())), model, kind, request["positions"])
        site = Site(submodule=request["layer"], io="out")
        self.rows = ActivationRows(
            [site],
            model.try_sites([site]),
            rounds * count * request["positions"],
            dtype=torch.float32,
            device=model.device,
            generator=torch.Generator(),
            randperm_each=False,
            keep_contexts=False,
        )

    def take(self):
        """The rows of the next contexts."""
        batch = self.contexts.next(self.count)
        before, self.filled = self.filled, self.filled + harvest(self.rows, self.model, batch, stop=True, most=None)
        (values,) = self.rows.values.values()
        return values[before : self.filled]


def text(model, request):
    """(seconds, rows) of every side in every round, and whether the rows of the same documents are the same.

    The reference's batch is padded to its longest document, and the rows of the padding are dropped after the model.
    """
    rounds, count, positions = request["repetitions"] + 1, request["documents"], request["positions"]
    texts = iter(documents())
    pack = Ours(model, request, "pack", count, rounds)
    truncate = Ours(model, request, "truncate", count, rounds)

    def reference():
        found = model.tokenizer(
            [next(texts) for _ in range(count)],
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=positions,
            return_tensors="pt",
        )
        mask = found["attention_mask"]
        return by_generation(model, request["layer"], found["input_ids"], mask, 0)[mask.bool()]

    sides = {"pack": pack.take, "truncate": truncate.take, "reference": reference}
    taken = {name: [] for name in sides}
    same = True
    for repetition in range(rounds):
        rows = {}
        for name, take in sides.items():
            begin = time.perf_counter()
            rows[name] = take()
            if repetition > 0:
                taken[name].append((time.perf_counter() - begin, len(rows[name])))
        same = same and torch.allclose(rows["truncate"], rows["reference"], rtol=1e-4, atol=1e-4)
    return {**taken, "same": same}


class Harvests:
    """Answers requests in turn, for one model."""

    kinds = {"full": full, "text": text}
    model = None

    def answer(self, request):
        if self.model is None:
            self.model = load(request)
            self.model.try_sites([Site(submodule=request["layer"], io="out")])
        return self.kinds[request["kind"]](self.model, request)


if __name__ == "__main__":
    answer_lines(Harvests().answer)
