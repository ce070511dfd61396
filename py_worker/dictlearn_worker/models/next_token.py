"""Whether a model predicts the next token, so that the loss of its predictions means something."""

from __future__ import annotations

import torch

from .. import protocol as p
from ..errors import WorkerError
from ..registry import Context, method
from .language_model import TRIAL, LanguageModel

# Logits of one position count as equal if they differ by fewer roundings of the largest than this.
ROUNDINGS = 32


@method("model.next_token")
def next_token(context: Context, params: p.ModelNextTokenParams) -> p.ModelNextTokenResult:
    """One short pass."""
    return p.ModelNextTokenResult(why_not=why_not(context.objects.get(params.model, LanguageModel)))


@torch.no_grad()
def why_not(model: LanguageModel) -> str | None:
    """A sentence, or None. Two contexts differ only in their last token: the logits before it must not differ.

    Tested on the model's output: configs do not state it, and the same class is causal or not by its config.
    """
    name = type(model.module).__name__
    ids = torch.zeros(TRIAL, dtype=torch.int64, device=model.device)
    ids[1, -1] = 1
    try:
        logits = model.forward.logits(model.call(ids), ids)
    except WorkerError as error:
        if error.code not in ("no_logits", "model_forward"):
            raise
        return str(error)
    one, other = logits[:, :-1].float()
    largest = torch.finfo(logits.dtype).eps * ROUNDINGS * one.abs().max()
    if bool(((one - other).abs() <= largest).all()):
        return None
    return f"{name} sees later tokens, so what it says of the next one is no prediction."
