"""The watchdog: reads memory and heartbeat of all guests in a round, every 100 ms while there is one.

What a reading means is decided in ``watch``; here it is taken, and its consequences carried out. A round that takes
long is cut: whoever else wants the manager's thread has it in between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol
from weakref import WeakKeyDictionary

from ..model.sandbox import SandboxStatus
from .errands import kept_by_somebody
from .handle import GuestHandle
from .life import DiskOver, GivenUp, HandlerOver, LifeEvent, MemoryOver
from .stacks import hangs_beside, stack_in
from .state import stuck
from .unit import Unit
from .watch import Reading, disk_text, judge
from .whose_queue import WhoseQueue

POLL_S = 0.1
DISK_EVERY = 3
"""Rounds between two looks into the folder of one sandbox: in that time not much can be written. Each round has some
of them."""
SLICE_NS = 15_000_000
"""After so long others have the thread: one look at a sandbox that makes it costly takes some ten milliseconds."""
ANNOUNCE_EVERY = 10
"""Readings between two announcements of memory: one a second, as analytics samples."""
_LOG = logging.getLogger("jupyter_sandbox")


class Look(Protocol):
    """One reading of a sandbox's guests and its consequences; ``holdings``: of their files too, which costs more."""

    def __call__(self, unit: Unit, now_ns: int, *, holdings: bool = False) -> None: ...


