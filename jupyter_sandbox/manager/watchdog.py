"""The watchdog: reads memory and heartbeat of all guests together, every 100 ms while there is one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from .unit import Unit

POLL_S = 0.1
DISK_EVERY = 3
"""Readings between two looks into the folders: in that time not much can be written."""
ANNOUNCE_EVERY = 10
"""Readings between two announcements of memory: one a second, as analytics samples."""
_LOG = logging.getLogger("jupyter_sandbox")


class Watchdog:
    """Polls ``units()`` on the running loop until ``close``."""

    def __init__(self, units: Callable[[], Iterable[Unit]]) -> None:
        self._units = units
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        self._told: dict[int, int] = {}

    def wake(self) -> None:
        """There may be a guest to watch."""
        if self._timer is None:
            self._timer = self._loop.call_later(POLL_S, self._poll)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _poll(self) -> None:
        self._timer = None
        self._count += 1
        now_ns = time.monotonic_ns()
        watched = [unit for unit in self._units() if unit.guest is not None or unit.building]
        for unit in watched:
            try:
                self._look(unit, now_ns)
            except Exception:  # a fault in one must not leave the others unwatched
                _LOG.exception("watching sandbox %r failed", unit.name)
        if watched:
            self.wake()

    def _look(self, unit: Unit, now_ns: int) -> None:
        unit.watch(now_ns, holdings=self._count % DISK_EVERY == 0)
        if self._count % ANNOUNCE_EVERY == 0:
            self._announce(unit)

    def _announce(self, unit: Unit) -> None:
        # A value that moves by less than a page table's worth is no news.
        memory = unit.memory // 100_000
        if self._told.get(unit.life.id) != memory:
            self._told[unit.life.id] = memory
            unit.announce()
