"""Refuses to load a model that lacks some of its weights."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import WorkerError

# Large GGUF models are published in parts: model-00001-of-00003.gguf.
PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def check_complete(name: str, missing: Iterable[str]) -> None:
    """Raises an error for weights that a checkpoint lacks; transformers would fill them with random numbers."""
    lacking = sorted(missing)
    if lacking:
        raise WorkerError(
            "model_load",
            f"The model {name} lacks {len(lacking)} of its weights, {lacking[0]} first.",
            hint=merge_parts(name) or "Name a complete checkpoint of a causal language model.",
            missing=lacking[:10],
        )


def merge_parts(name: str) -> str | None:
    """The hint for one part of a GGUF model in several files; None for any other file."""
    part = PART.fullmatch(name)
    if part is None or int(part["count"]) < 2:
        return None
    file = re.split("[/#]", part["stem"])[-1]
    return (
        f"It is part {int(part['number'])} of {int(part['count'])}: get all of them, merge them with llama.cpp's "
        f"`llama-gguf-split --merge {file}-00001-of-{part['count']}.gguf {file}.gguf`, and name {file}.gguf."
    )
