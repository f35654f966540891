"""Threads for what Linux may keep waiting for a sandbox's sake.

Whoever lists a folder, reads memory maps or reads a pipe takes a lock that the
guest's threads take as well, and hundreds of them can queue there for seconds.
The manager's own thread never does: it sends somebody, and whoever is kept for
too long by a guest is let go by its end. A thread that ended for want of memory,
or never began, is replaced.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from ..isolation import brief, long_list
from ..isolation.aside import LOOK_S, started, told

T = TypeVar("T")
MOST = 250
"""Threads: each guest can keep four. Where more are kept, others wait until those guests have been ended."""
FORGOTTEN_S = 60.0
"""After which a thread looks whether its loop is still there."""
KEPT = 30
"""Looks in which Linux kept somebody, of one errand: at ten a second, three seconds in all. That others keep a drive
busy is no fault of the guest's."""
KEPT_BY_STARTS = 100
"""The same where a program starts meanwhile: many that start at once on a busy machine take some of these seconds."""
KEPT_BY_SOMEBODY = 10
"""The same where Linux answers from memory: nothing but a queue takes a second there."""
_LOG = logging.getLogger("jupyter_sandbox")


class Worker:
    """A thread, made by itself: it opens what tells whether it waits, and looking for that can take a while."""

    def __init__(self) -> None:
        self.number = threading.get_native_id()
        self._stat: list[int] = []
        with suppress(OSError):
            self._stat.append(brief.opened(f"/proc/self/task/{self.number}/stat"))

    def is_kept(self) -> bool:
        """By a lock or a drive; who waits for Python's lock sleeps otherwise."""
        try:
            return brief.state_in(brief.read_at_start(self._stat[0], 512)) == b"D"
        except (OSError, IndexError):
            return False

    def close(self) -> None:
        """When nobody asks any more. Idempotent, and from any thread."""
        with suppress(IndexError):
            os.close(self._stat.pop())


class Errand(Generic[T]):
    """One of them: ``act`` is done by a thread of its own, ``done`` gets the result on the loop; None, if it failed."""

    def __init__(self, act: Callable[[], T], done: Callable[[T | None], None]) -> None:
        self._act, self._done = act, done
        self._thread: Worker | None = None
        self._over = threading.Event()
        self._result: T | None = None
        self._delivered = False
        self._kept = self._kept_by_starts = self._kept_by_somebody = 0

    def run(self, thread: Worker | None) -> None:
        """On the thread that was sent; None, where nobody could be."""
        self._thread = thread
        try:
            self._result = self._act()
        except MemoryError:  # what comes of it is missing, and nothing else
            pass
        except Exception:
            _LOG.exception("looking at a sandbox failed")
        self._thread = None
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

    def look(self) -> None:
        """See whether Linux keeps it, by what the guest alone can make others wait for, or by what anybody can."""
        thread = self._thread  # which may be done at any moment
        if thread is not None and thread.is_kept():
            if thread.number in brief.AMONG_ALL:
                self._kept_by_somebody += 1
            elif thread.number in long_list.FOR_A_START:
                self._kept_by_starts += 1
            else:
                self._kept += 1

    @property
    def kept_by_guest(self) -> bool:
        """Whether it was for too long."""
        return self._kept >= KEPT or self._kept_by_starts >= KEPT_BY_STARTS

    @property
    def kept_by_somebody(self) -> bool:
        """Likewise."""
        return self._kept_by_somebody >= KEPT_BY_SOMEBODY


