"""What a guest holds of disk, open files and threads, seen from outside: also files that it deleted and keeps.

Looks and counts, decides nothing. A guest changes things meanwhile: no link is
followed, and whatever cannot be looked at counts as much as it could be: memory
maps without end as too many files.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from ..model.limits import FILE_SIZE, MANY_FILES, THREADS, Holdings
from . import brief, file_tables, long_list, system
from .descendants import descendants
from .scratch import folder_use
from .shortage import NO_FILES
from .system import LINUX

_DELETED = " (deleted)"
_KEPT_EVERY, _MAPS_EVERY = 3, 10
"""Looks between two looks at open files, and of these between two at memory maps unless they changed: each costs
several times what the folder does, and what can be taken meanwhile is bounded by files that are open."""


class HoldingsMeter:
    """Looks at one guest again and again. ``folder`` is its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._kept: dict[int, int] = {}
        self._mapped: dict[int, int] = {}
        self._mapped_all = True
        self._open_files = 0
        self._size = b""
        self._looks = 0
        self._seen = Holdings()

    def look(
        self, pid: int, most_files: int, *, everything: bool = False, alone: bool = True, filtered: bool = True
    ) -> Holdings:
        """What it holds now; stops counting files above ``most_files``. Only ``everything`` leaves nothing out.
        Who is not ``alone`` may have programs, whose threads count too; who is not ``filtered`` threads with files of
        their own.

        What it held when last looked at, when the kernel has too many files open to look.
        """
        try:
            seen = self._look(pid, most_files, everything, filtered)
            self._seen = seen if alone or not LINUX else _with_programs(seen, pid, filtered)
        except OSError as error:
            if error.errno not in NO_FILES:
                raise
        return self._seen

    def _look(self, pid: int, most_files: int, everything: bool, filtered: bool) -> Holdings:
        disk, files, largest = folder_use(self._folder, most_files)
        if not LINUX:
            return Holdings(disk, files, largest=largest)
        if everything or self._looks % _KEPT_EVERY == 0:
            self._kept, self._open_files = self._kept_open(pid, filtered)
            self._look_at_maps(pid, whatever=everything or self._looks % (_KEPT_EVERY * _MAPS_EVERY) == 0)
        self._looks += 1
        hidden = self._mapped | self._kept
        if not self._mapped_all:
            files = most_files + 1
        held = disk + sum(hidden.values())
        return Holdings(held, files + len(hidden), self._open_files, threads_of(pid), largest)

    def _kept_open(self, pid: int, filtered: bool) -> tuple[dict[int, int], int]:
        """Deleted files of its folder by number, with their bytes; and how many files of any kind are open.

        Of who has more than anybody may have no file is looked at: each costs, and other sandboxes wait.
        """
        kept: dict[int, int] = {}
        paths = list[str]()
        for folder in file_tables.folders(pid, filtered=filtered):
            if len(paths) <= MANY_FILES:
                paths += _listed(folder)
        for path in paths if len(paths) <= MANY_FILES else ():
            with suppress(OSError):
                if self._may_be_deleted(path):
                    found = os.stat(path)
                    kept[found.st_ino] = found.st_blocks * 512
        return kept, len(paths)

    def _may_be_deleted(self, path: str) -> bool:
        """Asked of the name alone: a file of others can lie on a drive that answers never. What is so far below other
        folders that Linux cannot tell its name is in the guest's own, and counts."""
        try:
            return self._is_deleted(brief.link(path))
        except OSError as error:
            return error.errno == errno.ENAMETOOLONG

    def _look_at_maps(self, pid: int, *, whatever: bool) -> None:
        """A deleted file that is mapped needs no open file. Looked for when the size of its memory has changed, or
        ``whatever`` it is."""
        with suppress(OSError):
            size = brief.read(f"/proc/{pid}/statm", 128).split(b" ", 1)[0]
            if whatever or size != self._size:
                self._size = size
                maps = long_list.read(f"/proc/{pid}/maps")
                self._mapped_all = len(maps) < long_list.MOST
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


def _listed(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in brief.names(folder, MANY_FILES)]
    except OSError as error:
        if error.errno in NO_FILES:
            raise
        return []


def threads_of(pid: int) -> int:
    """Threads of an OS process, 0 when it has ended: the links of the folder that has one folder for each of them."""
    try:
        return max(0, os.stat(f"/proc/{pid}/task").st_nlink - 2)
    except OSError:
        return 0


def _with_programs(seen: Holdings, pid: int, filtered: bool) -> Holdings:
    """Of its session and, where no filter keeps them in it, from parent to child.

    Zombies count as one: they have a number each, of which the machine has some ten thousand."""
    programs = {other for other in system.in_session(pid) if other != pid}
    if not filtered:
        programs.update(descendants(pid, THREADS))
    threads = len(programs) if len(programs) > THREADS else sum(map(threads_of, programs))
    return seen._replace(programs=len(programs), threads=seen.threads + threads)


def _size_of(pid: int, addresses: str) -> int:
    """Only root may ask how large a mapped file is; else it counts as the largest that there can be."""
    try:
        return os.stat(f"/proc/{pid}/map_files/{addresses}").st_blocks * 512
    except OSError:
        return FILE_SIZE
