"""What all channels of a loop share: the place that is read to, and who of them makes more work than its share.

One place for all, which are read one at a time: otherwise asyncio has 256 KB of memory made by the operating system
for each read and given back after it, which costs more than to read an answer does.
"""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

_SIZE: Final = 256 * 1024
_AT_FULL_PACE: Final = 2
"""Channels. Where more of them make much work they wait longer, so that all together have half of the thread."""


class Reading:
    """Of one loop. What lies in ``place`` is the reader's until it returns to the loop.

    >>> reading, channels = Reading(), [Reading() for _ in range(8)]
    >>> for channel in channels:
    ...     reading.behind.add(channel)
    >>> reading.stretched(0.1)
    0.4
    """

    def __init__(self) -> None:
        self.place = memoryview(bytearray(_SIZE))
        self.behind: WeakSet[object] = WeakSet()
        """Channels that have made more work than their share and wait."""

    def stretched(self, wait_s: float) -> float:
        """How long a channel waits that would wait so long if it were alone."""
        return wait_s * max(1.0, len(self.behind) / _AT_FULL_PACE)


_READINGS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Reading]] = WeakKeyDictionary()


def reading_of(loop: asyncio.AbstractEventLoop) -> Reading:
    """The loop's.

    >>> loop = asyncio.new_event_loop()
    >>> reading_of(loop) is reading_of(loop)
    True
    >>> loop.close()
    """
    reading = _READINGS.get(loop)
    if reading is None:
        reading = _READINGS[loop] = Reading()
    return reading
