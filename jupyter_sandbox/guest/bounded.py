"""Bytes in memory, no more than so many: whoever writes on and on is stopped before memory or time are gone."""

from __future__ import annotations

import io
from typing import Any


class Overfull(Exception):
    """More was written than there is room for. The writer says of what."""


class Bounded(io.BytesIO):
    """A buffer with room for so many bytes.

    >>> buffer = Bounded()
    >>> buffer.clear(room=3)
    >>> buffer.write(b"abc"), buffer.wanted
    (3, 3)
    """

    def __init__(self) -> None:
        super().__init__()
        self.room = self.wanted = 0
        """``wanted`` counts what was to be written, also what had no room any more."""

    def clear(self, room: int) -> None:
        """Begin anew."""
        self.seek(0)
        self.truncate()
        self.room, self.wanted = room, 0

    def write(self, data: Any, /) -> int:
        """Raises Overfull before anything of ``data`` is copied."""
        self.wanted += memoryview(data).nbytes  # an array comes as a buffer that has no length
        if self.wanted > self.room:
            raise Overfull
        return super().write(data)
