"""Whether the first thread of an OS process has ended alone: all that Linux tells under its number is then a zombie's.

It has no memory and no files there, while its other threads go on and have both.
No honest guest does that: Python ends all threads together. A filter cannot tell
which thread it is that ends, so nobody can be kept from it.
"""

from __future__ import annotations

import signal

from . import brief

_MOST = 250
_EXITING = 0x4
"""Among the flags of a thread: it has begun to end."""
_KILLED = 1 << (signal.SIGKILL - 1)
_STATE, _FLAGS, _SIGNALS = 0, 6, 28
"""Places in ``/proc/PID/task/TID/stat`` behind the name."""


def leaves_others(pid: int) -> bool:
    """Whether threads beside the first one go on: of an end of them all, each that is still there has been told.

    Asked only of who has no memory any more and has not ended: costs some microseconds for each thread.
    """
    try:
        others = [name for name in brief.names(f"/proc/{pid}/task", _MOST) if name != str(pid)]
    except OSError:
        return False
    return any(_goes_on(f"/proc/{pid}/task/{name}/stat") for name in others)


def _goes_on(path: str) -> bool:
    try:
        words = brief.read(path, 1 << 10).rpartition(b")")[2].split()
        flags, signals = int(words[_FLAGS]), int(words[_SIGNALS])
    except (OSError, IndexError):
        return False
    return words[_STATE] not in (b"Z", b"X") and not flags & _EXITING and not signals & _KILLED
