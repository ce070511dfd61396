"""Decides which Python results are sent as values, and which stay here with a handle."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from ..errors import WorkerError
from ..objects import Objects

# JavaScript's numbers are float64: whole ones are exact up to here.
MAX_SAFE_INTEGER = 2**53 - 1
SCALARS = (str, bool, type(None))


def as_json(message: Any) -> str:
    """A message as JSON that JavaScript reads without loss.

    Raises `non_finite_result`, or `no_value` for a value that JSON or a JavaScript number cannot hold.
    """
    check_numbers(message)
    try:
        return json.dumps(message, allow_nan=False, default=refuse)
    except TypeError as error:  # a dict key that is neither text nor a number
        raise WorkerError("no_value", f"The result has no value in JavaScript: {error}.") from None


def refuse(part: Any) -> NoReturn:
    """The failure for a value that JSON cannot represent."""
    raise WorkerError(
        "no_value",
        f"The result is a {type(part).__name__}, or holds one, which has no value in JavaScript.",
        hint="Keep it as a handle or a proxy, or turn it into lists and numbers in Python (tensor.tolist()).",
    )


def value_of(result: Any, objects: Objects, *, always_handle: bool = False) -> str:
    """JSON: `{"value": …}` for numbers, text, lists and string-keyed dicts of them, else `{"handle": …, "type": …}`."""
    if not always_handle and is_value(result):
        return as_json({"value": result})
    handle = objects.put(result)
    return json.dumps(
        {
            "handle": {"id": handle.id, "generation": handle.generation},
            "type": type(result).__name__,
        }
    )


def is_value(result: Any) -> bool:
    """Whether JSON can represent it exactly, within the limits that `as_json` names."""
    if type(result) is int:
        return abs(result) <= MAX_SAFE_INTEGER
    if isinstance(result, (list, tuple)):
        return all(map(is_value, result))
    if isinstance(result, dict):
        return all(isinstance(key, str) and is_value(value) for key, value in result.items())
    return isinstance(result, SCALARS) or type(result) is float


def check_numbers(message: Any) -> None:
    """Raises `non_finite_result` for NaN and infinities, `no_value` for a whole number beyond 2^53, at any depth."""
    if isinstance(message, float) and not math.isfinite(message):
        raise WorkerError(
            "non_finite_result",
            f"The result is {message}, or holds it, which the bridge cannot carry as a number.",
            hint="Ask for repr() of it, or keep it as a tensor and read that through its handle.",
        )
    if isinstance(message, int) and abs(message) > MAX_SAFE_INTEGER:
        raise WorkerError(
            "no_value",
            f"{message} is beyond 2^53, where JavaScript's numbers are not exact.",
            hint="Ask for str() of it.",
        )
    if isinstance(message, (list, tuple)):
        for part in message:
            check_numbers(part)
    elif isinstance(message, dict):
        for part in message.values():
            check_numbers(part)
