"""One step of each other library, as its own trainer takes it, one at a time on request.

Runs in the environment of test/fixtures/other-libraries.txt. Reads one JSON request a line, answers one JSON object a line:
`open` takes rows and weights from a file, `take` times one step of one library.
"""

import contextlib
import sys
import time
from importlib.metadata import version

import torch
from answers import answer_lines
from safetensors.torch import load_file

with contextlib.redirect_stdout(sys.stderr):
    from dictionary_learning.trainers.standard import StandardTrainer
    from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer
    from schedulefree import ScheduleFreeWrapper
    from sparsify import SparseCoder, SparseCoderConfig
    from sparsify.sign_sgd import SignSGD

# So small that the share of active features does not change.
LR, PENALTY = 1e-6, 1e-3
STEPS = 1_000_000


def set_to(parameters, weights):
    """In place, so that each library keeps its own memory layout."""
    with torch.no_grad():
        for parameter, weight in zip(parameters, weights, strict=True):
            parameter.copy_(weight)


def l0(f):
    return (f != 0).sum(dim=-1).double().mean().item()


class DictionaryLearning:
    """The standard trainer. Its loss is the sum over coordinates, so its penalty is larger by that factor."""

    def __init__(self, w, rows):
        size, width = w["encoder.weight"].shape
        self.trainer = StandardTrainer(
            steps=STEPS,
            activation_dim=width,
            dict_size=size,
            layer=0,
            lm_name="none",
            lr=LR,
            l1_penalty=PENALTY * width,
            device="cpu",
        )
        ae = self.trainer.ae
        set_to(
            [ae.bias, ae.encoder.weight, ae.encoder.bias, ae.decoder.weight],
            [w["bias"], w["encoder.weight"], w["encoder.bias"], w["decoder.weight"]],
        )
        self.l0 = l0(ae.encode(rows))
        self.steps = 0

    def step(self, x):
        self.trainer.update(self.steps, x)
        self.steps += 1


class SAELens:
    """The standard architecture in its trainer, without logging."""

    def __init__(self, w, rows):
        size, width = w["encoder.weight"].shape
        config = StandardTrainingSAEConfig(d_in=width, d_sae=size, l1_coefficient=PENALTY * width)
        sae = StandardTrainingSAE(config)
        set_to(
            [sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec],
            [w["encoder.weight"].T, w["encoder.bias"], w["decoder.weight"].T, w["bias"]],
        )
        self.l0 = l0(sae.encode(rows))
        settings = SAETrainerConfig(total_training_samples=STEPS, train_batch_size_samples=len(rows), lr=LR, lr_end=LR)
        self.trainer = SAETrainer(settings, sae, iter(()))

    def step(self, x):
        self.trainer.step(x)
        self.trainer.n_training_steps += 1


class Sparsify:
    """The k largest features of each row. Does its trainer's work per batch, in its order, with its own methods."""

    def __init__(self, w, rows, k, optimiser):
        size, width = w["encoder.weight"].shape
        self.coder = SparseCoder(width, SparseCoderConfig(num_latents=size, k=k))
        assert self.coder.W_dec is not None
        set_to(
            [self.coder.encoder.weight, self.coder.encoder.bias, self.coder.W_dec, self.coder.b_dec],
            [w["encoder.weight"], w["encoder.bias"], w["decoder.weight"].T, w["bias"]],
        )
        self.l0 = float((self.coder.encode(rows).top_acts != 0).sum() / len(rows))
        if optimiser == "signum":
            self.optimiser = ScheduleFreeWrapper(SignSGD(self.coder.parameters(), lr=LR), momentum=0.95)
            self.optimiser.train()
        else:
            self.optimiser = torch.optim.Adam(self.coder.parameters(), lr=LR)
        self.silent = torch.zeros(size, dtype=torch.long)

    def step(self, x):
        self.coder.set_decoder_norm_to_unit_norm()
        out = self.coder(x)
        out.fvu.backward()
        self.coder.remove_gradient_parallel_to_decoder_directions()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.silent += len(x)
        self.silent[out.latent_indices.flatten()] = 0


class Sides:
    def __init__(self, request):
        w = load_file(request["open"])
        self.rows = w.pop("rows").split(request["batch"])
        first = self.rows[0]
        self.takes = {"dictionary_learning": DictionaryLearning(w, first), "sae_lens": SAELens(w, first)}
        if request["l0"] is not None:
            for optimiser in ("signum", "adam"):
                self.takes[f"sparsify-{optimiser}"] = Sparsify(w, first, request["l0"], optimiser)

    def take(self, name, batch):
        begin = time.perf_counter()
        self.takes[name].step(self.rows[batch])
        return time.perf_counter() - begin


class Steps:
    """Answers requests in turn."""

    sides = None

    def answer(self, request):
        if "open" not in request:
            return {"seconds": self.sides.take(request["take"], request["batch"])}
        self.sides = None
        self.sides = Sides(request)
        names = ("dictionary-learning", "sae-lens", "eai-sparsify")
        return {
            "l0": {name: side.l0 for name, side in self.sides.takes.items()},
            "versions": {name: version(name) for name in names},
            "torch": torch.__version__,
        }


if __name__ == "__main__":
    answer_lines(Steps().answer)
