"""Files that the threads of an OS process wait for: closed meanwhile, they stay, open nowhere, until the wait ends.

Linux keeps sockets and pipes that poll(2) and select(2) wait for, and the one that
a thread reads or writes, with all that waits in them, though nobody can reach them
any more. How many a thread waits for is seen in its system call: which ones is not,
so those that are open count too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from . import brief, long_list
from .syscalls import NUMBERS

_WHERE = {"poll": 1, "ppoll": 1, "select": 0, "pselect6": 0}
"""The argument that says how many."""
_EPOLL = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
_OF_ONE: Final = """
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2
    recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg
"""
_USER_TIME = 11
"""Where, from the third word of /proc/PID/stat on, the time stands; that in Linux follows."""
_MOST_THREADS = 250
"""More end a sandbox anyway."""


class Waited(NamedTuple):
    """What the threads of one OS process wait for together."""

    files: int = 0
    """At most."""
    epolls: tuple[int, ...] = ()
    """For each thread that waits for an epoll, the number that this had when the wait began."""


def look(pid: int) -> Waited:
    """Nothing where Linux does not say. Some ten microseconds for each thread."""
    try:
        threads = brief.names(f"/proc/{pid}/task", _MOST_THREADS)[:_MOST_THREADS]
    except OSError:
        return Waited()
    machine = os.uname().machine
    calls = list(_calls(pid, threads))
    epolls = [epoll_of(call, machine) for call in calls]
    return Waited(sum(waits_for(call, machine) for call in calls), tuple(one for one in epolls if one >= 0))


class Restless:
    """Threads of one OS process that are always found at work, or wanting to, and that only in Linux itself: whoever is
    woken again and again for nothing waits on, and how many files for is not seen."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[int, int]] = {}

    def look(self, pid: int) -> int:
        """How many were so at the last look and are now, and have next to nothing done by themselves meanwhile."""
        before, self._before = self._before, dict(_at_work(pid))
        return sum(
            thread in before and (user - before[thread][0]) * 10 <= system - before[thread][1]
            for thread, (user, system) in self._before.items()
        )


def _at_work(pid: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Those that run or want to, with their times on the processor in their own code and in Linux."""
    with suppress(OSError):
        for thread in map(int, brief.names(f"/proc/{pid}/task", _MOST_THREADS)[:_MOST_THREADS]):
            with suppress(OSError, IndexError):
                stat = brief.read(f"/proc/{pid}/task/{thread}/stat", 512)
                if brief.state_in(stat) == b"R":
                    words = stat.rpartition(b")")[2].split()
                    yield thread, (int(words[_USER_TIME]), int(words[_USER_TIME + 1]))


def _calls(pid: int, threads: list[str]) -> Iterator[bytes]:
    """Not of who runs, or wants to: Linux tells its call when it has it off the processor, some milliseconds later."""
    for thread in threads:
        with suppress(OSError):
            if brief.state(f"/proc/{pid}/task/{thread}") != b"R":
                yield long_list.FOR_A_START.during(long_list.read, f"/proc/{pid}/task/{thread}/syscall", 256)


def waits_for(call: bytes, machine: str) -> int:
    """How many files, from what Linux says of a thread's system call.

    >>> waits_for(b"7 0x7f00 0x3 0xffffffff 0x0 0x0 0x0 0x7ffc 0x7f12", "x86_64"), waits_for(b"running", "x86_64")
    (3, 0)
    """
    words = call.split()
    if words and words[0] in _of_one(machine):
        return 1
    at = _waits(machine).get(words[0]) if words else None
    return 0 if at is None or len(words) < at + 2 else int(words[at + 1], 16) & 0xFFFFFFFF


def epoll_of(call: bytes, machine: str) -> int:
    """The number of the epoll that such a call waits for; -1 where it waits for none.

    >>> epoll_of(b"232 0x5 0x7f00 0x10 0xffffffff 0x0 0x0 0x7ffc 0x7f12", "x86_64"), epoll_of(b"running", "x86_64")
    (5, -1)
    """
    words = call.split()
    return int(words[1], 16) & 0xFFFFFFFF if len(words) > 1 and words[0] in _epolls(machine) else -1


@functools.cache
def _epolls(machine: str) -> frozenset[bytes]:
    numbers = NUMBERS.get(machine, {})
    return frozenset(str(numbers[name]).encode() for name in _EPOLL if name in numbers)


@functools.cache
def _waits(machine: str) -> dict[bytes, int]:
    numbers = NUMBERS.get(machine, {})
    return {str(numbers[name]).encode(): at for name, at in _WHERE.items() if name in numbers}


@functools.cache
def _of_one(machine: str) -> frozenset[bytes]:
    numbers = NUMBERS.get(machine, {})
    return frozenset(str(numbers[name]).encode() for name in _OF_ONE.split() if name in numbers)
