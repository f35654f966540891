"""The limits of one sandbox, and how a partial map is merged over the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from .errors import UsageError
from .given import MOST, integer, one_of, pairs

LEAST_MEMORY = 1_000_000
"""Bytes. Nothing starts with less; who gives less has left out the unit."""
OPEN_FILES, MANY_FILES = 128, 1_000
WAITED_FILES = 3 * OPEN_FILES
FILE_SIZE = 16_000_000
DISK_BYTES, DISK_FILES = 100_000_000, 2_000
THREADS = 250
WATCHES = 10_000
"""What is the same for every sandbox: open files, and how many of them end one where the operating system sets no limit
(``off``): each is looked at again and again; bytes of one file, bytes and files of its folder, threads of its OS
process, watches of epoll of all its programs together. Counting many files costs the kernel time; numbers for threads
are few and belong to the machine, and watches to all programs of the user. Eighty loops that wait for all of their 128
files have as many. Files that threads wait for at one time where there are no programs: closed meanwhile, they stay,
and of pipes a user has a thousand of full size."""
HIDDEN_WATCHES = 300
"""What an epoll that was closed and that a thread waits for counts as: nobody is told how many it has, and more than
thirty of them are nobody's way to wait."""
TOP_LEVEL_MS = 5_000
"""What the top level of a module may take at least, however little a callback may: it is loaded once."""


class Holdings(NamedTuple):
    """What a guest holds: bytes on disk, files and folders that take them, how many files are open, and threads, those
    of its programs among them."""

    disk: int = 0
    files: int = 0
    open_files: int = 0
    threads: int = 0
    largest: int = 0
    """Bytes that the largest file of its folder is long."""
    programs: int = 0
    """Other OS processes that it started."""
    waited: int = 0
    """Files that its threads wait for, where those are more than may be: one that was closed meanwhile stays."""
    most_waited: int = MANY_FILES
    """How many those may be."""
    watches: int = 0
    """Of epoll, those of its programs among them; no further than until they are too many."""
    unseen: str = ""
    """What there is too much of to be looked at to the end: ``depth`` of folders, memory ``maps``; or that nothing of
    its open files is to be seen: ``closed``."""

    def at_least(self, folder: Holdings) -> Holdings:
        """With what its folder holds now, where that is more.

        >>> Holdings(disk=5, files=3, threads=2).at_least(Holdings(disk=9, files=1))[:4]
        (9, 3, 0, 2)
        """
        return self._replace(
            disk=max(self.disk, folder.disk), files=max(self.files, folder.files),
            largest=max(self.largest, folder.largest), unseen=folder.unseen or self.unseen,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use. Every limit is enforced.

    Units: ``max_memory`` in bytes of private memory above the empty sandbox,
    ``max_runtime`` in milliseconds since the sandbox was ready (time spent
    paused counts too, and after the application has ended if its OS process
    works on), ``max_output`` in bytes a cell may print before the
    rest is dropped and counted, ``max_message`` in bytes of one message into it
    or of a reply, a state or the value of a cell that comes whole,
    ``handler_budget`` in milliseconds one callback may run.

    >>> Limits.merged({"max_processes": 10}).max_memory
    50000000
    """

    max_processes: int = 100
    max_memory: int = 50_000_000
    max_runtime: int = 300_000
    max_mailbox: int = 10_000
    max_message: int = 1 << 20
    max_output: int = 1_000_000
    handler_budget: int = 5_000

    @classmethod
    def merged(
        cls, partial: Mapping[str, object] | Limits | None, base: Limits | None = None, field: str = "limits"
    ) -> Limits:
        """Defaults (or ``base``) with the given keys replaced; ready-made limits replace all of them.

        Raises UsageError when it is no map, a key is unknown, a value is no positive integer, or no sandbox can be had
        with so little.
        """
        if isinstance(partial, Limits):
            partial = {name: getattr(partial, name) for name in cls.__slots__}
        changes = {} if partial is None else _changes(field, partial)
        if not changes:
            return base or cls()
        return _enough(replace(base or cls(), **changes))


def _changes(field: str, partial: Mapping[str, object]) -> dict[str, int]:
    given = pairs(field, partial, "give a map of names to whole numbers, such as {'max_processes': 10}")
    return {one_of(field, name, Limits.__slots__): _limit(name, value) for name, value in given.items()}


def _limit(name: str, value: object) -> int:
    number = integer(value)
    if number is None or number <= 0:
        raise UsageError(name, value, hint="give a whole number above 0")
    if number > MOST:
        raise UsageError(name, value, hint=f"give a whole number of at most {MOST}")
    return number


def _enough(limits: Limits) -> Limits:
    if limits.max_memory < LEAST_MEMORY:
        hint = f"it is in bytes; give at least {LEAST_MEMORY}, such as 50_000_000"
        raise UsageError("max_memory", limits.max_memory, hint=hint)
    return limits
