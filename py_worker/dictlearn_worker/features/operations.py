"""The operations on single features: TypeScript chooses the features, these return numbers and tokens."""

from __future__ import annotations

import torch

from .. import protocol as p
from ..dictionary.standard import AutoEncoder
from ..evaluate.operations import next_batch, placed
from ..models.language_model import LanguageModel
from ..registry import Context, method
from .direct_effects import extreme_tokens, standardised_effects
from .loss_effects import loss_effects, no_effects


@method("features.loss_effects")
def find_loss_effects(context: Context, params: p.FeaturesLossEffectsParams) -> p.FeaturesLossEffectsResult:
    """One forward pass, and one backward to the site."""
    evaluation, contexts, batch = next_batch(context, params)
    found = no_effects(evaluation.dictionary.size)
    if batch is not None:
        model, site = placed(evaluation)
        found = loss_effects(model, evaluation.dictionary, batch, site)
    return p.FeaturesLossEffectsResult(
        contexts=0 if batch is None else len(batch.ids),
        rows=found.rows,
        predictions=found.predictions,
        effects=context.attach(found.effects),
        fired=context.attach(found.fired),
        exhausted=contexts.exhausted,
        starved=contexts.starved,
    )


@method("features.neighbours")
@torch.no_grad()
def find_neighbours(context: Context, params: p.FeaturesNeighboursParams) -> p.FeaturesNeighboursResult:
    """Ranks features by the cosine between decoder columns; a column of zeros is never a neighbour."""
    decoder = context.objects.get(params.dictionary, AutoEncoder).decoder.weight.float()
    lengths = torch.linalg.vector_norm(decoder, dim=0, keepdim=True)
    unit = torch.where(lengths > 0, decoder / lengths, torch.zeros_like(decoder))  # (d_out, m)
    found = []
    for feature in params.features:
        cosines = (unit[:, feature] @ unit).cpu()
        cosines[feature] = -torch.inf
        order = cosines.sort(descending=True, stable=True).indices[: min(params.count, len(cosines) - 1)].tolist()
        found.append([p.Neighbour(feature=other, cosine=cosines[other].item()) for other in order])
    return p.FeaturesNeighboursResult(neighbours=found)


@method("features.direct_effects")
@torch.no_grad()
def find_direct_effects(context: Context, params: p.FeaturesDirectEffectsParams) -> p.FeaturesDirectEffectsResult:
    """The direct effects of the decoder's columns."""
    model = context.objects.get(params.model, LanguageModel)
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    chosen = torch.tensor(params.features, dtype=torch.int64, device=dictionary.device)
    columns = dictionary.decoder.weight[:, chosen].T.to(model.device)
    return p.FeaturesDirectEffectsResult(
        effects=extreme_tokens(model, standardised_effects(model, columns), params.count)
    )
