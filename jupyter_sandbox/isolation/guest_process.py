"""The kernel's hold on one guest: its OS process, its files, its exit. Used on the manager's thread only."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from ..model.limits import Holdings
from . import brief, system
from .channel_pair import channel_pair
from .exits import ExitStatus
from .heartbeat import HeartbeatPage
from .holdings import HoldingsMeter
from .main_thread import leaves_others
from .memory_use import MemoryUse
from .sender import Send, at_once

NICE = 5
"""Of every guest. Twenty that compute without end on two cores kept the manager's thread waiting for six seconds of
seven; a larger value would let programs beside the kernel starve the sandboxes."""
_STOPPED_S = 0.005
_DYING_MS = 100
"""For the end of who was killed this moment."""


class Rest(NamedTuple):
    """Of an OS process that waits: asked ten times a second of each, so it does next to nothing."""

    clock: int
    ran_ns: int
    """What the clock said when it was seen to rest."""
    until_ns: int
    """When it is to be looked at whatever it does, on ``time.monotonic_ns``."""

    def lasts(self, now_ns: int) -> bool:
        """Whether it has not been on the processor since, nor ended."""
        return now_ns <= self.until_ns and system.processor_ns(self.clock) == self.ran_ns


class GuestProcess:
    """Made by ``Zygote.fork``.

    ``control`` is a non-blocking stream socket, ``stdout_fd`` and ``stderr_fd``
    are non-blocking read ends of pipes, ``heartbeat`` is the page the guest
    writes. ``pidfd`` names the OS process for ever, also after its number went
    to another one, so a late kill hits nobody else.
    """

    def __init__(self, scratch: str, on_close: Callable[[GuestProcess], None]) -> None:
        self.pid = 0
        self.pidfd = -1
        self.stdout_fd = self.stderr_fd = -1
        self.heartbeat = HeartbeatPage()
        try:
            self.control, self._guest_end = channel_pair()
        except OSError:
            self.heartbeat.close()
            raise
        self.scratch = scratch
        self.baseline = 0
        """``memory`` when ``take_baseline`` was called: an empty sandbox of its flavour."""
        self.closed = False
        self.after: Callable[[], None] | None = None
        """Called at the close for what it needs no more, if the operating system says that it has ended."""
        self.modest = not system.LINUX
        """Whether it stands behind the kernel when both want the processor."""
        self.filtered = False
        """Whether a filter of system calls keeps it from memory that is not counted. Set before the first look."""
        self._killed = False
        self._end_programs: Callable[[int], None] = lambda pid: None
        self.alone = False
        """Whether it certainly has no other OS process that could act for it, or outlive it."""
        self.cause = ""
        """Who took it along when it ended, in words."""
        self.send: Send = at_once
        """Has looks done that its threads can keep. Set before the first one."""
        self._use: MemoryUse | None = None
        self._looks_for_others = self._left_others = False
        self._clock: int | None = None
        self.ran_ns = -1
        """What ``processor_ns`` says after its end."""
        self._meter = HoldingsMeter(scratch)
        self._on_close = on_close
        self._exit: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()

    def open(self) -> list[int]:
        """Open the pipes; returns the guest's ends of control socket, stdout, stderr and the heartbeat page, for the
        caller to close. Raises OSError; what belongs to the guest is closed by then."""
        passing: list[int] = []
        try:
            self.stdout_fd, stdout = os.pipe()
            passing.append(stdout)
            self.stderr_fd, stderr = os.pipe()
            passing.append(stderr)
            passing.append(os.dup(self.heartbeat.fd))
        except OSError:
            for fd in passing:
                os.close(fd)
            raise
        self.control.setblocking(False)
        os.set_blocking(self.stdout_fd, False)
        os.set_blocking(self.stderr_fd, False)
        return [self._guest_end.detach(), *passing]

    def give_pipes(self) -> tuple[int, int]:
        """Its stdout and stderr to be read, and closed, by who asks."""
        given = self.stdout_fd, self.stderr_fd
        self.stdout_fd = self.stderr_fd = -1
        return given

    # --- ending ---

    def kill(self) -> None:
        """SIGKILL, also for what it has started. Idempotent, and harmless after the end."""
        self.signal(signal.SIGKILL)
        if self.alone or self._killed or not self.pid or self.closed:
            return
        self._killed = True
        system.signal_group(self.pidfd, signal.SIGKILL)
        self._end_programs(self.pid)

    def interrupt(self) -> None:
        """Ask the guest to raise in the callback that runs now."""
        self.signal(signal.SIGUSR1)

    def dump(self) -> None:
        """Let the guest write the stack of every thread to its stderr, wherever it is stuck."""
        self.signal(signal.SIGUSR2)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the OS process has ended."""
        if self._exit.done() or not self.pid or self.closed:
            return
        system.send_signal(self.pid, self.pidfd, number)

    async def wait(self) -> ExitStatus:
        """How it ended; any number of waiters may ask, also afterwards."""
        return await asyncio.shield(self._exit)

    @property
    def exit_status(self) -> ExitStatus | None:
        """How it ended; None while it lives."""
        return self._exit.result() if self._exit.done() and not self._exit.cancelled() else None

    def has_ended(self) -> bool:
        """Asks the operating system, without waiting for anyone."""
        if self._exit.done() or self.pidfd < 0:
            return self._exit.done() or self.closed
        return system.is_ready(self.pidfd)

    def _certainly_ended(self) -> bool:
        """As the operating system says; the zygote may have been taken over by a guest that Landlock does not hold."""
        return self.pidfd >= 0 and system.is_ready(self.pidfd, _DYING_MS)

    def step_back(self) -> None:
        """Have the operating system serve the kernel first, whatever the guest computes. Call until ``modest``."""
        if not self.modest and self.pid and not self.has_ended():
            self.modest = system.step_back(self.pid, NICE)

    # --- looking ---

    def memory(self) -> int:
        """Bytes of its own in memory, without those of files; 0 when it has ended. Costs a few microseconds."""
        if self._use is None:
            self._use = self._look()
        return self._use.read() if self._use is not None else 0

    def look_up(self) -> None:
        """Find what is looked at again and again. From any thread: whoever does may have to wait. Before any of these
        looks, and before it runs code of a user."""
        self.step_back()
        self.memory()
        self._meter.begin(self.pid)
        if self.closed and self._use is not None:  # meanwhile
            self._use.close()

    def take_baseline(self) -> int:
        """Call when the guest is ready and empty: ``growth`` counts from here."""
        self.baseline = self.memory()
        if self._use is not None:
            self._use.count_from_here()
        return self.baseline

    def growth(self) -> int:
        """Bytes above the empty sandbox, with those that wait in its connections: what ``max_memory`` limits."""
        return max(0, self.memory() + self._meter.connections.waiting - self.baseline)

    @property
    def most_grown(self) -> int:
        """What ``growth`` was at its most, as far as it was seen, or Linux noted it between two readings."""
        return max(0, self._use.most - self.baseline) if self._use is not None else 0

    @property
    def connected(self) -> bool:
        """Whether others can fill its memory while it rests: it has connections, as was seen at the last look."""
        return bool(self._meter.connections)

    @property
    def headless(self) -> bool:
        """Whether its first thread has ended alone, as seen at the last reading of its memory: nothing of it can be
        looked at any more."""
        if self._use is None or not self._use.nothing or self.has_ended():
            return False
        if not self._looks_for_others:
            self._looks_for_others = True
            self.send(self._look_for_others)
        return self._left_others

    def _look_for_others(self) -> None:
        self._left_others = leaves_others(self.pid)
        self._looks_for_others = False

    def growth_peak(self) -> int:
        """What ``growth`` was at its most, also between two readings; nearly, for files that it had mapped count."""
        now = self.growth()
        return now + self._use.given_back() if self._use is not None and not self.has_ended() else now

    def processor_ns(self) -> int:
        """Processor time that all its threads have used, -1 when it cannot be asked. Costs less than a microsecond."""
        if self._exit.done():  # its number may be another's
            return self.ran_ns
        return -1 if self._clock is None or self.closed else system.processor_ns(self._clock)

    def rest(self, ran_ns: int, until_ns: int) -> Rest | None:
        """What lasts as long as it has used no more processor time than that; None where that cannot be asked."""
        return None if self._clock is None or self.closed else Rest(self._clock, ran_ns, until_ns)

    def holdings(self, most_files: int, *, everything: bool = False) -> Holdings:
        """What it holds of disk and open files; stops counting above ``most_files``. Costs some 50 microseconds, and
        three times that when ``everything`` is looked at, of which else each look leaves something out."""
        if self.closed:
            return Holdings()
        found = self._meter.look(self.pid, most_files, everything=everything, alone=self.alone, filtered=self.filtered)
        if self._meter.may_hide and not self.stopped:
            self._meter.may_hide = False
            self._disturb()
        return found

    def _disturb(self) -> None:
        """Whatever its threads wait for, they begin anew: what they waited for and was closed is gone by that."""
        try:
            self.signal(signal.SIGSTOP)
            time.sleep(_STOPPED_S)
        finally:
            self.signal(signal.SIGCONT)

    def folder(self, most_files: int) -> Holdings:
        """What its folder holds, whatever keeps those who look at the rest."""
        return Holdings() if self.closed else self._meter.folder(most_files)

    def unread(self) -> bool:
        """Whether something that it was sent lies there unread. Costs a microsecond."""
        fd = self.control.fileno()
        return system.LINUX and fd >= 0 and brief.unread(fd) > 0

    def waits(self) -> bool:
        """Whether its first thread waits for something or somebody."""
        return self._state() == b"S"

    @property
    def stopped(self) -> bool:
        """Whether a signal, or a debugger, keeps it from going on."""
        return self._state() in (b"T", b"t")

    @property
    def threads(self) -> int:
        """How many it has, without those of its programs; 0 when it has ended or cannot be asked."""
        return self._use.figures.threads() if self._use is not None else 0

    def _state(self) -> bytes:
        return self._use.figures.state() if self._use is not None else b""

    def move_memory_limit(self, more: int) -> bool:
        """Raise (or with a negative number lower) the operating system's limits on its memory by so many bytes.

        False when that is refused: only root (and not in every container) may raise what has been set. The guest then
        keeps the old limits until it is started again.
        """
        if not system.LINUX or self.has_ended():
            return False
        try:
            for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
                value = resource.prlimit(self.pid, kind)[1] + more
                resource.prlimit(self.pid, kind, (value, value))
        except (OSError, ValueError):
            return False
        return True

    def move_processor_limit(self, seconds: int) -> bool:
        """Have the operating system end it after so many seconds of processor time; False as above."""
        if not system.LINUX or self.has_ended():
            return False
        try:
            resource.prlimit(self.pid, resource.RLIMIT_CPU, (seconds, seconds + 1))
        except (OSError, ValueError):
            return False
        return True

    def _look(self) -> MemoryUse | None:
        """Once, for good."""
        if self.closed or not system.LINUX:
            return None
        try:
            use = MemoryUse(self.pid, filtered=self.filtered, send=self.send)
        except OSError:
            return None
        if not self.has_ended():
            return use
        use.close()  # the number may have been someone else's already
        return None

    # --- the zygote's side of the kernel ---

    def started(self, pid: int, pidfd: int, end_programs: Callable[[int], None]) -> None:
        """The zygote has forked it, and ends its programs when it is asked to."""
        self.pid, self.pidfd, self._end_programs = pid, pidfd, end_programs
        self._clock = system.clock_of(pid) if system.LINUX else None

    def ended(self, status: ExitStatus) -> None:
        """The zygote has reaped it, or is dead itself."""
        if not self._exit.done():
            self._exit.set_result(status)

    def close(self) -> None:
        """Kill it if it lives, close every file, remove its folder. Idempotent."""
        if self.closed:
            return
        self.kill()
        self.closed = True
        if self.pidfd >= 0:  # whatever the zygote said of it: it may have been told that by a guest
            system.send_signal(self.pid, self.pidfd, signal.SIGKILL)
        if self.after is not None or not self.filtered or self.connected:
            self._tidy_when_ended()
        self.control.close()
        self._guest_end.close()
        self.heartbeat.close()
        self._close_files()
        self._on_close(self)

    def _tidy_when_ended(self) -> None:
        """Now, mostly. What keeps it from ending ends at some time."""
        if self._certainly_ended():
            self._tidy()
        elif self.pidfd >= 0 and not self._exit.get_loop().is_closed():
            held = os.dup(self.pidfd)
            self._exit.get_loop().add_reader(held, self._tidy_at_last, held)

    def _tidy_at_last(self, held: int) -> None:
        self._exit.get_loop().remove_reader(held)
        os.close(held)
        self._tidy()

    def _tidy(self) -> None:
        """What is to be done when it can do nothing any more."""
        if self.after is not None:
            self.after()
        if self._use is not None:
            self._use.leave_nothing()
        self._meter.end(self._meter.connections.reset)

    def _close_files(self) -> None:
        self._meter.end()
        if self._use is not None:
            self._use.close()
        fds = (self.stdout_fd, self.stderr_fd, self.pidfd)
        self.stdout_fd = self.stderr_fd = self.pidfd = -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)
