"""Who ends the programs of a guest, all at once: an OS process beside it that waits for its zygote to let go.

``kill(-1)`` is done by Linux in one step that no fork can get in between, and it
reaches those alone whom the sender may signal. So the ender and its guest share
a domain of Landlock that confines nothing but signals, and the guest adds its own
inside of that: the ender reaches the guest and all that came of it, and nobody
else; the guest and its programs do not reach the ender. It holds one end of a
socket whose other end is the zygote's, and acts when that is closed: because the
guest has ended, or the zygote, however that came.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from contextlib import suppress
from typing import NoReturn

from . import landlock, system

NAME = "sbx-ender"
NEEDS = 6
"""The version of Landlock that confines signals."""
_MOST_FILES = 1 << 10


def leave_behind(leash: int) -> None:
    """Called in a guest before anything confines its signals; ``leash`` stays open, for the caller to close.

    No child of the guest, which may wait for all of its children. Raises OSError when it cannot be had.
    """
    landlock.confine_signals()
    must_be_confined()
    heard, told = os.pipe()
    try:
        if not (helper := os.fork()):
            _begin(leash, told)
        os.close(told)
        told = -1
        os.waitpid(helper, 0)
        if not os.read(heard, 1):
            raise OSError(errno.EAGAIN, "nobody could be started who would end its programs")
    finally:
        os.close(heard)
        if told >= 0:
            os.close(told)


def must_be_confined() -> None:
    """Its parent is outside and somebody whom it could else signal. A Linux that only says that it confines would have
    a signal to everybody reach the kernel, too. Raises OSError."""
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return
    raise OSError("signals are not confined, though Landlock says so")


def _begin(leash: int, told: int) -> NoReturn:
    with suppress(BaseException):
        if not os.fork():
            _stay(leash, told)
    os._exit(0)


def _stay(leash: int, told: int) -> None:
    """In a session of its own, so that what is in the guest's is the guest's. The zygote knows its number before."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    os.write(leash, str(os.getpid()).encode())
    os.setsid()
    system.set_name(NAME)
    os.write(told, b"1")
    _close_all_but(leash)
    _wait_for_the_end(leash)
    os.kill(-1, signal.SIGKILL)


def _wait_for_the_end(leash: int) -> None:
    """Of a zygote that ended before it read our number, Linux tells no end but an error (ECONNRESET)."""
    with suppress(OSError):
        while os.read(leash, 1):
            continue


def _close_all_but(leash: int) -> None:
    try:
        system.close_all_but({leash})
    except OSError:  # an older filter around us; files have the lowest numbers that are free
        os.closerange(0, leash)
        os.closerange(leash + 1, _MOST_FILES)


class Leash:
    """The zygote's end: as long as it is held, the guest's programs go on."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.ender = 0
        """The number of the OS process, once it is known."""

    @property
    def theirs(self) -> int:
        """The end for the guest, until ``given``."""
        return self._theirs.fileno()

    def given(self) -> None:
        self._theirs.close()

    def hear(self) -> None:
        """Learn the ender's number if it has been said."""
        if not self.ender and self._ours.fileno() >= 0:
            with suppress(OSError):
                self.ender = int(self._ours.recv(16) or 0)

    def let_go(self) -> None:
        """End them all. Idempotent."""
        self.hear()
        self._ours.close()
