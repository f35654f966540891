"""The limits of one sandbox, and how a partial map is merged over the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from .errors import UsageError

MOST = 1 << 53
"""No limit and no count is above this: every part of the way, JavaScript included, holds it exactly."""
LONGEST_WAIT_MS = (1 << 32) - 1
"""What Erlang takes after a receive, and with that for a call, a start, a stop and a server's timeout: 49 days."""

OPEN_FILES, MANY_FILES = 128, 1_000
FILE_SIZE = 16_000_000
DISK_BYTES, DISK_FILES = 100_000_000, 2_000
THREADS = 250
"""What is the same for every sandbox: open files, and how many of them end one where the operating system sets no limit
(``off``): each is looked at again and again; bytes of one file, bytes and files of its folder, threads of its OS
process. Counting many files costs the kernel time; numbers for threads are few and belong to the machine."""
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
    unseen: str = ""
    """What there is too much of to be looked at to the end: ``depth`` of folders, memory ``maps``."""

    def at_least(self, folder: Holdings) -> Holdings:
        """With what its folder holds now, where that is more.

        >>> Holdings(disk=5, files=3, threads=2).at_least(Holdings(disk=9, files=1))[:4]
        (9, 3, 0, 2)
        """
        return self._replace(
            disk=max(self.disk, folder.disk), files=max(self.files, folder.files),
            largest=max(self.largest, folder.largest), unseen=folder.unseen or self.unseen,
        )  # fmt: skip


def whole(field: str, value: object, most: int = MOST) -> int:
    """A count from 1 to ``most``. Raises UsageError that names the field.

    >>> whole("count", 3)
    3
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UsageError(field, value, hint=f"give a whole number from 1 to {most}")
    return value


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use. Every limit is enforced.

    Units: ``max_memory`` in bytes of private memory above the empty sandbox,
    ``max_runtime`` in milliseconds since the sandbox was ready (time spent
    paused counts too, and after the application has ended if its OS process
    works on), ``max_output`` in bytes a cell may print before the
    rest is dropped and counted, ``max_message`` in bytes of one message into it
    or of the reply to a call, ``handler_budget`` in milliseconds one callback may run.

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
    def merged(cls, partial: Mapping[str, object] | None, base: Limits | None = None) -> Limits:
        """Defaults (or ``base``) with the given keys replaced.

        Raises UsageError when it is no map, a key is unknown or a value is no positive integer.
        """
        if partial is not None and not isinstance(partial, Mapping):
            hint = "give a map of names to whole numbers, such as {'max_processes': 10}"
            raise UsageError("resource_limits", partial, hint=hint)
        if not partial:
            return base or cls()
        names = [field.name for field in fields(cls)]
        changes: dict[str, int] = {}
        for name, value in partial.items():
            if name not in names:
                raise UsageError("resource_limits", name, allowed=names)
            if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
                raise UsageError(name, value, hint="give a whole number above 0")
            if value > MOST:
                raise UsageError(name, value, hint=f"give a whole number of at most {MOST}")
            changes[name] = value
        return replace(base or cls(), **changes)
