"""How much memory an OS process has for itself, read a thousand times an hour: cheap.

Counted are private pages and shared memory, not the pages of files: those of
libraries are shared by all guests of a zygote, though each maps them when it
first uses them. After a fork that is no growth of anybody. Where nothing keeps
a guest from it, also what it keeps out of sight: ``shared_memory``,
``huge_pages``, and the tables in which Linux notes what lies where, which grow
with maps that are looked at and hold nothing.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from . import system
from .figures import Figures
from .huge_pages import kept_whole
from .sender import Send, at_once
from .shared_memory import SharedMemory

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SLACK = (1 << 20) // _PAGE
"""Pages of shared memory or files that may have come before it is asked which of the two they are: that costs more."""
_ASK_EVERY = 3
"""Readings after which it is asked anyway: one may have come for every one of the other that went, and all sums be the
same. Who rests is read that often before nobody looks any more."""


class _Told(NamedTuple):
    """What costs more to ask."""

    files: int = 0
    """Pages of files."""
    beside: int = 0
    """Bytes in tables of pages and in huge pages."""
    largest: int = 0
    """Bytes of all that was in memory at one time, at most so far."""


class MemoryUse:
    """Of one OS process."""

    def __init__(self, pid: int, *, filtered: bool = True, send: Send = at_once) -> None:
        """``filtered``: no memory can be had that is not counted. ``send`` has done what may take long.

        Raises OSError when there is no such OS process.
        """
        self._pid, self._send = pid, send
        self._whole = 0
        """Bytes that may be kept by huge pages."""
        self.figures = Figures(pid)
        self._apart = None if filtered or not system.LINUX else SharedMemory(pid, send)
        self.nothing = False
        """Whether it had no memory at all at the last reading: it has ended, or its first thread has."""
        self.most = 0
        """The most that ``read`` would have said at any moment since ``count_from_here``, as far as that is certain."""
        self._counted_from = self._most_files = 0
        self._seen = b""
        self._used = self._used_shared = 0
        self._told = _Told()
        self._shared = -1
        self._unasked = 0

    def read(self) -> int:
        """Bytes now; 0 when it has ended or cannot be asked. A few microseconds."""
        try:
            seen = self.figures.statm()
        except OSError:
            return 0
        self._unasked += 1
        if seen != self._seen or self._unasked >= _ASK_EVERY:
            self._seen = seen
            self._count(seen)
        if self._apart is None or not self._used:
            return self._used
        return self._used + self._apart.beyond(self._used_shared, seen.partition(b" ")[0])

    def _count(self, statm: bytes) -> None:
        words = statm.split()
        self.nothing = not any(word.strip(b"0") for word in words[:3])
        if len(words) < 3 or self.nothing:
            self._used = 0
            return
        resident, shared = int(words[1]), int(words[2])
        if self._unasked >= _ASK_EVERY or self._shared < 0 or abs(shared - self._shared) > _SLACK:
            self._shared, self._unasked = shared, 0
            self._told, may_be_whole = _ask(self.figures, look_beside=self._apart is not None)
            self._most_files = max(self._most_files, self._told.files)
            if may_be_whole:
                self._send(self._look_for_whole)
        self._used_shared = max(0, shared - self._told.files) * _PAGE
        self._used = (resident - shared) * _PAGE + self._used_shared + self._told.beside + self._whole

        self.most = max(self.most, self._used, self._largest())

    def _largest(self) -> int:
        """Who was largest once gave it back before anybody looked; pages of files are no growth, and may have been
        gone by then, too."""
        told = self._told
        if told.largest <= self._counted_from:
            return 0
        return told.largest - self._most_files * _PAGE + told.beside

    def count_from_here(self) -> None:
        """What was before is of no interest: it was another one's beginning."""
        self.most, self._counted_from = self._used, self._told.largest

    def _look_for_whole(self) -> None:
        self._whole = kept_whole(self._pid)

    def leave_nothing(self) -> None:
        """Remove the memory that it made and that outlives it. Call when it has ended."""
        if self._apart is not None:
            self._apart.leave_nothing()

    def given_back(self) -> int:
        """Bytes by which it was larger at its largest than it is now. Costs ten times what ``read`` does."""
        try:
            text = self.figures.status()
        except OSError:
            return 0
        return max(0, _kilobytes(text, b"\nVmHWM:") - _kilobytes(text, b"\nVmRSS:")) * 1024

    def close(self) -> None:
        """Idempotent."""
        self.figures.close()


def _ask(figures: Figures, *, look_beside: bool) -> tuple[_Told, bool]:
    """And whether huge pages may keep more. Looks for the lines that are wanted: all of them take twice as long."""
    try:
        text = figures.status()
    except OSError:
        return _Told(), False
    files, beside = _kilobytes(text, b"\nRssFile:") * 1024 // _PAGE, _kilobytes(text, b"\nVmPTE:") * 1024
    largest = _kilobytes(text, b"\nVmHWM:") * 1024
    if not look_beside:
        return _Told(files, beside, largest), False
    return _Told(files, beside + _kilobytes(text, b"\nHugetlbPages:") * 1024, largest), b"\nTHP_enabled:\t1" in text


def _kilobytes(text: bytes, name: bytes) -> int:
    return int(text.partition(name)[2].partition(b"kB")[0] or 0)
