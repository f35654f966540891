"""Where what guests send is read to: one place for all channels of a loop, which reads one at a time.

Otherwise asyncio has 256 KB of memory made by the operating system for each read and given back after it, which
costs more than to read an answer does.
"""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

_SIZE: Final = 256 * 1024
_PLACES: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview]] = WeakKeyDictionary()


def place_for_reading(loop: asyncio.AbstractEventLoop) -> memoryview:
    """The loop's. What lies there is the reader's until it returns to the loop.

    >>> loop = asyncio.new_event_loop()
    >>> place_for_reading(loop) is place_for_reading(loop)
    True
    >>> loop.close()
    """
    place = _PLACES.get(loop)
    if place is None:
        place = _PLACES[loop] = memoryview(bytearray(_SIZE))
    return place
