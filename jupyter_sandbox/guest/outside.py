"""Work that processes have done outside the node: callables in a few threads, awaitables on one asyncio loop.

Both are made when first needed: most sandboxes never do. Results come back
through a queue and a wake-up, never into the node from another thread.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import CoroutineType, GeneratorType
from typing import Any

from ..model import anatomy
from ..runtime import OutsideDone, OutsideWork
from .outside_loop import OutsideLoop, begin
from .tracebacks import one_line

_BROKEN = "the loop of work outside was broken"
_THREADS = 4
"""Few: every thread costs address space, and the work is waiting, not computing."""


class Outside:
    """Runs OutsideWork; finished results are taken with ``take``. ``wake`` is called from other threads."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._done: deque[OutsideDone] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._loop: OutsideLoop | None = None
        self._thread: threading.Thread | None = None
        self._awaited: set[Future[Any]] = set()
        """What the loop owes."""
        self.pending = 0

    def start(self, work: OutsideWork) -> None:
        """Begin one piece of work. What cannot begin has failed: there may be no thread left for it."""
        self.pending += 1
        try:
            future = self._begun(work.work)
        except Exception as error:
            if type(work.work) is CoroutineType:
                work.work.close()  # or Python warns that nobody awaited it
            self._finish(OutsideDone(work.id, False, error))
            return
        future.add_done_callback(lambda done: self._finish(_result(work.id, done)))

    def take(self) -> list[OutsideDone]:
        """Results since last asked, in the order of their arrival."""
        taken = []
        while self._done:
            taken.append(self._done.popleft())
        self.pending -= len(taken)
        return taken

    def close(self) -> None:
        """Stop without waiting for work in progress: the OS process is about to end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._loop is not None:
            self._loop.leave()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _begun(self, work: Any) -> Future[Any]:
        if is_awaitable(work):
            loop = self._running_loop()  # first: there may be no thread for it
            future = asyncio.run_coroutine_threadsafe(_await(work), loop)
            self._awaited.add(future)
            future.add_done_callback(self._awaited.discard)
            if loop.left:  # it broke before it was known what it owes
                _fail(future, RuntimeError(_BROKEN))
            return future
        if callable(work):
            return self._running_pool().submit(work)
        raise TypeError(f"outside takes a callable or an awaitable, not {type(work).__name__}")

    def _finish(self, done: OutsideDone) -> None:
        self._done.append(done)
        self._wake()

    def _running_pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "outside")
        return self._pool

    def _running_loop(self) -> OutsideLoop:
        if self._loop is None:
            self._loop, self._thread = begin(self._broke)
        return self._loop

    def _broke(self, loop: OutsideLoop, error: BaseException) -> None:
        """The loop cannot go on: what it owes has failed, and the next work has another."""
        if self._loop is loop:
            self._loop = self._thread = None
        for future in list(self._awaited):
            _fail(future, RuntimeError(f"{_BROKEN}: {one_line(error)}"))


def is_awaitable(work: Any) -> bool:
    """By its true type: nothing that it says of itself is asked, which may raise or hang.

    >>> is_awaitable(asyncio.Future), is_awaitable(3)
    (False, False)
    """
    kind = type(work)
    if kind is GeneratorType:
        return bool(work.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)
    return kind is CoroutineType or anatomy.lookup(kind, "__await__") is not None


def _fail(future: Future[Any], error: Exception) -> None:
    with suppress(InvalidStateError):  # it is done
        future.set_exception(error)


async def _await(work: Awaitable[Any]) -> _Outcome:
    """A task that ended with SystemExit would take its loop along."""
    try:
        return _Outcome(await work)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return _Outcome(None, error)


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: Any
    error: BaseException | None = None


def _result(number: int, done: Future[Any]) -> OutsideDone:
    if done.cancelled():
        return OutsideDone(number, False, RuntimeError("the work was cancelled"))
    error = done.exception()
    if error is not None:
        return OutsideDone(number, False, error)
    found = done.result()
    if type(found) is not _Outcome:
        return OutsideDone(number, True, found)
    return OutsideDone(number, True, found.value) if found.error is None else OutsideDone(number, False, found.error)
