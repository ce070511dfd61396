"""The trace of bench/trace.ts written with nnsight. Answers one line of JSON with one line of JSON."""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import nnsight
import torch
import transformers
from answers import answer_lines


def load(folder):
    module = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return nnsight.TransformersModel(
        module.eval().requires_grad_(False), tokenizer=tokenizer, task="text-generation"
    )


def trace(model, prompt):
    with torch.no_grad(), model.trace(prompt):
        layer = model.gpt_neox.layers[1]
        layer.output = layer.output * 2
        logit = model.output.logits[0, -1, 3].save()
    return logit.item()


class Traces:
    """Answers requests in turn: first a model and a prompt, then numbers of traces."""

    model = prompt = None

    def answer(self, request):
        if "model" in request:
            self.model, self.prompt = load(request["model"]), request["prompt"]
            return {}
        start = time.perf_counter()
        for _ in range(request["traces"]):
            trace(self.model, self.prompt)
        return {"milliseconds": (time.perf_counter() - start) * 1000 / request["traces"]}


answer_lines(Traces().answer)
