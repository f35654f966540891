"""What a guest may have left running when its zygote is no more: looked for by the kernel, which knows the guests.

The session of a guest bears its number. Nobody else gets that number while the
session has anybody in it; so whoever has it and is not our guest says that there
is nothing of ours left.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from . import system
from .guest_process import GuestProcess

MOST_S, _TURN_S = 0.3, 0.005
_QUIET = 4
"""Turns in which nobody was there, one after the other, until that is believed: who forks and ends without a pause can
be gone each time that he is looked at."""


def end_all(guests: Iterable[GuestProcess], most_s: float = MOST_S) -> None:
    """End the programs of guests that have ended, in turns as long as there are others. From any thread."""
    left = [(guest.pid, _held(guest)) for guest in guests if guest.pid and not guest.alone]
    if not left or not system.LINUX:
        return
    signalled: set[int] = set()
    until_s, quiet = time.monotonic() + most_s, 0
    try:
        while quiet < _QUIET and time.monotonic() < until_s:
            found = [end_session(leader, pidfd, signalled) for leader, pidfd in left]
            quiet = 0 if any(found) else quiet + 1
            time.sleep(_TURN_S)
    finally:
        for _, pidfd in left:
            if pidfd >= 0:
                os.close(pidfd)


def _held(guest: GuestProcess) -> int:
    """Its pidfd once more: the guest may be closed meanwhile by the manager's thread, and the number be another's."""
    pidfd = guest.pidfd
    with suppress(OSError):
        held = os.dup(pidfd)
        if guest.pidfd == pidfd:  # else it was closed, and what we have may be anything
            return held
        os.close(held)
    return -1


def end_session(leader: int, pidfd: int, signalled: set[int]) -> bool:
    """Send SIGKILL to all in it but ``signalled``, which grows; whether there was anybody, who may have ended since the
    last turn: he may have left a child. ``pidfd`` is of the guest that led it, -1 if nobody has that any more."""
    if _is_anothers(leader, pidfd):
        return False
    system.signal_group(pidfd, signal.SIGKILL)
    found = False
    for pid in system.in_session(leader):
        if pid != leader and pid not in signalled:
            signalled.add(pid)
            found = True
            _end_one(pid, leader)
    return found


def _is_anothers(leader: int, pidfd: int) -> bool:
    return not system.is_over(leader) and (pidfd < 0 or system.is_ready(pidfd))


def _end_one(pid: int, session: int) -> None:
    """Held before it is asked for its session, so that nobody else can have the number by then."""
    with suppress(OSError):
        held = os.pidfd_open(pid)
        try:
            if system.session_of(pid) == session:
                signal.pidfd_send_signal(held, signal.SIGKILL)
        finally:
            os.close(held)
