"""What a handle's object looks like from outside: a model is nnsight's own, without our wrapper."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from ..models.language_model import LanguageModel

# Wrappers by the identity of the model inside, which lives at least as long as they do.
_wrappers: WeakValueDictionary[int, LanguageModel] = WeakValueDictionary()


def proxied(value: Any) -> Any:
    """The object that a proxy of `value` shows."""
    if not isinstance(value, LanguageModel):
        return value
    _wrappers[id(value.traced)] = value
    return value.traced


def original_of(value: Any) -> Any:
    """The way back: what `proxied` was given, so that a model's handle fits the worker's operations again."""
    return _wrappers.get(id(value), value)
