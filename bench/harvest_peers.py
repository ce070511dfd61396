"""The output of one early layer for a batch of contexts: as the worker reads it, by bare hooks, and as the reference did.

Reads one JSON request a line, answers one JSON object a line.
"""

import json
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "py_worker"))

from dictlearn_worker.models.fetch import locate
from dictlearn_worker.models.language_model import Read, first_tensor
from dictlearn_worker.models.load import load_pretrained, wrap
from dictlearn_worker.objects import Objects
from dictlearn_worker.protocol import Site
from dictlearn_worker.registry import Context


class Enough(Exception):
    pass


def load(name, cache):
    path = locate(Context(Objects()), name, Path(cache))
    cpu = torch.device("cpu")
    module, tokenizer = load_pretrained(name, path, None, "float32", cpu, trust=False)
    return wrap(module, tokenizer, cpu)


@torch.no_grad()
def by_hooks(model, layer, ids, mask):
    """One pass that ends behind the layer."""
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

    `logits`: of how many last positions; 0: of all, as in the transformers of its time.
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


def measure(request):
    model, layer = load(request["model"], request["cache"]), request["layer"]
    model.try_sites([Site(submodule=layer, io="out")])
    read = Read(layer, "output")
    shape = request["contexts"], request["positions"]
    ids = torch.randint(0, 1000, shape, generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    sides = {
        "ours": lambda: model.read(ids, mask, [read], stop=True)[read],
        "hooks": lambda: by_hooks(model, layer, ids, mask),
        "reference": lambda: by_generation(model, layer, ids, mask, 0),
        "generate": lambda: by_generation(model, layer, ids, mask, 1),
    }
    seconds = {name: [] for name in sides}
    # The first round warms up; the sides take turns, so that a slow moment of the machine hits all.
    for repetition in range(request["repetitions"] + 1):
        rows = []
        for name, take in sides.items():
            begin = time.perf_counter()
            rows.append(take())
            if repetition > 0:
                seconds[name].append(time.perf_counter() - begin)
    same = torch.equal(rows[0], rows[1]) and torch.allclose(rows[0], rows[2], rtol=1e-4, atol=1e-4)
    return {**seconds, "same": same}


for line in sys.stdin:
    print(json.dumps(measure(json.loads(line))), flush=True)
