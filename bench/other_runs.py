"""A whole run of each other library: text, model, activations and steps, with its own parts and in its trainer's order.

Runs in the environment of test/fixtures/other-libraries.txt. Reads one JSON request a line, answers one JSON object a line:
`open` names a library and its input, `steps` takes this many more steps.
"""

import contextlib
import itertools
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
from answers import answer_lines
from long_run import Clock

with contextlib.redirect_stdout(sys.stderr):
    from datasets import Dataset
    from dictionary_learning.buffer import ActivationBuffer
    from dictionary_learning.trainers.standard import StandardTrainer
    from nnsight import LanguageModel
    from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.load_model import HookedProxyLM
    from sae_lens.training.activations_store import ActivationsStore
    from sae_lens.training.sae_trainer import SAETrainer
    from sparsify import SparseCoderConfig, TrainConfig, Trainer
    from sparsify.data import chunk_and_tokenize
    from transformers import AutoModelForCausalLM, AutoTokenizer

STEPS = 1_000_000


def pretrained(request):
    """The model and its tokeniser, from the folder."""
    model = AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32).requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(request["model"])


class DictionaryLearning:
    """Its buffer, which ends the pass after the submodule and leaves padding out, and its standard trainer."""

    name, package = "dictionary_learning", "dictionary-learning"

    def __init__(self, request, texts):
        self.batch = request["batch"]
        model = LanguageModel(request["model"], device_map="cpu", dispatch=True, patch_llama_scan=False)
        path = request["submodule"].split(".")
        submodule = model
        for part in path:
            submodule = submodule[int(part)] if part.isdigit() else getattr(submodule, part)
        self.clock = Clock()
        buffer = ActivationBuffer(
            itertools.cycle(texts),
            model,
            submodule,
            d_submodule=request["width"],
            n_ctxs=request["n_ctxs"],
            ctx_len=request["ctx_len"],
            refresh_batch_size=request["in_batch_size"],
            out_batch_size=request["batch"],
        )
        refresh = buffer.refresh

        def refreshed():
            kept = int((~buffer.read).sum())
            refresh()
            return len(buffer.activations) - kept

        buffer.refresh = self.clock.counted(refreshed, lambda rows: rows)
        self.buffer = buffer
        next(buffer)
        self.trainer = StandardTrainer(
            steps=STEPS,
            activation_dim=request["width"],
            dict_size=request["features"],
            layer=1,
            lm_name="SmolLM2-135M",
            lr=request["lr"],
            # Its error is a sum over coordinates where ours is a mean.
            l1_penalty=request["sparsity_penalty"] * request["width"],
            device="cpu",
        )
        self.numbers = itertools.count()

    def run(self, steps):
        return self.clock.steps_per_second(
            lambda: self.trainer.update(next(self.numbers), next(self.buffer)), steps, self.batch
        )


class SAELens:
    """Its store, which packs documents and ends the pass after the module, and its trainer, without logging."""

    name, package = "sae_lens", "sae-lens"

    def __init__(self, request, texts):
        self.batch = request["batch"]
        model, tokenizer = pretrained(request)
        self.store = ActivationsStore(
            HookedProxyLM(model, tokenizer, hook_names=[request["submodule"]]),
            Dataset.from_dict({"text": texts}),
            streaming=False,
            hook_name=request["submodule"],
            hook_head_index=None,
            context_size=request["ctx_len"],
            d_in=request["width"],
            n_batches_in_buffer=request["n_ctxs"],
            total_training_tokens=1,
            store_batch_size_prompts=request["in_batch_size"],
            train_batch_size_tokens=request["batch"],
            prepend_bos=False,
            normalize_activations="none",
            device=torch.device("cpu"),
            dtype="float32",
        )
        self.clock = Clock()
        self.store.get_filtered_llm_batch = self.clock.counted(self.store.get_filtered_llm_batch, len)
        next(self.store)
        config = StandardTrainingSAEConfig(
            d_in=request["width"],
            d_sae=request["features"],
            l1_coefficient=request["sparsity_penalty"] * request["width"],
        )
        settings = SAETrainerConfig(
            total_training_samples=STEPS,
            train_batch_size_samples=request["batch"],
            lr=request["lr"],
            lr_end=request["lr"],
        )
        self.trainer = SAETrainer(settings, StandardTrainingSAE(config), self.store)

    def step(self):
        self.trainer.step(next(self.store))
        self.trainer.n_training_steps += 1

    def run(self, steps):
        return self.clock.steps_per_second(self.step, steps, self.batch)


class Unsaved(Trainer):
    """Without its files at the end."""

    def save(self):
        pass


class Sparsify:
    """Its trainer: no buffer, a pass through the whole model for each batch of pretokenised text.

    It can only run as a whole, so each `run` starts a new dictionary.
    """

    name, package = "sparsify", "eai-sparsify"

    def __init__(self, request, texts):
        self.request = request
        self.model, tokenizer = pretrained(request)
        contexts = chunk_and_tokenize(
            Dataset.from_dict({"text": texts}), tokenizer, max_seq_len=request["ctx_len"], num_proc=1
        )
        self.contexts = contexts
        self.taken = 0

    def run(self, steps):
        request = self.request
        each = request["batch"] // request["ctx_len"]
        first, self.taken = self.taken, self.taken + steps * each
        coder = SparseCoderConfig(num_latents=request["features"], k=request["k"])
        config = TrainConfig(
            coder,
            batch_size=each,
            hookpoints=[request["submodule"].removeprefix("model.")],
            log_to_wandb=False,
        )
        trainer = Unsaved(config, self.contexts.select(range(first, self.taken)), self.model)
        begin = time.perf_counter()
        trainer.fit()
        return steps / (time.perf_counter() - begin)


LIBRARIES = {each.name: each for each in (DictionaryLearning, SAELens, Sparsify)}


class Runs:
    """Answers requests in turn."""

    run = None

    def answer(self, request):
        if "open" not in request:
            return {"steps_per_second": self.run.run(request["steps"])}
        library = LIBRARIES[request["open"]]
        self.run = None
        self.run = library(request, json.loads(Path(request["texts"]).read_text()))
        return {"version": version(library.package)}


if __name__ == "__main__":
    answer_lines(Runs().answer)
