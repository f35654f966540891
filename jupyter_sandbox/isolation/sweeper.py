"""Who removes the folders of a kernel that was killed: an OS process that waits for nothing but that.

The kernel has no moment to do it, and its zygotes and guests end together with it. The lock on the kernel's folder dies
with the kernel, so whoever waits for the lock hears of every end. A kernel that closes in peace lets go of it, too: how
long the removal takes is in the hand of those who worked there, and a thread that is at it would keep the kernel from
ending. A child of the zygote, which waits for it then.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from . import system
from .removal import OWNER, remove_for_good

if sys.platform != "win32":
    import fcntl

NAME = "sbx-sweeper"
_MOST_FILES = 1 << 10


def begin(folder: str) -> int:
    """Called once in a zygote that is ready to fork; its number.

    0 where nobody can be started: then the next kernel sweeps up.
    """
    try:
        pid = os.fork()
    except OSError:
        return 0
    if not pid:
        with suppress(BaseException):
            _stay(folder)
        os._exit(0)
    return pid


def wait(pid: int) -> None:
    """Until it has swept up. The kernel, which has let go of the lock by now, ends who waits for too long."""
    if pid:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _stay(folder: str) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if system.LINUX:
        system.set_name(NAME)
    os.closerange(0, _MOST_FILES)
    owner = os.open(os.path.join(folder, OWNER), os.O_RDWR | os.O_NOFOLLOW)
    fcntl.flock(owner, fcntl.LOCK_EX)
    remove_for_good(folder)