class Watchdog:
    """Polls ``units()`` on the running loop until ``close``. ``look_at`` takes one reading of one of them."""

    def __init__(
        self, units: Callable[[], Iterable[Unit]], *, look_at: Look | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:  # fmt: skip
        self._units, self._look_at, self._clock_ns = units, look_at or look, clock_ns
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        self._round: Iterator[Unit] = iter(())
        """Who is still to be looked at in this one."""
        self._began_ns = 0
        self._looking = self._again = False
        self._stirred: set[Unit] = set()
        """Who was not at rest since the last announcement."""
        self._whose_queue = WhoseQueue()
        self._told: WeakKeyDictionary[Unit, int] = WeakKeyDictionary()

    def wake(self) -> None:
        """There may be a guest to watch."""
        self._again = True
        if self._timer is None and not self._looking:
            self._timer = self._loop.call_later(POLL_S, self._poll)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _poll(self) -> None:
        self._count += 1
        self._again, self._began_ns = False, self._clock_ns()
        units = tuple(self._units())
        self._round = iter(units)
        if kept_by_somebody(self._loop):
            self._whose_queue.blame(guests_of(units), self._began_ns)
        self._go_on()

    def _go_on(self) -> None:
        """Look at those that are left, or at some of them and at the others after a pause."""
        self._timer, self._looking = None, True
        now_ns = self._clock_ns()
        over = self._look_at_some(now_ns)
        if over and self._count % ANNOUNCE_EVERY == 0:
            self._announce()
        self._looking = False
        ended_ns = self._clock_ns()
        took_s, since_s = (ended_ns - now_ns) / 1e9, (ended_ns - self._began_ns) / 1e9
        if not over:
            self._timer = self._loop.call_later(took_s, self._go_on)
        elif self._again:
            self._timer = self._loop.call_later(pause_s(took_s, since_s), self._poll)

    def _look_at_some(self, now_ns: int) -> bool:
        """Whether that were all."""
        for unit in self._round:
            # Nearly all rest nearly always: what is done for those is what watching costs.
            if unit.rests(now_ns):
                self._again = True
            elif unit.guest is not None or unit.building:
                self._again = True
                self._stirred.add(unit)
                self._look(unit)
                if self._clock_ns() - now_ns >= SLICE_NS:
                    return False
        return True

    def _look(self, unit: Unit) -> None:
        now_ns = self._clock_ns()
        try:
            self._look_at(unit, now_ns, holdings=(self._count + unit.life.id) % DISK_EVERY == 0)
            guest = unit.guest
            unit.rest = guest.lookout.rest(now_ns, unit.limits) if guest is not None and not unit.building else None
        except Exception:  # a fault in one must not leave the others unwatched
            _LOG.exception("watching sandbox %r failed", unit.name)

    def _announce(self) -> None:
        """Tell the memory of those that have been looked at, when it moved by more than a page table's worth."""
        stirred, self._stirred = self._stirred, set()
        for unit in stirred:
            memory = unit.memory // 100_000
            if self._told.get(unit) != memory:
                self._told[unit] = memory
                unit.announce()


def guests_of(units: Iterable[Unit]) -> list[GuestHandle]:
    """All of them, those that are not a sandbox's yet, too."""
    return [guest for unit in units for guest in (unit.guest, *unit.building) if guest is not None]


def pause_s(took_s: float, since_s: float) -> float:
    """Until the next round, after one that began so long ago and in the end took so long without a pause: at most half
    of the thread's time is spent on watching.

    Where many threads of the notebook compute, each waits for its turn, and so do the questions of all sandboxes.

    >>> round(pause_s(0.001, 0.001), 3), round(pause_s(0.07, 0.07), 3), round(pause_s(0.02, 0.5), 3)
    (0.099, 0.07, 0.02)
    """
    return max(POLL_S - since_s, took_s)


def look(unit: Unit, now_ns: int, *, holdings: bool = False) -> None:
    """One reading of a sandbox's guests and its consequences; ``holdings``: of their files too, which costs more."""
    for one in list(unit.building):
        _look_at_building(unit, one, now_ns, holdings)
    guest = unit.guest
    if guest is None:
        return
    seen = guest.lookout
    seen.see_errands()
    if holdings:
        seen.look_at_holdings()
        unit.see_processor_time(guest)  # which threads use too while no callback runs and nothing else changes
    if seen.unchanged(now_ns, unit.limits):
        return
    reading = seen.reading(now_ns)
    unit.memory = reading.memory
    unit.analytics.memory(max(reading.memory, min(reading.most, unit.limits.max_memory)))
    _remember(unit, guest, reading)
    timed = seen.timed(ended=unit.life.status in (SandboxStatus.STOPPED, SandboxStatus.CRASHED))
    limited = guest.protection is not None and guest.protection.has("rlimits")
    before = seen.watched
    seen.watched, events = judge(before, reading, unit.limits, guest.generation, timed=timed, limited=limited)
    if seen.watched.stuck_ns not in (0, before.stuck_ns):
        guest.ask_for_dump()
    seen.judged = reading.memory, reading.held, unit.limits
    for event in events:
        unit.dispatch(_with_dump(guest, event))


def _remember(unit: Unit, guest: GuestHandle, reading: Reading) -> None:
    """The peaks of what was read; most readings find what the one before has found."""
    held, judged = reading.held, guest.lookout.judged
    if judged is None or held is not judged[1]:
        unit.analytics.rose(disk=held.disk, files=held.files, open_files=held.open_files, threads=held.threads)
    if reading.callback_ns and not reading.importing:
        unit.analytics.rose(callback_ms=reading.callback_ms)
    unit.see_peaks(guest)


def _look_at_building(unit: Unit, guest: GuestHandle, now_ns: int, holdings: bool) -> None:
    """A guest that tries or starts code has a deadline of whoever waits for it; what it takes is limited here."""
    seen = guest.lookout
    seen.see_errands()
    if holdings:
        seen.look_at_holdings()
    watched, events = judge(seen.watched, seen.reading(now_ns), unit.limits, guest.generation, timed=False)
    if seen.imports:
        seen.watched = watched
    for event in events:
        if isinstance(event, HandlerOver) and seen.imports:
            _break_import(unit, guest, _with_dump(guest, event))
        elif isinstance(event, DiskOver):
            unit.discard(guest, f"it {disk_text(event.used, event.files, event.unseen)}")
        elif isinstance(event, MemoryOver) and event.kill:
            unit.discard(guest, f"it used {event.used / 1e6:.0f} MB; max_memory is {event.limit / 1e6:.0f} MB")
        elif isinstance(event, GivenUp):
            unit.discard(guest, event.reason)


def _break_import(unit: Unit, guest: GuestHandle, event: LifeEvent) -> None:
    """The top level of a module that does not end: interrupted, or ended with the line where it is."""
    if not isinstance(event, HandlerOver):
        return
    if not event.last:
        guest.process.interrupt()
        return
    stack = stack_in(event.dump, beside=event.deaf)
    where = f"; it hangs at {stack[0]}" if stack else ""
    text = f"{stuck(event)} ran longer than {event.budget_ms} ms and could not be interrupted{where}"
    unit.discard(guest, f"hang: {text}")


def _with_dump(guest: GuestHandle, event: LifeEvent) -> LifeEvent:
    """With the dump that was asked for when it was found stuck. Asks for another one when the first interrupt did not
    help, so that it is there when the guest is killed."""
    if not isinstance(event, HandlerOver):
        return event
    if event.last:
        dump = guest.dump()
        beside = guest.lookout.waits and not event.stopped and hangs_beside(dump, waits=event.waits)
        return replace(event, dump=dump, deaf=event.deaf or beside, waits=False)
    if event.attempt == 1:
        return replace(event, dump=guest.dump())
    guest.ask_for_dump()
    return event
