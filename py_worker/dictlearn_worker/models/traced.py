"""Nnsight's model, for batches of token ids that are tensors already."""

from __future__ import annotations

from typing import Any

from nnsight import TransformersModel
from transformers import TextGenerationPipeline

from .forward import Forward, ModelInputs
from .vocabulary import embedding_rows, padding_inside

# transformers 5 sets these only for models that can generate, but reads them from all: these are the defaults.
for _name in ("assistant_model", "assistant_tokenizer", "prefix"):
    if not hasattr(TextGenerationPipeline, _name):
        setattr(TextGenerationPipeline, _name, None)


class BatchedModel(TransformersModel):
    """Passes `ModelInputs` unchanged to a trace; treats everything else as nnsight does.

    Nnsight takes a batch apart and puts it together again, context by context and several times: 5 ms for 512 contexts
    on a GPU that runs its first two layers in 6. The result is the same, since these have one length. A forward
    pass gets only those of nnsight's arguments that it takes.
    """

    def _batch_size(self, *inputs: Any, **kwargs: Any) -> int:
        return inputs[0].contexts if is_ready(inputs) else super()._batch_size(*inputs, **kwargs)

    def _batch(self, invokes: list[tuple[Any, dict[str, Any]]], fn: Any) -> tuple[Any, dict[str, Any]]:
        inputs, options = invokes[0]
        if len(invokes) == 1 and is_ready(inputs):
            return (), {**inputs[0], **options}
        args, given = super()._batch(invokes, fn)
        padding_inside(given, embedding_rows(self._module), self.tokenizer)
        # Only a trace is one call of the model; a generation prepares the arguments of its passes itself.
        return args, Forward(self._module).of_prompts(given) if fn == self._call else given


def is_ready(inputs: tuple[Any, ...]) -> bool:
    """Whether a trace's input needs no further preparation."""
    return len(inputs) == 1 and isinstance(inputs[0], ModelInputs)
