"""Python arguments on their way into a guest. Only written here: nothing is ever read from a pickle in the kernel."""

from __future__ import annotations

import cloudpickle

from ..model.errors import UsageError
from ..model.harmless import on_one_line

MAX_BYTES = 32 << 20


def pack(value: object, field: str = "the argument") -> bytes:
    """``value`` as a guest can open it; classes and functions of the notebook travel by value.

    Raises UsageError for what cannot travel (an open file, a lock, a generator) or is too large.
    """
    try:
        data: bytes = cloudpickle.dumps(value)
    except Exception as error:  # whatever a user's __reduce__ raises
        raise UsageError(
            f"{field} of type {type(value).__name__} cannot be sent into a sandbox "
            f"({type(error).__name__}{_words(error)}); send plain data"
        ) from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{field} is too large: {len(data)} bytes of at most {MAX_BYTES}; send less")
    return data


def _words(error: Exception) -> str:
    try:
        return f": {on_one_line(str(error), 200)}"
    except Exception:  # an error of the user's own that cannot be read either
        return ""
