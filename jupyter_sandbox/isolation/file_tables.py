"""The tables of open files of one OS process: threads share one, unless one of them unshared it.

Nobody needs a privilege for that, see unshare(2), and what such a thread opens is
not among the open files of its OS process. Only where no filter refuses it.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os

from ..model.limits import MANY_FILES
from . import brief
from .syscalls import NUMBERS

_FILES = 2
"""What kcmp(2) is to compare."""
_MOST_THREADS = 250
"""More end a sandbox anyway."""


def folders(pid: int, *, filtered: bool) -> list[str]:
    """Of each table the folder of ``/proc`` that lists it, that of the first thread in front.

    Costs a few microseconds, and one for each thread. Where Linux does not say which threads share a table (in
    containers that refuse the question), one counts that has other numbers than the tables before it.
    """
    first = f"/proc/{pid}/fd"
    if filtered:
        return [first]
    try:
        threads = [int(name) for name in brief.names(f"/proc/{pid}/task", _MOST_THREADS)[:_MOST_THREADS]]
    except OSError:
        return [first]
    others = [thread for thread in threads if thread != pid and _may_differ(pid, thread)]
    try:
        apart = _apart(others)
    except OSError:  # nobody is told, or one of them has ended meanwhile
        apart = _apart_by_numbers(pid, others)
    return [first, *(f"/proc/{pid}/task/{thread}/fd" for thread in apart)]


def _may_differ(pid: int, thread: int) -> bool:
    try:
        return _order(pid, thread) != 0
    except OSError as error:
        return error.errno != errno.ESRCH


def _apart(threads: list[int]) -> list[int]:
    """One thread of each table: Linux orders tables, so that threads of one stand side by side. Raises OSError."""
    found = list[int]()
    for thread in sorted(threads, key=functools.cmp_to_key(_order)):
        if not found or _order(found[-1], thread):
            found.append(thread)
    return found


def _order(one: int, other: int) -> int:
    """0 when these threads share their files. Raises OSError."""
    result: int = brief.libc().syscall(_kcmp(), one, other, _FILES, 0, 0)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return (0, -1, 1, 1)[result]


@functools.cache
def _kcmp() -> int:
    """A number that no call has, where nobody knows that of this machine."""
    return NUMBERS.get(os.uname().machine, {}).get("kcmp", -1)


def _apart_by_numbers(pid: int, threads: list[int]) -> list[int]:
    seen, found = {_numbers(f"/proc/{pid}/fd")}, list[int]()
    for thread in threads:
        numbers = _numbers(f"/proc/{pid}/task/{thread}/fd")
        if numbers and numbers not in seen:
            seen.add(numbers)
            found.append(thread)
    return found


def _numbers(folder: str) -> frozenset[str]:
    try:
        return frozenset(brief.names(folder, MANY_FILES))
    except OSError:
        return frozenset()
