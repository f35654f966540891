"""What a guest may have left running when its zygote is no more: looked for by the kernel, which knows the guests.

The session of a guest bears its number. Nobody else gets that number while the
session has anybody in it; so whoever has it and is not our guest says that there
is nothing of ours left.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from . import system
from .guest_process import GuestProcess

_MOST_S, _TURN_S = 0.3, 0.005


def end_all(guests: Iterable[GuestProcess]) -> None:
    """End the programs of guests that have ended, in rounds as long as there are others; the kernel waits for that."""
    left = [(guest.pid, guest.pidfd) for guest in guests if guest.pid and not guest.alone]
    if not left or not system.LINUX:
        return
    signalled: set[int] = set()
    until_s = time.monotonic() + _MOST_S
    while sum(end_session(leader, pidfd, signalled) for leader, pidfd in left) and time.monotonic() < until_s:
        time.sleep(_TURN_S)


def end_session(leader: int, pidfd: int, signalled: set[int]) -> bool:
    """Send SIGKILL to all in it but ``signalled``, which grows; whether there was anybody. ``pidfd`` is of the guest
    that led it, -1 if nobody has that any more."""
    if _is_anothers(leader, pidfd):
        return False
    system.signal_group(pidfd, signal.SIGKILL)
    found = False
    for pid in system.in_session(leader):
        if pid != leader and pid not in signalled and not system.is_over(pid):
            signalled.add(pid)
            found |= _end_one(pid, leader)
    return found


def _is_anothers(leader: int, pidfd: int) -> bool:
    return not system.is_over(leader) and (pidfd < 0 or _has_ended(pidfd))


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _end_one(pid: int, session: int) -> bool:
    """Held before it is asked for its session, so that nobody else can have the number by then."""
    with suppress(OSError):
        held = os.pidfd_open(pid)
        try:
            if system.session_of(pid) == session:
                signal.pidfd_send_signal(held, signal.SIGKILL)
                return True
        finally:
            os.close(held)
    return False
