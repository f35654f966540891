"""What the programs of a guest hold: how many they and their threads are, what they keep open and wait for, a few at a
look."""

from __future__ import annotations

import os
from bisect import bisect_right

from ..model.limits import THREADS
from . import system, waited_for
from .descendants import descendants
from .kept_files import KeptFiles
from .waited_for import Waited

_AT_A_LOOK = 16
"""Whose files are looked at: each may take half a millisecond, and what all keep is told when each had its turn."""


class Programs:
    """Of one guest, looked at again and again. ``folder`` is its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.count = self.threads = 0
        self._kept: dict[int, KeptFiles] = {}
        self._waited: dict[int, Waited] = {}
        self._last = 0

    def look(self, pid: int, *, filtered: bool) -> None:
        """Of its session and, where no filter keeps them in it, from parent to child.

        Zombies count as one thread: they have a number each, of which the machine has some ten thousand. Raises
        OSError only when nothing more can be opened here.
        """
        found = {other for other in system.in_session(pid) if other != pid}
        if not filtered:
            found.update(descendants(pid, THREADS))
        self.count = len(found)
        self.threads = len(found) if len(found) > THREADS else sum(map(threads_of, found))
        self._kept = {other: kept for other, kept in self._kept.items() if other in found}
        self._waited = {other: waited for other, waited in self._waited.items() if other in found}
        if len(found) <= THREADS:
            self._look_at_some(sorted(found), filtered)

    def _look_at_some(self, programs: list[int], filtered: bool) -> None:
        at = bisect_right(programs, self._last)
        for other in (programs[at:] + programs[:at])[:_AT_A_LOOK]:
            self._last = other
            self._kept.setdefault(other, KeptFiles(self._folder)).look(other, filtered=filtered)
            self._waited[other] = waited_for.look(other)

    @property
    def waited(self) -> int:
        """Files that their threads wait for."""
        return sum(one.files for one in self._waited.values())

    @property
    def watches(self) -> int:
        """Of their epolls. One that several have counts for each: nobody is told which is which."""
        return sum(
            kept.watches + kept.watches_of_closed(self._waited.get(other, Waited()))
            for other, kept in self._kept.items()
        )

    @property
    def hidden(self) -> dict[int, int]:
        """Deleted files by number, with their bytes."""
        return {number: size for kept in self._kept.values() for number, size in kept.hidden.items()}

    @property
    def connections(self) -> frozenset[int]:
        return frozenset[int]().union(*(kept.connections for kept in self._kept.values()))

    @property
    def closed(self) -> bool:
        """Whether Linux lets us look at none of what one of them has open."""
        return any(kept.closed for kept in self._kept.values())

    @property
    def all_seen(self) -> bool:
        return all(kept.all_seen for kept in self._kept.values())


def threads_of(pid: int) -> int:
    """Threads of an OS process, 0 when it has ended: the links of the folder that has one folder for each of them."""
    try:
        return max(0, os.stat(f"/proc/{pid}/task").st_nlink - 2)
    except OSError:
        return 0
