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
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..runtime import OutsideDone, OutsideWork

_THREADS = 4
"""Few: every thread costs address space, and the work is waiting, not computing."""


class Outside:
    """Runs OutsideWork; finished results are taken with ``take``. ``wake`` is called from other threads."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._done: deque[OutsideDone] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.pending = 0

    def start(self, work: OutsideWork) -> None:
        """Begin one piece of work."""
        self.pending += 1
        if inspect.isawaitable(work.work):
            future = asyncio.run_coroutine_threadsafe(_await(work.work), self._running_loop())
        elif callable(work.work):
            future = self._running_pool().submit(work.work)
        else:
            error = TypeError(f"outside takes a callable or an awaitable, not {type(work.work).__name__}")
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
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _finish(self, done: OutsideDone) -> None:
        self._done.append(done)
        self._wake()

    def _running_pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "outside")
        return self._pool

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_serve, args=(self._loop,), name="outside-loop", daemon=True)
            self._thread.start()
        return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()


async def _await(work: Awaitable[Any]) -> Any:
    return await work


def _result(number: int, done: Future[Any]) -> OutsideDone:
    if done.cancelled():
        return OutsideDone(number, False, RuntimeError("the work was cancelled"))
    error = done.exception()
    return OutsideDone(number, True, done.result()) if error is None else OutsideDone(number, False, error)
