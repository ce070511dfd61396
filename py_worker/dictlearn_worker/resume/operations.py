"""The operations that save and restore a run's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch

from .. import protocol as p
from ..buffer.operations import recompute
from ..buffer.rows import ActivationRows
from ..buffer.source import Source
from ..errors import WorkerError
from ..memory import give_back
from ..models.language_model import LanguageModel
from ..registry import Context, method
from ..text.contexts import Contexts
from ..train.trainee import Trainee, beneath
from .file import Write, read, write_behind


@method("state.save")
def save(context: Context, params: p.StateSaveParams) -> p.StateSaveResult:
    """Every object's tensors, named by its place in the lists; the text's position as JSON in a tensor of bytes."""
    objects = context.objects
    tensors = beneath_name("source", objects.get(params.source, Source).state(rows=params.rows))
    for index, handle in enumerate(params.trainees):
        tensors |= beneath_name(f"trainee.{index}", objects.get(handle, Trainee).state())
    for index, handle in enumerate(params.generators):
        tensors[f"generator.{index}"] = objects.get(handle, torch.Generator).get_state()
    if params.contexts is not None:
        tensors["contexts"] = as_bytes(objects.get(params.contexts, Contexts).state())
    write = write_behind(Path(params.path), tensors)
    give_back()
    return p.StateSaveResult(write=objects.put(write))


@method("state.written")
def written(context: Context, params: p.StateWrittenParams) -> p.StateWrittenResult:
    """Checks whether the file is written, or waits for it."""
    write = context.objects.get(params.write, Write)
    if not params.wait and not write.outcome.done():
        return p.StateWrittenResult(done=False, bytes=0, sha256="")
    outcome = write.outcome.result()
    return p.StateWrittenResult(done=True, bytes=outcome.bytes, sha256=outcome.sha256)


@method("state.load")
def load(context: Context, params: p.StateLoadParams) -> p.StateLoadResult:
    """The reverse of `state.save`, into objects created with the same settings."""
    objects = context.objects
    tensors = read(Path(params.path))
    source = objects.get(params.source, Source)
    notices: list[str] = []
    try:
        for index, handle in enumerate(params.trainees):
            objects.get(handle, Trainee).restore(beneath(tensors, f"trainee.{index}"))
        for index, handle in enumerate(params.generators):
            objects.get(handle, torch.Generator).set_state(tensors[f"generator.{index}"])
        if params.contexts is not None:
            state = msgspec.json.decode(bytes(tensors["contexts"].numpy()))
            notices = objects.get(params.contexts, Contexts).restore(state, params.changed)
        source.restore(beneath(tensors, "source"))
    except (KeyError, RuntimeError, ValueError) as error:
        raise WorkerError("damaged_state", f"{params.path} does not belong to this run: {error}.") from error
    recomputed = differing = 0
    if isinstance(source, ActivationRows) and params.model is not None:
        recomputed, differing = recompute(context, source, objects.get(params.model, LanguageModel))
    return p.StateLoadResult(recomputed=recomputed, differing=differing, notices=notices)


def beneath_name(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The entries with `prefix` and a dot before their names."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def as_bytes(value: Any) -> torch.Tensor:
    """Its JSON (bytes)."""
    encoded = bytearray()
    msgspec.json.Encoder().encode_into(value, encoded)
    return torch.frombuffer(encoded, dtype=torch.uint8)
