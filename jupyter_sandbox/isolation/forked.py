"""The guests that a zygote has forked, from the fork to the moment when nothing is left of them.

A guest that has ended is not reaped before its programs have: as long as it is a zombie, its number, which is that
of its session and of its group, is nobody else's. All that a guest leaves behind becomes the zygote's child: when
none of those is in its session, there is none at all. Nothing here waits.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

from . import system
from .ender import Leash

_DYING_S = 1.0
"""How long somebody who was sent SIGKILL is waited for."""
PATIENCE_S = 2.0
"""The end of a guest is told after so long at the latest: who can begin sessions (``basic``, ``off``) may have programs
that fork faster than anybody ends them."""


class Forked:
    """One guest. ``leash`` is of one that may start programs."""

    def __init__(self, pid: int, leash: Leash | None = None) -> None:
        self.pid, self.leash = pid, leash
        self.pidfd = os.pidfd_open(pid) if system.LINUX else -1
        self.ended_s = 0.0
        """When it was seen to have ended."""
        self.status = 0
        self.ran_ns = -1
        """Processor time that all its threads have used, once it was reaped."""

    def ends(self) -> bool:
        """Whether it has ended, and nobody has seen it yet: then all that it started is ended."""
        if self.ended_s or not self._is_zombie():
            return False
        self.ended_s = time.monotonic()
        self.end()
        return True

    def end(self) -> None:
        """With all that it started. One that is killed alone has to be on the processor once more to end, for which
        programs that compute let it wait, and go on forking."""
        if self.leash is not None:
            self.leash.let_go()
        if system.LINUX:
            _signal_group(self.pid)

    def _is_zombie(self) -> bool:
        """Of one that a program of it traces, Linux tells nobody else's wait."""
        if system.LINUX:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            return ended or system.is_ready(self.pidfd)
        pid, self.status = os.waitpid(self.pid, os.WNOHANG)
        return pid != 0

    @property
    def has_ender(self) -> bool:
        """Whether it is still to be reaped."""
        return self.leash is not None and self.leash.ender != 0

    def forget_ender(self) -> None:
        """One that somebody has stopped does nothing any more."""
        if self.leash is not None and self.leash.ender in system.children():
            os.kill(self.leash.ender, signal.SIGKILL)

    def reap(self) -> int:
        """The word of waitpid, after which the number may be another's. Who is traced even now is reaped as one of its
        programs, when who traces it ends; how it ended, nobody is told."""
        if system.LINUX:
            os.close(self.pidfd)
            self.ran_ns = system.processor_ns(system.clock_of(self.pid))  # nobody else can ask for it any more
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else signal.SIGKILL
        return self.status


class Guests:
    """All of them, by number."""

    def __init__(self) -> None:
        self.aside = 0
        """A child that is nobody's program, if there is one."""
        self._kept: dict[int, Forked] = {}
        self.left: set[int] = set()
        """Sessions of adopted programs that are being ended."""
        self._signalled: dict[int, float] = {}
        """When those that are still there were sent the first SIGKILL."""

    def add(self, guest: Forked) -> None:
        self._kept[guest.pid] = guest

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def ending(self) -> bool:
        """Whether there is something to be looked at again soon, though nobody tells of it."""
        return bool(self.left) or any(guest.ended_s for guest in self._kept.values())

    def kill(self) -> None:
        for pid, guest in self._kept.items():
            os.kill(pid, signal.SIGKILL)
            guest.end()

    def end(self, pid: int) -> None:
        """One of them, if it is not forgotten yet: until then its number is nobody else's."""
        if pid in self._kept:
            self._kept[pid].end()

    def look(self) -> Iterator[Forked]:
        """Those that have ended since the last look."""
        return (guest for guest in list(self._kept.values()) if guest.ends())

    def gone(self) -> Iterator[Forked]:
        """Those of which nothing is left, or not for want of patience; they are reaped and forgotten."""
        ending = {pid for pid, guest in self._kept.items() if guest.ended_s}
        strangers = bool(self.left - ending)
        for pid in ending:
            guest = self._kept[pid]
            nothing_left = not strangers and pid not in self.left and not guest.has_ender
            if nothing_left or time.monotonic() - guest.ended_s > PATIENCE_S:
                guest.reap()
                guest.forget_ender()
                del self._kept[pid]
                yield guest

    def look_after_adopted(self) -> None:
        """Reap the programs that have ended, and end those whose guest has.

        Those in the session of a guest that lives are left to it. Where nothing keeps programs from beginning sessions
        of their own, nobody can tell whose they are: they are ended when a guest is.
        """
        adopted = [(pid, system.session_of(pid)) for pid in system.children() if pid not in self._kept]
        here = {pid for pid, _ in adopted}
        enders = dict(self._enders())  # who is in a session of its own by now has told its number before
        living = {pid for pid, guest in self._kept.items() if not guest.ended_s}
        ends, self.left = self.ending, set()
        self._signalled = {pid: at_s for pid, at_s in self._signalled.items() if pid in here}
        for pid, session in adopted:
            reaped = os.waitpid(pid, os.WNOHANG)[0] != 0
            if pid in enders:
                if reaped:
                    enders[pid].ender = 0
                continue
            if session in living or pid == self.aside or not ends:
                continue
            # Of who was reaped, too: what it had started came to us after they were listed, for another turn to see.
            # Its own guest alone waits for that, and as long as it has patience.
            soon = not reaped and self._ends_soon(pid)
            if soon or session in self._kept:
                self.left.add(session)

    def _ends_soon(self, pid: int) -> bool:
        """End it; whether others than its guest should wait for that: not for one that is another user's by now, which
        it may have become where nothing filters, nor for one that hangs in the operating system."""
        _signal_group(_group_of(pid))
        try:
            os.kill(pid, signal.SIGKILL)
        except PermissionError:
            return False
        return time.monotonic() - self._signalled.setdefault(pid, time.monotonic()) < _DYING_S

    def _enders(self) -> Iterator[tuple[int, Leash]]:
        for guest in self._kept.values():
            if guest.leash is not None:
                guest.leash.hear()
                yield guest.leash.ender, guest.leash


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _signal_group(group: int) -> None:
    """All at once, which no fork in it can outrun."""
    if group > 1 and group != os.getpgrp():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
