"""Watches of epoll(7) of one OS process: Linux counts them for the user as a whole, so whoever has all of them keeps
every other program of that user from waiting for anything new.

Linux says what an epoll that is open watches, and nothing of one that was closed, which stays as long as a thread waits
for it. How many a thread may keep so is seen in its system call.
"""

from __future__ import annotations

from collections.abc import Collection

from ..model.limits import HIDDEN_WATCHES, WATCHES
from . import long_list
from .waited_for import Waited

KIND = "anon_inode:[eventpoll]"
_LINE, _HEAD = b"\ntfd:", 256
_LONGEST = 128
"""Bytes of a line for one watch, at most, and of what stands before the first one."""


def of_open(paths: Collection[str]) -> int:
    """Those of epolls, by their links among open files; no further than until they are too many.

    Linux writes the whole list before it gives the first byte, and anybody who adds a watch waits: a second and a half
    for a million. Whoever has that many by the time of a look keeps who looks, and ends for that.
    """
    found = 0
    for path in paths:
        try:
            lines = long_list.read(path.replace("/fd/", "/fdinfo/"), _HEAD + (WATCHES + 1) * _LONGEST)
        except OSError:  # closed meanwhile
            continue
        found += lines.count(_LINE)
        if found > WATCHES:
            break
    return found


def of_closed(waited: Waited, epolls: Collection[str], polled: int) -> int:
    """What is assumed of those that threads may keep, ``polled`` of them by poll(2). Several threads can wait for one
    epoll that is open: all but one of them count, for its number may be another's by now.

    >>> of_closed(Waited(epolls=(5, 7, 7)), ["/proc/1/fd/5", "/proc/1/fd/7"], 0) == HIDDEN_WATCHES
    True
    """
    numbers = {int(path.rpartition("/")[2]) for path in epolls}
    closed = len(waited.epolls) - len(numbers.intersection(waited.epolls))
    return (closed + polled) * HIDDEN_WATCHES
