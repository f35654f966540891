"""System calls that no sandbox can do without: each is tried in the kernel, whose filter its launcher inherits.

A container's filter may refuse any of them. In the middle of the work nobody could tell which one it was: asyncio is
woken by ``sendto`` and passes over that it was refused, and a launcher that may not ask how a guest ended ends itself.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
import time
from collections.abc import Callable

from ..model.errors import LaunchFailed
from . import system

_REFUSED = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})
"""What filters say. Whatever else a call says comes from behind them; what it lacks is told by who needs it."""


def must_be_let_through() -> None:
    """Raises LaunchFailed with the name of each call that is refused. Costs a quarter of a millisecond."""
    if sys.platform != "linux":
        return
    if refused := [name for name, attempt in _attempts().items() if _is_refused(attempt)]:
        raise LaunchFailed(
            f"system calls that no sandbox can do without are refused here: {', '.join(refused)}; a container's filter "
            "(its seccomp profile) has to let them through"
        )


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno in _REFUSED
    return False


def _attempts() -> dict[str, Callable[[], object]]:
    own = os.getpid()  # is nobody's own child, which is another answer than that nobody may ask
    return {
        "socketpair": _paired,
        "sendto": lambda: _through(lambda ours, theirs: ours.send(b".")),
        "recvfrom": lambda: _through(lambda ours, theirs: theirs.recv(1)),
        "sendmsg": lambda: _through(lambda ours, theirs: ours.sendmsg([b"."])),
        "recvmsg": lambda: _through(lambda ours, theirs: theirs.recvmsg(1)),
        "getsockopt": lambda: _through(lambda ours, theirs: ours.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)),
        "poll": lambda: select.poll().poll(0),
        "clock_gettime": time.thread_time,
        "memfd_create": lambda: os.close(os.memfd_create("needed")),
        "ftruncate": _cut,
        "prctl": system.parent_death_signal,
        "getsid": lambda: os.getsid(0),
        "getpgid": lambda: os.getpgid(0),
        "kill": lambda: os.kill(own, 0),
        "waitid": lambda: os.waitid(os.P_PID, own, os.WEXITED | os.WNOHANG | os.WNOWAIT),
        "wait4": lambda: os.waitpid(own, os.WNOHANG),
    }


def _paired() -> None:
    for end in socket.socketpair():
        end.close()


def _through(act: Callable[[socket.socket, socket.socket], object]) -> None:
    try:
        ours, theirs = socket.socketpair()
    except OSError:  # which is told by itself
        return
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
        act(ours, theirs)


def _cut() -> None:
    try:
        file = os.memfd_create("needed")
    except OSError:  # likewise
        return
    try:
        os.ftruncate(file, 1)
    finally:
        os.close(file)
