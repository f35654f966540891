"""What is to be done a little later, all of it by one thread.

A thread for each would have whoever sets an alarm wait until that has begun, which beside threads that compute takes a
turn of all of them; twenty sandboxes set two hundred a second. Nor is the one waited for: ``_thread`` does not.
"""

from __future__ import annotations

import _thread
import heapq
import itertools
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

IDLE_S = 2.0
"""So long without an alarm, and the thread ends until there is one again."""


@dataclass(order=True, slots=True)
class Alarm:
    """Made by ``Alarms.after``."""

    due_s: float
    number: int
    act: Callable[[], object] | None = field(compare=False)

    def cancel(self) -> None:
        """It is not done any more, unless it is being done this moment."""
        self.act = None


class Alarms:
    """Any thread may set and cancel them.

    >>> done = threading.Event()
    >>> alarms = Alarms()
    >>> _ = alarms.after(0.01, done.set)
    >>> done.wait(10)
    True
    >>> alarms.close()
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set: list[Alarm] = []
        self._numbers = itertools.count()
        self._serves = False
        self._waits_until = 0.0
        self._closed = False

    def after(self, seconds: float, act: Callable[[], object]) -> Alarm:
        """Have something done in so many seconds. Raises RuntimeError when no thread is to be had for it."""
        alarm = Alarm(time.monotonic() + seconds, next(self._numbers), act)
        with self._changed:
            if self._closed:
                return alarm
            if not self._serves:
                _thread.start_new_thread(self._serve, ())
                self._serves = True
            elif alarm.due_s < self._waits_until:
                self._changed.notify()
            heapq.heappush(self._set, alarm)
        return alarm

    def close(self) -> None:
        """Nothing is done any more. Idempotent."""
        with self._changed:
            self._closed = True
            self._set.clear()
            self._changed.notify()

    def _serve(self) -> None:
        while (act := self._next()) is not None:
            try:
                act()
            except BaseException:  # told, and the others are done all the same
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))

    def _next(self) -> Callable[[], object] | None:
        """Waits for the next that is due; None when the thread is to end."""
        with self._changed:
            idle_until = time.monotonic() + IDLE_S
            while not self._closed:
                now = time.monotonic()
                while self._set and (self._set[0].act is None or self._set[0].due_s <= now):
                    if (act := heapq.heappop(self._set).act) is not None:
                        return act
                if not self._set and now >= idle_until:
                    break
                self._waits_until = self._set[0].due_s if self._set else idle_until
                self._changed.wait(self._waits_until - now)
            self._serves = False
            return None
