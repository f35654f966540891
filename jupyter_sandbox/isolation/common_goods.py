"""What all programs of a user, or of the machine, have in common and one of them could use up or hold. Pure.

Decisions about system calls that reach nobody and harm others all the same: by what Linux keeps for them without
counting it, by what it counts for the user as a whole, and by what others wait for.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Final

from ..model.openings import Openings
from .bpf import Allow, Decision, Match, Refuse, When

_ADVICE: Final = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23, 24, 102, 103)
"""On one's own memory. Not the advice that has all processors stop and tidy up, that writes to the swap of the machine,
that has pages compared with those of others, or that takes them out of what is shared with the kernel."""
_CLOSE_FLAGS: Final = (0, 4)
"""Closing, or closing on exec. The third (2) first gives the thread a table of files of its own."""
_PATH_ONLY: Final = 0x200000
_FOLDER: Final = {"x86_64": 0x10000, "aarch64": 0x4000}
"""The numbers of O_PATH and O_DIRECTORY."""
_FOR_NOTHING: Final = 3
_SET_LOCK: Final = (6, 7)
_SET_LOCK_OF_DESCRIPTION: Final = 37


def decide_goods(openings: Openings) -> dict[str, Decision]:
    """Decisions that stand before those of ``rules``.

    >>> decide_goods(Openings())["timer_create"]
    Refuse(errno=38)
    """
    decided: dict[str, Decision] = {
        # Counted per user. "No such call", so that programs fall back to the timers that everybody has.
        "timer_create": Refuse(errno.ENOSYS),
        # Advice may be ignored. Taken, it throws files out of the memory that all programs share, and stops processors.
        "fadvise64": Refuse(0),
        "readahead": Refuse(0),
        "madvise": When((Match(2, _ADVICE),), Allow(), Refuse(errno.EINVAL)),
        "close_range": When((Match(2, _CLOSE_FLAGS),)),
    }
    if not may_send_files(openings):
        decided |= dict.fromkeys(("sendmsg", "sendmmsg"), Refuse())
    if not may_use_epoll(openings):
        decided |= dict.fromkeys(("epoll_create", "epoll_create1"), Refuse(errno.ENOSYS))
    if not openings.subprocess:
        # Each thread that copied keeps a pipe of its own to its end, no file of anybody's, and pipes are counted per
        # user. "On another drive" is what makes all who copy so read and write instead.
        decided["copy_file_range"] = Refuse(errno.EXDEV)
        # ``pathlib`` does without it for this answer alone, from Python 3.14 on. Other programs know "no such call".
        decided["sendfile"] = Refuse(errno.ENOTSOCK)
    return decided


def may_send_files(openings: Openings) -> bool:
    """Whether messages with files in them may be sent. In flight these are counted per user, not open anywhere and seen
    by nobody; who has no network and no programs has nobody to send one to."""
    return openings.net or openings.subprocess


def may_use_epoll(openings: Openings) -> bool:
    """Whether files may be watched by epoll(7), which programs need. Linux counts its watches per user, and who may
    have none has nobody's programs wait for anything new, the kernel among them. A file counts for each number that it
    was watched under, in each epoll, and an epoll that a thread waits for stays when it is closed: 128 open files are
    millions of watches. With no more files than that, poll(2) is as quick."""
    return openings.subprocess


def shares_files(openings: Openings) -> bool:
    """Whether somebody else may work on the same files, so that a lock has a meaning."""
    return bool(openings.read or openings.write or openings.subprocess)


def without_locks(fcntl: When) -> When:
    """The decision about ``fcntl`` where nobody shares a file: locks are answered "done".

    Those of one OS process never stand in each other's way, so nothing is missed. Taken, they keep the owner of a file
    from writing what the sandbox may only read, and Linux remembers any number of them without counting.
    """
    (test,) = fcntl.tests
    allowed = tuple(value for value in test.values if value not in (*_SET_LOCK, _SET_LOCK_OF_DESCRIPTION))
    others = replace(fcntl, tests=(replace(test, values=allowed),))
    return When((replace(test, values=_SET_LOCK),), Refuse(0), others)


def without_bare_paths(machine: str, argument: int, decision: Decision) -> When:
    """The decision about opening, without files that are not opened at all but kept (``O_PATH``): anybody's, readable
    or not, and its room on disk is not free again while they are. Folders may be: copying trees needs it.

    Nor those that are opened neither for reading nor for writing (3, see open(2)): Landlock, which asks what they are
    opened for, lets everything pass, devices and files of others among them, and before version 3 empties them so."""
    kept = Match(argument, (_PATH_ONLY,), _PATH_ONLY | _FOLDER[machine])
    for_nothing = Match(argument, (_FOR_NOTHING,), _FOR_NOTHING)
    return When((for_nothing,), Refuse(), When((kept,), Refuse(), decision))
