"""The object that a proxy shows: for a model nnsight's own, without our wrapper."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from ..models.language_model import LanguageModel

# Wrappers by the `id` of the model inside, which lives at least as long as its wrapper.
_wrappers: WeakValueDictionary[int, LanguageModel] = WeakValueDictionary()


def proxied(value: Any) -> Any:
    """The object that a proxy of `value` shows."""
    if not isinstance(value, LanguageModel):
        return value
    _wrappers[id(value.traced)] = value
    return value.traced


def original_of(value: Any) -> Any:
    """The reverse of `proxied`: returns our wrapper, so that a model's handle works in the worker's operations."""
    return _wrappers.get(id(value), value)
