"""Precomputed activations from a safetensors file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ..errors import WorkerError
from ..found_files import unreadable
from .source import Source


class CachedRows(Source):
    """Rows in file order, cut into batches."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor | None, batches: list[int]) -> None:
        """Inputs (rows, d_in) and targets (rows, d_out) or None; `batches` are the sizes of the file's batches."""
        self.inputs = inputs
        self.targets = targets
        self.batches = batches
        self._start = 0
        self._end = 0

    def draw(self, rows: int) -> None:
        """The next rows of the file."""
        assert self._end + rows <= len(self.inputs), "the caller knows how many rows are left"
        self._start, self._end = self._end, self._end + rows

    def batch(self, site: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The current batch; there is one site."""
        assert site == 0
        inputs = self.inputs[self._start : self._end]
        return inputs, inputs if self.targets is None else self.targets[self._start : self._end]

    def held(self) -> int:
        """All rows of the file."""
        return len(self.inputs)

    def take(self, site: int, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of the file."""
        assert site == 0
        where = numbers.to(self.inputs.device)
        x = self.inputs[where]
        return x, x if self.targets is None else self.targets[where]

    def state(self, *, rows: bool) -> dict[str, torch.Tensor]:
        """The position of the current batch: the rows themselves are in the file."""
        return {"batch": torch.tensor([self._start, self._end])}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Returns to that batch."""
        self._start, self._end = map(int, state["batch"])


def open_cached(path: Path, batch_rows: int, dtype: torch.dtype, device: torch.device) -> CachedRows:
    """Reads and checks the file; every mistake in it is reported in one sentence."""
    if not path.is_file():
        raise WorkerError(
            "no_such_file",
            f"There is no activations file {path}.",
            hint="Name a safetensors file: activations in a config, --activations, --rows.",
        )
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if "inputs" not in names:
                held = ", ".join(names[:8]) or "nothing"
                raise bad_file(path, f"it has no tensor named inputs (it holds {held})")
            inputs = real(path, "inputs", file.get_tensor("inputs"))
            targets = real(path, "targets", file.get_tensor("targets")) if "targets" in names else None
    except SafetensorError as error:
        raise bad_file(path, "it is not a safetensors file") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if inputs.ndim not in (2, 3):
        raise bad_file(path, f"inputs has {inputs.ndim} dimensions instead of [batches, batch, width] or [rows, width]")
    if targets is not None and targets.shape[:-1] != inputs.shape[:-1]:
        raise bad_file(path, f"targets is {list(targets.shape)}, which does not go with inputs, {list(inputs.shape)}")
    for name, tensor in (("inputs", inputs), ("targets", targets)):
        if tensor is not None and tensor.shape[-1] == 0:
            raise bad_file(path, f"its rows have no values, because {name} is {list(tensor.shape)}")
    batches = sizes(inputs, batch_rows)
    if not batches:
        raise bad_file(path, f"it holds no rows, because inputs is {list(inputs.shape)}")
    for name, tensor in (("inputs", inputs), ("targets", targets)):
        if tensor is not None:
            check_finite(path, name, tensor, batches[0])
    flat = [t if t is None else t.reshape(-1, t.shape[-1]).to(device, dtype) for t in (inputs, targets)]
    assert flat[0] is not None
    return CachedRows(flat[0], flat[1], batches)


def real(path: Path, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, floats of less than 16 bits as float32, because torch supports few operations on them."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise bad_file(path, f"{name} is {kind}, and activations are real numbers")
    if tensor.is_floating_point() and tensor.element_size() == 1:
        try:
            return tensor.to(torch.float32)
        except RuntimeError as error:
            raise bad_file(path, f"{name} is {kind}, which torch cannot convert") from error
    return tensor


def sizes(inputs: torch.Tensor, batch_rows: int) -> list[int]:
    """Rows of every batch; the last one of a [rows, width] file may be smaller."""
    if inputs.ndim == 3:
        return [inputs.shape[1]] * inputs.shape[0] if inputs.shape[1] else []
    full, rest = divmod(inputs.shape[0], batch_rows)
    return [batch_rows] * full + ([rest] if rest else [])


def check_finite(path: Path, name: str, tensor: torch.Tensor, batch_rows: int) -> None:
    """Raises `non_finite_rows` for the first row that holds a NaN or an infinity."""
    flat = tensor.reshape(-1, tensor.shape[-1])
    bad = (~torch.isfinite(flat)).any(dim=-1).nonzero()
    if len(bad):
        batch, row = divmod(int(bad[0]), batch_rows)
        raise WorkerError(
            "non_finite_rows",
            f"{path} holds values that are not finite: first in {name}, batch {batch}, row {row}.",
            hint="Remove those rows, or find out what made them.",
            rows=len(bad),
        )


def bad_file(path: Path, reason: str) -> WorkerError:
    """The failure for a file of the wrong form."""
    return WorkerError("activations", f"{path} cannot be used as activations: {reason}.")
