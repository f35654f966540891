"""Threads for what Linux may keep waiting for a sandbox's sake.

Whoever lists a folder, reads memory maps or reads a pipe takes a lock that the
guest's threads take as well, and hundreds of them can queue there for seconds.
The manager's own thread never does: it sends somebody, and whoever is kept for
too long by a guest is let go by its end.
"""

from __future__ import annotations

import _thread
import asyncio
import logging
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from ..isolation import brief

T = TypeVar("T")
MOST = 250
"""Threads: each guest can keep four. Where more are kept, others wait until those guests have been ended."""
FORGOTTEN_S = 60.0
"""After which a thread looks whether its loop is still there."""
KEPT = 30
"""Looks in which Linux kept somebody, of one errand: at ten a second, three seconds in all. That others keep a drive
busy is no fault of the guest's."""
_LOG = logging.getLogger("jupyter_sandbox")


class Errand(Generic[T]):
    """One of them: ``act`` is done by a thread of its own, ``done`` gets the result on the loop; None, if it failed."""

    def __init__(self, act: Callable[[], T], done: Callable[[T | None], None]) -> None:
        self._act, self._done = act, done
        self._thread = 0
        self._over = threading.Event()
        self._result: T | None = None
        self._delivered = False
        self._kept = 0

    def run(self) -> None:
        """On the thread that was sent."""
        self._thread = threading.get_native_id()
        try:
            self._result = self._act()
        except Exception:  # what comes of it is missing, and nothing else
            _LOG.exception("looking at a sandbox failed")
        self._thread = 0
        self._over.set()

    def deliver(self) -> None:
        """On the loop, when it is over; once."""
        if not self._delivered:
            self._delivered = True
            self._done(self._result)

    def await_it(self, within_s: float) -> bool:
        """Have it delivered now, if it is over in time: for who cannot wait otherwise, and knows that it soon is."""
        if self._over.wait(within_s):
            self.deliver()
        return self._delivered

    def look(self) -> bool:
        """Whether Linux has kept it for too long. Call ten times a second."""
        if self._thread and _is_kept(self._thread):
            self._kept += 1
        return self._kept >= KEPT


def _is_kept(thread: int) -> bool:
    """By a lock or a drive; who waits for Python's lock sleeps otherwise."""
    return brief.state(f"/proc/self/task/{thread}") == b"D"


class Errands:
    """The threads of one loop: one for good, others while those before are kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._queue: SimpleQueue[Errand[Any] | None] = SimpleQueue()  # whoever sends waits for no lock either
        self._threads: set[object] = set()
        self._busy: set[object] = set()
        self._begin()

    def send(self, errand: Errand[Any]) -> None:
        """Have it done soon; at once and here where no thread can be had."""
        self._queue.put(errand)
        if len(self._threads) - len(self._busy) < self._queue.qsize() and len(self._threads) < MOST:
            self._begin()
        if not self._threads:
            self._do(self._queue.get())

    def _begin(self) -> None:
        thread = object()
        self._threads.add(thread)
        try:
            _thread.start_new_thread(self._serve, (thread, len(self._threads) == 1))
        except (RuntimeError, MemoryError):
            self._threads.discard(thread)

    def _serve(self, thread: object, for_good: bool) -> None:
        while True:
            try:
                errand = self._queue.get(for_good, FORGOTTEN_S)
            except Empty:
                if for_good and not self._forgotten:
                    continue
                self._threads.discard(thread)  # from here on nobody counts on it
                if self._queue.empty():
                    return
                self._threads.add(thread)
                continue
            if errand is None:
                self._threads.discard(thread)
                return
            self._busy.add(thread)
            self._do(errand)
            del errand  # else it would be kept until the next one comes
            self._busy.discard(thread)

    @property
    def _forgotten(self) -> bool:
        loop = self._loop()
        return loop is None or loop.is_closed()

    def _do(self, errand: Errand[Any] | None) -> None:
        loop = self._loop()
        if errand is None or loop is None:
            return
        errand.run()
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(errand.deliver)

    def close(self) -> None:
        """Its threads end, when nobody keeps them."""
        for _ in range(len(self._threads)):
            self._queue.put(None)


_ALL: WeakKeyDictionary[asyncio.AbstractEventLoop, Errands] = WeakKeyDictionary()


def errands_of(loop: asyncio.AbstractEventLoop) -> Errands:
    """Those of a loop; the same for all who ask."""
    if loop not in _ALL:
        _ALL[loop] = Errands(loop)
    return _ALL[loop]


class GuestErrands:
    """Those for the sake of one guest."""

    def __init__(self, errands: Errands) -> None:
        self._errands = errands
        self._open: set[Errand[Any]] = set()

    def send(self, act: Callable[[], T], done: Callable[[T | None], None]) -> Errand[T]:
        """Have it done elsewhere; ``done`` gets the result, None if it failed."""

        def over(result: T | None) -> None:
            self._open.discard(errand)
            done(result)

        errand = Errand(act, over)
        self._open.add(errand)
        self._errands.send(errand)
        return errand

    def kept(self) -> bool:
        """Whether one of them has been kept for too long by Linux. Call ten times a second."""
        return sum(errand.look() for errand in self._open) > 0
