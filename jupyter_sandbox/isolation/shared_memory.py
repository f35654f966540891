"""What an OS process holds in shared memory that it need not have mapped: what is mapped, Linux counts for us.

Given back but for a page, or never mapped at all, such memory stays whole and is
in no figure of who has it. Looked at are the files that it has open, its maps
and what it made of System V's. Only where no filter refuses all of it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from . import brief, file_tables, long_list, system
from .sender import Send, at_once

_KINDS = ("/memfd:", "/dev/zero (deleted)", "/anon_hugepage", "/secretmem")
_SECRET = "/secretmem"
_FOLDER, _DELETED = "/dev/shm/", " (deleted)"
"""A file with a name there is a file, and may be shared with others; without one it is the memory of who has it."""
_SYSTEM_V, _SYSTEM_V_TABLE, _TABLE_BYTES = "/SYSV", "/proc/sysvipc/shm", 1 << 23
"""All of the table: Linux has no room for more than 32,768 pieces."""
_PAUSE_NS = 50_000_000
_WORTH_NS = 5_000_000
"""Of processor time until a look is worth its price: no more than some 20 MB can be filled in it."""
_EVERY, _MAPS_EVERY = 20, 10
"""Readings after which there is a look anyway, for what its children did; and of the looks one at all maps though their
size has not changed."""

_Name = tuple[str, int]
"""Of a piece of memory: which file system, and its number there."""


class _Mapped(NamedTuple):
    """Of one piece: bytes that are mapped, up to where, and a place by which it can be asked for its size."""

    size: int
    extent: int
    place: str


@dataclass(frozen=True, slots=True)
class Held:
    """Pieces together, in bytes: those whose size is known, what of them is mapped, and what is mapped no more of those
    whose size nobody tells."""

    known: int = 0
    mapped: int = 0
    hidden: int = 0

    def beyond(self, counted: int) -> int:
        """What comes on top of the shared memory that Linux counts, which is what of it is mapped and was used.

        >>> Held(known=64, mapped=4).beyond(4), Held(known=64, mapped=64).beyond(0), Held(hidden=60).beyond(4)
        (60, 64, 60)
        """
        return max(0, self.known - min(counted, self.mapped)) + self.hidden


class SharedMemory:
    """Of one OS process, looked at again and again."""

    def __init__(self, pid: int, send: Send = at_once) -> None:
        """``send`` has a look done: its threads can keep whoever reads its maps."""
        self._pid, self._send = pid, send
        self._looking = False
        self._clock = ~pid << 3 | 2
        self._before = frozenset(_made(pid))
        """Who had its number before may have left some."""
        self._held = Held()
        self._beyond = self._counted = 0
        self._changing = True
        self._maps: dict[_Name, _Mapped] = {}
        self._extents: dict[_Name, int] = {}
        """The farthest that a piece was ever seen to be mapped."""
        self._at_ns = self._ran_ns = 0
        self._readings = self._looks = 0
        self._size = b""

    def beyond(self, counted: int, size: bytes) -> int:
        """What is to be added to ``counted``, Linux's figure of now. ``size`` changes with that of all its maps.

        A microsecond for who has done next to nothing since, else some 50, and 300 when its maps are looked at. What
        comes counts when it is seen twice: while memory is given back, which takes a while, it is in both figures.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._at_ns >= _PAUSE_NS:
            self._at_ns = now_ns
            self._readings += 1
            if not self._looking and (self._worth_it() or self._readings >= _EVERY):
                self._readings = 0
                self._looking = True
                self._send(lambda: self._look_again(counted, size))
        # What was seen unmapped and is mapped and used by now is in both figures until the next look.
        return max(0, self._beyond - max(0, counted - self._counted))

    def _look_again(self, counted: int, size: bytes) -> None:
        try:
            before, self._held = self._held, self._look(size)
            self._changing = before != self._held
            self._beyond, self._counted = min(before.beyond(counted), self._held.beyond(counted)), counted
        finally:
            self._looking = False

    def leave_nothing(self) -> None:
        """Remove what it made and outlives it. Call when it has ended."""
        for _, number in _made(self._pid).keys() - self._before:
            system.remove_shared(number)

    def _worth_it(self) -> bool:
        try:
            ran_ns = time.clock_gettime_ns(self._clock)
        except OSError:
            return False
        if ran_ns - self._ran_ns < _WORTH_NS and not self._changing:
            return False
        self._ran_ns = ran_ns
        return True

    def _look(self, size: bytes) -> Held:
        if size != self._size or self._looks % _MAPS_EVERY == 0:
            self._size = size
            self._maps = _mapped(self._pid)
        self._looks += 1
        sizes = _open(self._pid)
        sizes |= {name: size for name, size in _made(self._pid).items() if name not in self._before}
        hidden = 0
        extents: dict[_Name, int] = {}
        for name, piece in self._maps.items():
            extents[name] = extent = max(piece.extent, self._extents.get(name, 0))
            if name not in sizes and name[0] != _SYSTEM_V:  # what others made is theirs
                try:
                    sizes[name] = _size_of(piece.place)
                except OSError:  # only root may ask
                    hidden += max(0, extent - piece.size)
        self._extents = extents
        mapped = sum(min(sizes[name], piece.size) for name, piece in self._maps.items() if name in sizes)
        return Held(sum(sizes.values()), mapped, hidden)


