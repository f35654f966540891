"""A page of memory on which a guest says what it is doing, readable even while the guest holds its GIL.

The kernel makes the page and seals its size, so a guest can write nonsense
into it but not make the kernel's read fault. Nothing is decided here.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

from ..model.harmless import plain
from .system import LINUX

if LINUX:
    import fcntl

PAGE = mmap.PAGESIZE
IMPORTS = (1 << 64) - 1
"""In the place of a process's number: the top level of a module is at work."""
CODE_CHANGE = (1 << 64) - 2
"""As the mark: what is at work is no callback but how a process changes to new code."""
_LAYOUT = struct.Struct("@4Q")
_STEPS, _STARTED, _PROCESS, _PHASE, _LIVED, _WAITED = range(6)
_STARTED_AT, _ZERO = slice(8, 16), bytes(8)
_COUNTS = struct.Struct("@2Q")
_COUNTS_AT = _LIVED * 8
_NAME = slice(64, 64 + 200)
_WORDS = slice(264, 264 + 200)


class Beat(NamedTuple):
    """What a guest last wrote; all four are its claims."""

    steps: int
    """Callbacks entered so far."""
    started_ns: int
    """CLOCK_MONOTONIC when the running callback began; 0 when none runs."""
    process: int
    """Serial number of the process whose callback runs, or ran last."""
    phase: int
    """Free for the guest's own marks: 0 until it sets one."""


class Counts(NamedTuple):
    """What a guest counts for whoever wants to know it after its end; claims, too."""

    lived: int = 0
    """The most processes that lived at one time."""
    waited: int = 0
    """The most messages that waited at one process."""


class HeartbeatPage:
    """The kernel's end: makes the page, reads it.

    >>> page = HeartbeatPage()
    >>> page.read()
    Beat(steps=0, started_ns=0, process=0, phase=0)
    >>> page.close()
    """

    def __init__(self) -> None:
        self.fd = _make_file()
        """To hand to the guest; ``release_fd`` when that is done."""
        try:
            self._map: mmap.mmap | None = mmap.mmap(self.fd, PAGE, access=mmap.ACCESS_READ)
        except OSError:
            os.close(self.fd)
            raise

    def read(self) -> Beat:
        """The last beat. All zero after ``close``."""
        return Beat(*_LAYOUT.unpack_from(self._map)) if self._map is not None else Beat(0, 0, 0, 0)

    @property
    def rests(self) -> bool:
        """Whether no callback runs, as the guest says."""
        return self._map is None or self._map[_STARTED_AT] == _ZERO

    def counts(self) -> Counts:
        """What it counted last. All zero after ``close``."""
        return Counts(*_COUNTS.unpack_from(self._map, _COUNTS_AT)) if self._map is not None else Counts()

    def name(self) -> str:
        """What the guest calls the process whose callback runs; a claim like the rest, without control characters."""
        return self._text(_NAME)

    def words(self) -> str:
        """How the guest ended itself, if it said so; a claim, too."""
        return self._text(_WORDS)

    def _text(self, place: slice) -> str:
        if self._map is None:
            return ""
        return _harmless(self._map[place].split(b"\0", 1)[0])

    def busy_ms(self) -> int:
        """Milliseconds since the running callback began; 0 when none runs."""
        started = self.read().started_ns
        return max(0, time.monotonic_ns() - started) // 1_000_000 if started else 0

    def release_fd(self) -> None:
        """Close the file; the mapping stays."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Idempotent."""
        self.release_fd()
        mapped, self._map = self._map, None
        if mapped is not None:
            mapped.close()


def _harmless(said: bytes) -> str:
    return "".join(one if plain(one) else "\ufffd" for one in said.decode("utf-8", "replace"))


def _make_file() -> int:
    if LINUX:
        fd = os.memfd_create("heartbeat", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, PAGE)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        except OSError:
            os.close(fd)
            raise
        return fd
    with tempfile.TemporaryFile() as file:  # no seals elsewhere: a guest that shrinks it takes the kernel's read along
        os.ftruncate(file.fileno(), PAGE)
        return os.dup(file.fileno())


def _unread_page() -> mmap.mmap:
    """Private: a page made in the zygote would else be one page of all its guests."""
    return mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


class HeartbeatWriter:
    """The guest's end. ``enter`` and ``leave`` stand around every callback, so they do next to nothing."""

    __slots__ = ("_cells", "_map", "_now", "_steps")

    def __init__(self, fd: int, *, now: Callable[[], int] = time.monotonic_ns) -> None:
        """``fd`` is that of the page; -1 for a page that nobody reads."""
        self._map = mmap.mmap(fd, PAGE) if fd >= 0 else _unread_page()
        self._cells = memoryview(self._map).cast("Q")
        self._now, self._steps = now, 0

    def enter(self, process_number: int) -> None:
        """A callback of this process begins."""
        self._steps = steps = self._steps + 1
        cells = self._cells
        cells[_STEPS] = steps
        cells[_PROCESS] = process_number
        cells[_STARTED] = self._now()  # last: who sees a start sees whose it is

    def leave(self) -> None:
        """No callback runs."""
        self._cells[_STARTED] = 0

    def counted(self, lived: int, waited: int) -> None:
        """Processes and messages at one time, at most so far."""
        cells = self._cells
        cells[_LIVED], cells[_WAITED] = lived, waited

    def phase(self, mark: int) -> None:
        """A mark of the guest's own."""
        self._cells[_PHASE] = mark

    def say(self, name: str, mark: int) -> None:
        """Whose callback runs, in words, and a mark with it. Call before ``enter``."""
        self._map[_NAME] = _padded(name)
        self._cells[_PHASE] = mark

    def words(self, text: str) -> None:
        """How the callback is about to end the OS process."""
        self._map[_WORDS] = _padded(text)


def _padded(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:199].ljust(200, b"\0")
