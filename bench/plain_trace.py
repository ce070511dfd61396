"""The trace of bench/trace.ts as one writes it with nnsight. Answers one line of JSON with one line of JSON."""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import nnsight
import torch
import transformers


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


def main():
    request = json.loads(sys.stdin.readline())
    model, prompt = load(request["model"]), request["prompt"]
    print("{}", flush=True)
    for line in sys.stdin:
        count = json.loads(line)["traces"]
        start = time.perf_counter()
        for _ in range(count):
            trace(model, prompt)
        milliseconds = (time.perf_counter() - start) * 1000 / count
        print(json.dumps({"milliseconds": milliseconds}), flush=True)


main()
