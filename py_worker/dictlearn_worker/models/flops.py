"""The floating-point operations of a model per context, counted in a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .. import protocol as p
from ..registry import Context, method
from .language_model import LanguageModel, Read, reads_of


@method("model.flops")
def flops(context: Context, params: p.ModelFlopsParams) -> p.ModelFlopsResult:
    """Runs one pass over one context."""
    model = context.objects.get(params.model, LanguageModel)
    partial, full = count(model, params.sites, params.ctx_len)
    return p.ModelFlopsResult(partial=partial, full=full)


@torch.no_grad()
def count(model: LanguageModel, sites: Sequence[p.Site], ctx_len: int) -> tuple[int, int]:
    """FLOPs of one context of `ctx_len` tokens up to the last site that is read, and to the end with the head.

    torch's own counter counts 2·a·b·c for each product of an (a, b) and a (b, c) matrix: everything of the order of
    the weights times the tokens. A layer of width d with weights of 12 d² and T tokens takes
    T·24 d² for its weights and 4 T² d for its scores and their use; the scores that the causal mask discards are
    computed too. Elementwise operations (norms, activations, rotations) are left out: below a per cent.
    """
    model.try_sites(sites)
    passed: dict[Read, list[int]] = {}
    handles = []
    counter = FlopCounterMode(display=False)
    for read in dict.fromkeys(read for site in sites for read in reads_of(site)):
        module = model.submodule(read.submodule)

        def seen(*_: Any, read: Read = read) -> None:
            passed.setdefault(read, []).append(counter.get_total_flops())

        handles.append(
            module.register_forward_pre_hook(seen) if read.kind == "input" else module.register_forward_hook(seen)
        )
    ids = torch.zeros((1, min(ctx_len, model.max_context or ctx_len)), dtype=torch.int64, device=model.device)
    try:
        # torch does not count fused attention kernels on every device; it does count plain products.
        with sdpa_kernel(SDPBackend.MATH), counter:
            model.call(ids)
    finally:
        for handle in handles:
            handle.remove()
    return max((each[read.calls][0] for read, each in passed.items()), default=0), counter.get_total_flops()
