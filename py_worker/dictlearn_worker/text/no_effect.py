"""Keys of `data` that nothing would come of are mistakes: whoever sets them believes that the text is another one."""

from __future__ import annotations

from collections.abc import Iterable

from .. import protocol as p
from ..errors import WorkerError
from ..found_files import Found
from .files import kind_of

# What these keys are where nobody sets them.
DEFAULTS = {"split": "train", "text_field": "text", "txt_documents": "line", "name": None}


def no_effect(key: str, value: str, why: str) -> WorkerError:
    """One sentence on such a key."""
    return WorkerError("config", f"data.{key} is {value!r}, but {why}.", hint=f"Leave data.{key} out.")


def require_effect(params: p.TextFilesParams, found: list[Found]) -> None:
    """Raises `config` for a field of .txt files alone, and for what the documents of a .txt file are without one."""
    texts = [kind_of(each.path) == ".txt" for each in found]
    if all(texts):
        check(params, ["text_field"], f"{params.path} is read from .txt files, which have no fields")
    if not any(texts):
        check(params, ["txt_documents"], f"there is no .txt file in {params.path}")


def check(params: p.TextFilesParams, keys: Iterable[str], why: str) -> None:
    """Raises `config` for the first of these keys that is set."""
    for key in keys:
        if getattr(params, key) != DEFAULTS[key]:
            raise no_effect(key, getattr(params, key), why)
