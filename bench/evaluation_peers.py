"""The evaluation functions of dictionary_learning and SAELens on a dictionary, for bench/evaluation-peers.ts.

Reads {"model", "submodule", "weights", "texts", "ctx_len"} from standard input; prints one JSON object with what each
library says. It runs in an environment that has both packages. Only calls into them; none of their code is here.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def first_contexts(tokenizer: Any, texts: list[str], ctx_len: int) -> torch.Tensor:
    """The texts that fill a context, cut to it: (contexts, ctx_len)."""
    ids = tokenizer(texts, truncation=True, max_length=ctx_len)["input_ids"]
    return torch.tensor([each for each in ids if len(each) == ctx_len])


def rows_of(model: Any, submodule: str, tokens: torch.Tensor) -> torch.Tensor:
    """The submodule's output at every token: (contexts · positions, width)."""
    seen: list[torch.Tensor] = []
    hook = model.get_submodule(submodule).register_forward_hook(lambda _, __, output: seen.append(output))
    model(tokens)
    hook.remove()
    return seen[0].flatten(0, 1)


def dictionary_learning_says(weights: str, rows: torch.Tensor) -> dict[str, float]:
    from dictionary_learning.dictionary import AutoEncoder
    from dictionary_learning.evaluation import evaluate

    return evaluate(AutoEncoder.from_pretrained(weights), iter([rows]), device="cpu")


def dictionary_learning_losses(path: str, submodule: str, weights: str, tokens: torch.Tensor) -> dict[str, float]:
    from dictionary_learning.dictionary import AutoEncoder
    from dictionary_learning.evaluation import loss_recovered
    from nnsight import LanguageModel

    model = LanguageModel(path, device_map="cpu", dispatch=True)
    module: Any = model
    for part in submodule.split("."):
        module = module[int(part)] if part.isdigit() else getattr(module, part)
    dictionary = AutoEncoder.from_pretrained(weights)
    losses = loss_recovered(tokens, model, module, dictionary, io="out", tracer_args={"use_cache": False})
    return dict(zip(("loss_original", "loss_reconstructed", "loss_zero"), map(float, losses), strict=True))


def sae_lens_says(module: Any, tokenizer: Any, submodule: str, weights: str, tokens: torch.Tensor) -> dict[str, float]:
    from sae_lens import StandardSAE, StandardSAEConfig
    from sae_lens.evals import get_downstream_reconstruction_metrics, get_sparsity_and_variance_metrics
    from sae_lens.load_model import HookedProxyLM
    from sae_lens.training.activation_scaler import ActivationScaler

    state = torch.load(weights, weights_only=True)
    size, width = state["encoder.weight"].shape
    config = StandardSAEConfig(d_in=width, d_sae=size, dtype="float32", device="cpu", apply_b_dec_to_input=True)
    config.metadata.hook_name = submodule
    sae = StandardSAE(config)
    sae.load_state_dict(
        {
            "W_enc": state["encoder.weight"].T.contiguous(),
            "b_enc": state["encoder.bias"],
            "W_dec": state["decoder.weight"].T.contiguous(),
            "b_dec": state["bias"],
        }
    )
    model = HookedProxyLM(module, tokenizer)
    store: Any = SimpleNamespace(get_batch_tokens=lambda _: tokens)
    sparsity, features = get_sparsity_and_variance_metrics(
        sae,
        model,
        store,
        ActivationScaler(),
        n_batches=1,
        compute_l2_norms=True,
        compute_sparsity_metrics=True,
        compute_variance_metrics=True,
        compute_featurewise_density_statistics=True,
        eval_batch_size_prompts=len(tokens),
        model_kwargs={},
    )
    losses = get_downstream_reconstruction_metrics(
        sae,
        model,
        store,
        ActivationScaler(),
        compute_kl=True,
        compute_ce_loss=True,
        n_batches=1,
        eval_batch_size_prompts=len(tokens),
    )
    alive = sum(density > 0 for density in features["feature_density"]) / size
    return sparsity | losses | {"alive": alive}


@torch.no_grad()
def main() -> None:
    """Answers one question."""
    asked = json.load(sys.stdin)
    tokenizer = AutoTokenizer.from_pretrained(asked["model"])
    module: Any = AutoModelForCausalLM.from_pretrained(asked["model"], dtype=torch.float32)
    tokens = first_contexts(tokenizer, asked["texts"], asked["ctx_len"])
    submodule, weights = asked["submodule"], asked["weights"]
    answer: dict[str, Any] = {"contexts": len(tokens)}
    for name, ask in {
        "dictionary_learning": lambda: dictionary_learning_says(weights, rows_of(module, submodule, tokens)),
        "dictionary_learning losses": lambda: dictionary_learning_losses(asked["model"], submodule, weights, tokens),
        "sae_lens": lambda: sae_lens_says(module, tokenizer, submodule, weights, tokens),
    }.items():
        try:
            answer[name] = ask()
        except Exception as error:
            answer[name] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


main()
