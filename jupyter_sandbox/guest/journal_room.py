"""When a journal is to begin anew with a snapshot: when it got too long, in inputs or in bytes that came along, and
when something was interrupted, which no replay can do again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof
from typing import Final

MOST: Final = 20_000
"""Inputs: some megabytes, and a replay of some seconds."""
SHARE: Final = 8
"""A journal has this part of ``max_memory``: it is kept beside the state, and to go back it is copied as often."""

_PAUSE_NS: Final = 100_000_000
_SPARED: Final = 50
"""What cannot begin anew after an interruption is tried again after so long, and at most this part of time is spent on
it: all of the state may be saved before it is clear that it cannot be."""


_PLAIN: Final = (str, bytes, bytearray, int, float, list, tuple, dict, set, frozenset)


def size_of(value: object) -> int:
    """Bytes of a value without what it holds. Its class is not asked: a method of the user's may say, or do, anything.

    >>> size_of("x" * 1_000) > 1_000, size_of(ValueError()) > 0
    (True, True)
    """
    return getsizeof(value) if type(value) in _PLAIN else object.__sizeof__(value)


class JournalRoom:
    """Of one guest.

    >>> room = JournalRoom(max_memory=8_000)
    >>> room.take(1_001)
    >>> room.used_up(inputs=1)
    True
    >>> room.put_off(inputs=1, now_ns=0, took_ns=0)
    >>> room.used_up(inputs=1), room.used_up(inputs=MOST + 1)
    (False, True)
    >>> room.broke("evil", step=40)
    >>> room.due(inputs=1, read_ns=lambda: 0)
    True
    >>> room.put_off(inputs=1, now_ns=10, took_ns=10)
    >>> room.due(inputs=1, read_ns=lambda: 20), room.due(inputs=1, read_ns=lambda: 200_000_000)
    (False, True)
    >>> room.begin(step=42)
    >>> room.broken, room.begins, room.begins_after
    ('', 42, 'what was interrupted in evil at step 40')
    """

    def __init__(self, max_memory: int) -> None:
        self.max_memory = max_memory
        self.broken = ""
        """What was interrupted since the journal began, in words: how far it ran nobody knows, so no replay does it."""
        self.begins = 0
        """The step before the first one that the journal holds."""
        self.begins_after = ""
        """Because of what the journal does not begin earlier, in words."""
        self._again_ns = 0
        self._taken = 0
        self._more, self._larger = 0, 0
        """Inputs and bytes above what is usual, because it could not begin anew when it was to."""

    def take(self, size: int) -> None:
        """An input came with so many bytes."""
        self._taken += size

    def used_up(self, inputs: int) -> bool:
        """Whether a journal of so many inputs is to begin anew."""
        return inputs > MOST + self._more or self._taken > self.max_memory // SHARE + self._larger

    def broke(self, who: str, step: int) -> None:
        """Code of the user's was interrupted in this step."""
        self.broken, self._again_ns = f"what was interrupted in {who} at step {step}", 0

    def due(self, inputs: int, read_ns: Callable[[], int]) -> bool:
        """Whether a journal of so many inputs is to begin anew now."""
        return self.used_up(inputs) or (self.broken != "" and read_ns() >= self._again_ns)

    def put_off(self, inputs: int, now_ns: int, took_ns: int) -> None:
        """It cannot now, and to try took so long: again when there is a quarter more, or in a while."""
        self._again_ns = now_ns + max(_PAUSE_NS, _SPARED * took_ns)
        self._more = inputs - MOST + MOST // 4 if inputs > MOST else 0
        most = self.max_memory // SHARE
        self._larger = self._taken - most + most // 4 if self._taken > most else 0

    def begin(self, step: int) -> None:
        """The journal is empty after this step."""
        self.begins = step
        self.begins_after, self.broken = self.broken, ""
        self._taken = self._more = self._larger = 0