def _open(pid: int) -> dict[_Name, int]:
    """Pieces that are open as files, with their bytes."""
    found: dict[_Name, int] = {}
    for folder in file_tables.folders(pid, filtered=False):
        with suppress(OSError):
            for number in brief.names(folder):
                path = f"{folder}/{number}"
                with suppress(OSError):
                    if _is_memory(name := brief.link(path)):
                        about = os.stat(path)
                        found[_device(about.st_dev), about.st_ino] = _bytes(about, name)
    return found


def _mapped(pid: int) -> dict[_Name, _Mapped]:
    """Pieces that are mapped."""
    found: dict[_Name, _Mapped] = {}
    try:
        lines = os.fsdecode(long_list.read(f"/proc/{pid}/maps")).split("\n")
    except OSError:
        return found
    for line in lines:
        fields = line.split(None, 5)
        if len(fields) == 6 and (_is_memory(fields[5]) or fields[5].startswith(_SYSTEM_V)):
            begin, end = (int(word, 16) for word in fields[0].split("-"))
            name = _SYSTEM_V if fields[5].startswith(_SYSTEM_V) else fields[3], int(fields[4])
            before = found.get(name, _Mapped(0, 0, ""))
            extent = int(fields[2], 16) + end - begin
            place = f"/proc/{pid}/map_files/{fields[0]}"
            found[name] = _Mapped(before.size + end - begin, max(before.extent, extent), place)
    return found


def _is_memory(name: str) -> bool:
    return name.startswith(_KINDS) or (name.startswith(_FOLDER) and name.endswith(_DELETED))


def _size_of(place: str) -> int:
    name = brief.link(place)  # first: whoever looks for it may have to wait
    return _bytes(os.stat(place), name)


def _bytes(about: os.stat_result, name: str) -> int:
    """Linux does not count the pages of secret memory."""
    return about.st_size if name.startswith(_SECRET) else about.st_blocks * 512


def _device(number: int) -> str:
    """As in a list of maps.

    >>> _device(os.makedev(0, 1))
    '00:01'
    """
    return f"{os.major(number):02x}:{os.minor(number):02x}"


def _made(pid: int) -> dict[_Name, int]:
    """System V's pieces that it made, attached or not: they stay until somebody removes them."""
    try:
        rows = [line.split() for line in long_list.read(_SYSTEM_V_TABLE, _TABLE_BYTES).split(b"\n")[1:-1]]
    except OSError:
        return {}
    return {(_SYSTEM_V, int(row[1])): int(row[14]) + int(row[15]) for row in rows if int(row[4]) == pid}
