"""Starting a program that Linux takes for busy at that moment: again, after a very short pause. Pure.

Linux starts no program whose file somebody has open for writing, and takes a file for that already while it asks
whether he may. A sandbox that may not write it can keep it so for moments, again and again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final, TypeVar

_Started = TypeVar("_Started")

_PAUSES_S: Final = (0.001, 0.001, 0.002, 0.002, 0.004, 0.004, 0.008, 0.008, 0.016, 0.016)
"""A refused attempt to write takes microseconds, but others follow: every second start may find one. Together so short
that also the manager's thread may wait."""


def patiently(start: Callable[[], _Started], pause: Callable[[float], object]) -> _Started:
    """What ``start`` gives, which is called again when it finds its program busy. Raises what it raised last.

    >>> patiently(lambda: "started", print)
    'started'
    """
    for pause_s in _PAUSES_S:
        try:
            return start()
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
        pause(pause_s)
    return start()
