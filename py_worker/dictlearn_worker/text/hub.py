"""Documents from a Hugging Face dataset, by hub id or from a local dataset folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import WorkerError
from .files import text_of


def open_dataset(path: str, name: str | None, split: str, revision: str | None) -> Any:
    """A streaming dataset; every failure is one sentence."""
    import datasets

    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(path, name=name, split=split, revision=revision, streaming=True)
    except Exception as error:
        raise explain(error, path, split) from error


def explain(error: Exception, path: str, split: str) -> WorkerError:
    """Why a dataset could not be opened."""
    text = str(error)
    kind = type(error).__name__
    if "Unknown split" in text or "Bad split" in text:
        return WorkerError("unknown_split", f"The dataset {path} has no split {split!r}: {text.splitlines()[0]}")
    if "Config name is missing" in text or "BuilderConfig" in text:
        return WorkerError("unknown_dataset", f"The dataset {path} needs data.name: {text.splitlines()[0]}")
    if kind == "ConnectionError" or "couldn't reach" in text.lower() or "OfflineMode" in kind:
        return WorkerError(
            "hub_unreachable",
            f"The dataset {path} is not here, and the Hugging Face hub cannot be reached.",
            hint="Check the network, or name a local file or folder.",
        )
    if kind in {"DatasetNotFoundError", "FileNotFoundError", "EmptyDatasetError"}:
        return WorkerError(
            "unknown_dataset",
            f"There is no dataset {path}, neither here nor on the Hugging Face hub.",
            hint="Check data.path and data.revision; private datasets need HF_TOKEN.",
        )
    return WorkerError("unknown_dataset", f"The dataset {path} could not be opened: {(text or kind).splitlines()[0]}")


def read_dataset(dataset: Any, path: str, field: str) -> Iterator[str]:
    """Every non-blank document of the dataset, in order."""
    for number, row in enumerate(dataset):
        text = text_of(row, field, f"record {number} of {path}")
        if text.strip():
            yield text
