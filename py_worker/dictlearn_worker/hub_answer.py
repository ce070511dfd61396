"""What a model hub answered, when it answered at all: that it cannot be reached is another mistake."""

from __future__ import annotations

from typing import Any

# The hub says 401 for a name that does not exist, since it might be private.
NOT_THERE = {401, 403, 404, 410}


def answered(error: BaseException | None) -> int | None:
    """The HTTP status with which a server refused, from an error or what led to it; None where none answered."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        response: Any = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__ or error.__context__
    return None
