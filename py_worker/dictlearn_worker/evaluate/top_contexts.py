"""The contexts in which a feature fires most."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from ..dictionary.standard import AutoEncoder
from ..models.pieces import pieces
from ..protocol import FeatureContext
from ..text.contexts import Batch


def top_contexts(
    dictionary: AutoEncoder,
    tokenizer: Any,
    batch: Batch,
    x: torch.Tensor,
    features: list[int],
    floors: list[float],
    most: int,
) -> list[FeatureContext]:
    """For each feature up to `most` contexts whose highest activation is above its floor, highest first.

    x: (rows, d_in), the inputs at the kept positions of the batch, in order. Positions that are not kept have
    activation 0; padding is left out.
    """
    chosen = torch.tensor(features, dtype=torch.int64, device=dictionary.device)
    f = dictionary.encode(x.to(dictionary.device, dictionary.dtype))[:, chosen].float().cpu()
    activations = torch.zeros((*batch.keep.shape, len(features)))
    activations[batch.keep] = f
    highest = activations.amax(dim=1)  # (contexts, features)
    count = min(most, len(batch.ids))
    values, order = highest.sort(dim=0, descending=True, stable=True)
    # Many features share their top contexts.
    text = cache(lambda index: pieces(tokenizer, batch.ids[index][batch.real[index]].tolist()))
    found = []
    for column, (feature, floor) in enumerate(zip(features, floors, strict=True)):
        for value, index in zip(values[:count, column].tolist(), order[:count, column].tolist(), strict=True):
            if value <= floor:
                break
            real = batch.real[index]
            found.append(
                FeatureContext(
                    feature=feature,
                    context=index,
                    highest=value,
                    tokens=batch.ids[index][real].tolist(),
                    text=text(index),
                    activations=activations[index, :, column][real].tolist(),
                )
            )
    return found
