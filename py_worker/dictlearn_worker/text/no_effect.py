"""Rejects keys of `data` that would have no effect: users who set them expect different text."""

from __future__ import annotations

from collections.abc import Iterable

from .. import protocol as p
from ..errors import WorkerError
from ..found_files import Found
from .files import kind_of

# The defaults of these keys.
DEFAULTS = {"split": "train", "text_field": "text", "txt_documents": "line", "name": None}


def no_effect(key: str, value: str, why: str) -> WorkerError:
    """The failure for such a key."""
    return WorkerError("config", f"data.{key} is {value!r}, but {why}.", hint=f"Leave data.{key} out.")


def require_effect(params: p.TextFilesParams, found: list[Found]) -> None:
    """Raises `config` for `text_field` if all files are .txt, and for `txt_documents` if none is."""
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