class Errands:
    """The threads of one loop: one for good, others while those before are kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._queue: SimpleQueue[Errand[Any] | None] = SimpleQueue()  # whoever sends waits for no lock either
        self._open: set[Errand[Any]] = set()
        self._threads: set[object] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._there: dict[object, Callable[[], bool]] = {}
        """Of each thread whether it still is."""
        self._doing: dict[object, Errand[Any] | None] = {}
        """And what it is at: who waits for that is to hear when it ended without a word, as for want of memory."""
        self._busy: set[object] = set()
        self._workers: set[Worker] = set()
        self._closed = False
        self._begin()

    def send(self, errand: Errand[Any]) -> None:
        """Have it done soon; at once and here where no thread can be had."""
        self._open.add(errand)
        self._queue.put(errand)
        self._see_to_it()
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        """Who was counted on may have ended, before it had begun or before it could tell."""
        self._looking = None
        if self._open:
            self._see_to_it()
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _see_to_it(self) -> None:
        """There is somebody for whatever waits."""
        self._miss_who_ended()
        if len(self._threads) - len(self._busy) < self._queue.qsize() and len(self._threads) < MOST:
            self._begin()
        if not self._threads and not self._queue.empty():
            self._do(self._queue.get(), None)

    def _miss_who_ended(self) -> None:
        """Without a word, that is: nobody is to count on it."""
        for thread in [thread for thread, is_there in self._there.items() if not is_there()]:
            del self._there[thread]
            self._threads.discard(thread)
            self._busy.discard(thread)
            if (lost := self._doing.pop(thread, None)) is not None:
                told(asyncio.get_running_loop(), partial(self._deliver, lost))

    def _begin(self) -> None:
        thread = object()
        self._threads.add(thread)
        self._doing[thread] = None
        try:
            self._there[thread] = started(partial(self._serve, thread, len(self._threads) == 1))
        except (RuntimeError, MemoryError):
            self._threads.discard(thread)
            del self._doing[thread]

    def _serve(self, thread: object, for_good: bool) -> None:
        self._busy.add(thread)  # looking for itself can take a while
        worker = Worker()
        self._workers.add(worker)
        if self._closed:
            worker.close()
        self._busy.discard(thread)
        self._go_on(thread, worker, for_good)
        self._workers.discard(worker)
        worker.close()

    def _go_on(self, thread: object, worker: Worker, for_good: bool) -> None:
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
            self._doing[thread] = errand
            self._busy.add(thread)
            self._do(errand, worker)
            self._doing[thread] = None
            del errand  # else it would be kept until the next one comes
            self._busy.discard(thread)

    @property
    def _forgotten(self) -> bool:
        loop = self._loop()
        return loop is None or loop.is_closed()

    def _do(self, errand: Errand[Any] | None, worker: Worker | None) -> None:
        loop = self._loop()
        if errand is None or loop is None:
            return
        errand.run(worker)
        told(loop, partial(self._deliver, errand))

    def _deliver(self, errand: Errand[Any]) -> None:
        self._open.discard(errand)
        errand.deliver()

    def look(self) -> bool:
        """Whether somebody keeps one of those that were sent for too long, and it is not known who. Call ten times a
        second."""
        for errand in self._open:
            errand.look()
        return any(errand.kept_by_somebody for errand in self._open)

    def close(self) -> None:
        """Its threads end, when nobody keeps them."""
        self._closed = True
        for worker in tuple(self._workers):
            worker.close()
        for _ in range(len(self._threads)):
            self._queue.put(None)


_ALL: WeakKeyDictionary[asyncio.AbstractEventLoop, Errands] = WeakKeyDictionary()


def errands_of(loop: asyncio.AbstractEventLoop) -> Errands:
    """Those of a loop; the same for all who ask."""
    if loop not in _ALL:
        _ALL[loop] = Errands(loop)
    return _ALL[loop]


def kept_by_somebody(loop: asyncio.AbstractEventLoop) -> bool:
    """See ``Errands.look``."""
    return loop in _ALL and _ALL[loop].look()


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

    async def fetch(self, act: Callable[[], T]) -> T:
        """What ``act`` gives, done elsewhere. Raises what it raises."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        error: Exception | None = MemoryError()  # until it was done: whoever is sent may end without a word

        def tried() -> T | None:
            nonlocal error
            try:
                result = act()
            except Exception as caught:  # raised where it is waited for
                error = caught
                return None
            error = None
            return result

        def over(result: T | None) -> None:
            if outcome.done():
                return
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(cast("T", result))

        self.send(tried, over)
        return await outcome

    def kept(self) -> bool:
        """Whether one of them has been kept for too long, by what nobody but the guest makes others wait for."""
        return any(errand.kept_by_guest for errand in self._open)
