"""What a guest holds of disk, open files and threads, seen from outside: also files that it deleted and keeps.

Looks and counts, decides nothing. A guest changes things meanwhile: no link is
followed, and whatever cannot be looked at counts as much as it could be: memory
maps without end as too many files.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from ..model.limits import FILE_SIZE, Holdings
from .scratch import folder_use
from .system import LINUX

_DELETED = " (deleted)"
_KEPT_EVERY, _MAPS_EVERY = 3, 10
"""Looks between two looks at open files, and of these between two at memory maps unless they changed: each costs
several times what the folder does, and what can be taken meanwhile is bounded by files that are open."""
_MAPS_BYTES = 1 << 20
"""Of the list of memory maps that is read, some ten thousand of them. Sixty thousand of a file far below others are a
quarter of a gigabyte of text."""


class HoldingsMeter:
    """Looks at one guest again and again. ``folder`` is its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._kept: dict[int, int] = {}
        self._mapped: dict[int, int] = {}
        self._mapped_all = True
        self._open_files = 0
        self._size = ""
        self._looks = 0

    def look(self, pid: int, most_files: int, *, everything: bool = False) -> Holdings:
        """What it holds now; stops counting files above ``most_files``. Only ``everything`` leaves nothing out."""
        disk, files, largest = folder_use(self._folder, most_files)
        if not LINUX:
            return Holdings(disk, files, largest=largest)
        if everything or self._looks % _KEPT_EVERY == 0:
            self._kept, self._open_files = self._kept_open(pid)
            self._look_at_maps(pid, whatever=everything or self._looks % (_KEPT_EVERY * _MAPS_EVERY) == 0)
        self._looks += 1
        hidden = self._mapped | self._kept
        if not self._mapped_all:
            files = most_files + 1
        held = disk + sum(hidden.values())
        return Holdings(held, files + len(hidden), self._open_files, threads_of(pid), largest)

    def _kept_open(self, pid: int) -> tuple[dict[int, int], int]:
        """Deleted files of its folder by number, with their bytes; and how many files of any kind are open."""
        kept: dict[int, int] = {}
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            return kept, 0
        for name in names:
            with suppress(OSError):
                path = f"/proc/{pid}/fd/{name}"
                if self._may_be_deleted(path):
                    found = os.stat(path)
                    kept[found.st_ino] = found.st_blocks * 512
        return kept, len(names)

    def _may_be_deleted(self, path: str) -> bool:
        """Asked of the name alone: a file of others can lie on a drive that answers never. What is so far below other
        folders that Linux cannot tell its name is in the guest's own, and counts."""
        try:
            return self._is_deleted(os.readlink(path))
        except OSError as error:
            return error.errno == errno.ENAMETOOLONG

    def _look_at_maps(self, pid: int, *, whatever: bool) -> None:
        """A deleted file that is mapped needs no open file. Looked for when the size of its memory has changed, or
        ``whatever`` it is."""
        with suppress(OSError):
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                size = file.read().split(" ", 1)[0]
            if whatever or size != self._size:
                self._size = size
                with open(f"/proc/{pid}/maps", "rb") as file:
                    maps = file.read(_MAPS_BYTES)
                self._mapped_all = len(maps) < _MAPS_BYTES
                self._mapped = dict(self._mapped_in(pid, os.fsdecode(maps)))

    def _mapped_in(self, pid: int, maps: str) -> list[tuple[int, int]]:
        if _DELETED not in maps or self._folder not in maps:
            return []
        fields = (line.split(None, 5) for line in maps.split("\n"))  # other ends of lines may be part of a name
        return [
            (int(field[4]), _size_of(pid, field[0]))
            for field in fields
            if len(field) > 5 and self._is_deleted(field[5])
        ]

    def _is_deleted(self, path: str) -> bool:
        return path.startswith(self._folder) and path.endswith(_DELETED)


def threads_of(pid: int) -> int:
    """Threads of an OS process, 0 when it has ended: the links of the folder that has one folder for each of them."""
    try:
        return max(0, os.stat(f"/proc/{pid}/task").st_nlink - 2)
    except OSError:
        return 0


def _size_of(pid: int, addresses: str) -> int:
    """Only root may ask how large a mapped file is; else it counts as the largest that there can be."""
    try:
        return os.stat(f"/proc/{pid}/map_files/{addresses}").st_blocks * 512
    except OSError:
        return FILE_SIZE
