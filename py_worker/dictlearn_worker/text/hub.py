"""Documents from a Hugging Face dataset, by hub id or from a local dataset folder."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from ..errors import WorkerError
from ..hub_answer import NOT_THERE, answered
from .chats import WriteChat
from .records import text_of
from .stream import Documents, State

NETWORK = {"ConnectionError", "ConnectError", "ConnectTimeout", "ReadTimeout", "OfflineModeIsEnabled", "gaierror"}


def open_dataset(path: str, name: str | None, split: str, revision: str | None) -> Any:
    """A streaming dataset; every failure is reported in one sentence."""
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    try:
        return datasets.load_dataset(path, name=name, split=split, revision=revision, streaming=True)
    except Exception as error:
        raise explain(error, path, split) from error


def explain(error: Exception, path: str, split: str) -> WorkerError:
    """Why a dataset could not be opened or read further."""
    text, kind = str(error), type(error).__name__
    reason = (text or kind).splitlines()[0].rstrip(".")
    if "Unknown split" in text or "Bad split" in text:
        return WorkerError(
            "unknown_split",
            f"The dataset {path} has no split {split!r}: {reason}.",
            hint="Set data.split to one that it has.",
        )
    if "Config name is missing" in text or "BuilderConfig" in text:
        names = ", ".join(dict.fromkeys(re.findall(r"'([^']+)'", text)))
        return WorkerError(
            "unknown_dataset",
            f"The dataset {path} has several configurations, so data.name has to be one of them.",
            hint=f"The datasets library names these: {names}." if names else None,
        )
    status = answered(error)
    if status in NOT_THERE:
        return unknown_dataset(path)
    if status is not None:
        return WorkerError(
            "hub_unreachable",
            f"The dataset {path} is not here, and the Hugging Face hub answered with the error {status}.",
        )
    if "couldn't reach" in text.lower() or any(each in NETWORK for each in kinds(error)):
        return WorkerError(
            "hub_unreachable",
            f"The dataset {path} is not here, and the Hugging Face hub cannot be reached.",
            hint="Check the network, or name a local file or folder.",
        )
    if kind in {"DatasetNotFoundError", "FileNotFoundError", "EmptyDatasetError", "DataFilesNotFoundError"}:
        return unknown_dataset(path)
    return WorkerError("unknown_dataset", f"The dataset {path} could not be read: {reason}.")


def unknown_dataset(path: str) -> WorkerError:
    """One sentence on a name that leads nowhere."""
    return WorkerError(
        "unknown_dataset",
        f"There is no dataset {path}, neither here nor on the Hugging Face hub.",
        hint="Check data.path and data.revision; private datasets need HF_TOKEN.",
    )


def kinds(error: BaseException | None) -> Iterator[str]:
    """The class names of the error and its causes."""
    while error is not None:
        yield type(error).__name__
        error = error.__cause__


class DatasetDocuments(Documents):
    """Every non-blank document of a dataset, in order. Files are downloaded meanwhile, so this can fail at any row."""

    def __init__(
        self, dataset: Any, path: str, split: str, field: str, *, rewinds: bool, chat: WriteChat | None = None
    ) -> None:
        """`rewinds`: the dataset's own state is exact. A shuffled dataset's is not: then the rows are read again."""
        self._dataset = dataset
        self._path, self._split, self._field = path, split, field
        self._rewinds = rewinds
        self._chat = chat
        self._rows: Iterator[Any] | None = None
        self._number = 0

    def __next__(self) -> str:
        """Raises the failure as `explain` words it."""
        while True:
            text = text_of(self._next_row(), self._field, f"record {self._number} of {self._path}", self._chat)
            if text.strip():
                return text

    def state(self) -> State:
        """The number of rows read, and the dataset's own state if it is exact."""
        own = self._dataset.state_dict() if self._rewinds and self._rows is not None else None
        return {"number": self._number, "dataset": own}

    def restore(self, state: State, changed: Collection[str] = ()) -> list[str]:
        """Continues after the row with that number. The dataset's files are unknown here."""
        self._rows, self._number = None, 0
        if state["dataset"] is not None:
            self._dataset.load_state_dict(state["dataset"])
            self._number = state["number"]
        while self._number < state["number"]:
            self._next_row()
        return []

    def _next_row(self) -> Any:
        try:
            if self._rows is None:
                self._rows = iter(self._dataset)
            row = next(self._rows)
        except StopIteration:
            raise
        except Exception as error:
            raise explain(error, self._path, self._split) from error
        self._number += 1
        return row
