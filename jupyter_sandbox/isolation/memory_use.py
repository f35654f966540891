"""How much memory an OS process has for itself, read a thousand times an hour: cheap.

Counted are private pages and shared memory, not the pages of files: those of
libraries are shared by all guests of a zygote, though each maps them when it
first uses them. After a fork that is no growth of anybody.
"""

from __future__ import annotations

import os

from . import system

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SLACK = (1 << 20) // _PAGE
"""Pages of shared memory or files that may have come before it is asked which of the two they are: that costs more."""
_ASK_EVERY = 3
"""Readings after which it is asked anyway: one may have come for every one of the other that went, and all sums be the
same. Who rests is read that often before nobody looks any more."""


class MemoryUse:
    """Of one OS process, by an open file of ``/proc``, which belongs to the process, not to its number."""

    def __init__(self, pid: int) -> None:
        """Raises OSError when there is no such OS process."""
        self._pid = pid
        self._statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC) if system.LINUX else -1
        self._seen = b""
        self._used = 0
        self._files = 0
        self._shared = -1
        self._unasked = 0

    def read(self) -> int:
        """Bytes now; 0 when it has ended or cannot be asked. A few microseconds."""
        try:
            seen = os.pread(self._statm, 128, 0)
        except OSError:
            return 0
        self._unasked += 1
        if seen != self._seen or self._unasked >= _ASK_EVERY:
            self._seen, self._used = seen, self._count(seen)
        return self._used

    def _count(self, statm: bytes) -> int:
        words = statm.split()
        if len(words) < 3:
            return 0
        resident, shared = int(words[1]), int(words[2])
        if self._unasked >= _ASK_EVERY or self._shared < 0 or abs(shared - self._shared) > _SLACK:
            self._shared, self._unasked = shared, 0
            self._files = _pages_of_files(self._pid)
        return (resident - shared + max(0, shared - self._files)) * _PAGE

    def close(self) -> None:
        """Idempotent."""
        fd, self._statm = self._statm, -1
        if fd >= 0:
            os.close(fd)


def _pages_of_files(pid: int) -> int:
    """Looks for the one line that is wanted: all of them take twice as long."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            kilobytes = file.read(1 << 12).partition(b"\nRssFile:")[2].partition(b"kB")[0]
    except OSError:
        return 0
    return int(kilobytes or 0) * 1024 // _PAGE
