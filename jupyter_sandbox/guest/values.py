"""Values on their way out of a guest, as answers to who asked for them."""

from __future__ import annotations

from typing import Any

from ..wire import messages as m
from ..wire.values import Oversize, encode_reply, encode_value


def value_answer(request: int, value: Any, most: int | None = None) -> m.Value:
    """The whole value if it may have so many bytes, else its size; without ``most`` what is too much is left out.

    Raises MemoryError.
    """
    if most is None:
        return m.Value(id=request, data=encode_value(value))
    try:
        return m.Value(id=request, data=encode_reply(value, most))
    except Oversize as error:
        return m.Oversized(id=request, size=error.size, many=error.many)
