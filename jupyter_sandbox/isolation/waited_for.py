"""Files that the threads of an OS process wait for: closed meanwhile, they stay, open nowhere, until the wait ends.

Linux keeps sockets and pipes that poll(2) and select(2) wait for, with all that
waits in them, though nobody can reach them any more. How many a thread waits for
is seen in its system call: which ones is not, so those that are open count too.
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress

from . import brief, long_list
from .syscalls import NUMBERS

_WHERE = {"poll": 1, "ppoll": 1, "select": 0, "pselect6": 0}
"""The argument that says how many."""
_MOST_THREADS = 250
"""More end a sandbox anyway."""


def files(pid: int) -> int:
    """Of all its threads together, at most; 0 where Linux does not say. Some ten microseconds for each thread."""
    try:
        threads = brief.names(f"/proc/{pid}/task", _MOST_THREADS)[:_MOST_THREADS]
    except OSError:
        return 0
    return sum(_of(f"/proc/{pid}/task/{thread}") for thread in threads)


def _of(thread: str) -> int:
    """Not of who runs, or wants to: Linux tells its call when it has it off the processor, some milliseconds later."""
    with suppress(OSError):
        if brief.state(thread) == b"R":
            return 0
        call = long_list.FOR_A_START.during(long_list.read, f"{thread}/syscall", 256)
        return waits_for(call, os.uname().machine)
    return 0


def waits_for(call: bytes, machine: str) -> int:
    """How many files, from what Linux says of a thread's system call.

    >>> waits_for(b"7 0x7f00 0x3 0xffffffff 0x0 0x0 0x0 0x7ffc 0x7f12", "x86_64"), waits_for(b"running", "x86_64")
    (3, 0)
    """
    words = call.split()
    at = _waits(machine).get(words[0]) if words else None
    return 0 if at is None or len(words) < at + 2 else int(words[at + 1], 16) & 0xFFFFFFFF


@functools.cache
def _waits(machine: str) -> dict[bytes, int]:
    numbers = NUMBERS.get(machine, {})
    return {str(numbers[name]).encode(): at for name, at in _WHERE.items() if name in numbers}
