"""A whole run in one plain Python process: text, model, buffer and steps, without TypeScript, messages or a second process.

With the worker's own operations, or as the reference does it. Reads one JSON request a line, answers one JSON object a line.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "py_worker"))

from answers import answer_lines
from harvest_peers import load
from long_run import Clock
from plain_loop import take_steps
from step_peers import reference, start

sys.path.append(str(Path(__file__).parent / "reference"))

from buffer import ActivationBuffer

from dictlearn_worker import protocol as p
from dictlearn_worker.buffer import operations as buffer
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import Context
from dictlearn_worker.text import operations as text
from dictlearn_worker.text.python_docs import documents


class OwnOperations:
    """The operations that the worker gets, in the same order."""

    def __init__(self, request):
        self.request = request
        self.context = Context(Objects())
        model = load(request)
        site = p.Site(submodule=request["submodule"], io="out")
        self.model = self.context.objects.put(model)
        widths = model.try_sites([site])
        generator = self.context.objects.put(torch.Generator().manual_seed(0))
        opened = text.open_files(self.context, p.TextFilesParams(**request["text"]))
        contexts = p.ContextsOpenParams(text=opened.text, model=self.model, **request["cut"])
        self.contexts = text.open_contexts(self.context, contexts).contexts
        self.capacity = request["n_ctxs"] * request["ctx_len"]
        params = p.BufferCreateParams(
            sites=[site],
            widths=widths,
            rows=self.capacity + request["ctx_len"],
            dtype="float32",
            device="cpu",
            generator=generator,
            draws="shuffled",
            keep_contexts=False,
        )
        self.source = buffer.create(self.context, params).source
        self.rows = self.context.objects.get(self.source, ActivationRows)

    def ready(self):
        """Fills the buffer when fewer than half of its rows, or than a batch, are unread."""
        if len(self.rows.unread) >= max(self.capacity // 2, self.request["batch"]):
            return
        while (free := self.capacity - len(self.rows.unread)) > 0:
            wanted = min(self.request["in_batch_size"], -(-free // self.request["ctx_len"]))
            params = p.BufferAppendParams(
                source=self.source,
                model=self.model,
                contexts=self.contexts,
                n_contexts=wanted,
                forward="partial",
                max_norm_multiple=None,
            )
            if buffer.append(self.context, params).exhausted:
                raise EOFError("the text is too short for this benchmark")
        buffer.shuffle(self.context, p.BufferShuffleParams(source=self.source))

    def train(self, request):
        return take_steps(self.rows, request["train"], {**self.request, **request}, self.ready)


class Reference:
    """The plain reference loop: one pass through the whole model for each batch of documents, and its own buffer."""

    def __init__(self, request):
        model = load(request)
        submodule = model.module.get_submodule(request["submodule"])
        sizes = {"n_ctxs": request["n_ctxs"], "ctx_len": request["ctx_len"], "in_batch_size": request["in_batch_size"]}
        buffer = ActivationBuffer(
            iter(documents()), model.module, model.tokenizer, submodule, "out", out_batch_size=request["batch"], **sizes
        )
        self.clock = Clock()
        buffer.activations = self.clock.counted(buffer.activations, lambda rows: len(rows[0]))
        self.batch = request["batch"]
        self.rows = iter(buffer)
        # Fills the buffer.
        next(self.rows)
        self.step = reference(start(request["width"], request["features"], None), request["features"])

    def train(self, request):
        """Refreshes are few and long."""
        rate = self.clock.steps_per_second(lambda: self.step(next(self.rows)[0]), request["steps"], self.batch)
        return {"steps_per_second": rate}


def save(model, folder):
    """The model, its tokeniser and the text, as other libraries read them."""
    model.module.save_pretrained(folder / "model")
    model.tokenizer.save_pretrained(folder / "model")
    (folder / "texts.json").write_text(json.dumps(list(documents())))


class Runs:
    """Answers requests in turn."""

    run = None

    def answer(self, request):
        if "save" in request:
            save(load(request), Path(request["save"]))
            return {}
        if "open" not in request:
            return self.run.train(request)
        self.run = Reference(request) if request["open"] == "reference" else OwnOperations(request)
        if isinstance(self.run, OwnOperations):
            self.run.ready()
        return {}


if __name__ == "__main__":
    answer_lines(Runs().answer)
