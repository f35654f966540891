"""A thread for something that may take long and that nobody has to wait for, not even Python's exit.

Not ``threading``, whose start waits until the new thread has run: in a notebook of many busy threads that keeps the
loop for a tenth of a second. But a thread that Linux gives is none yet: where Python has no memory for it, it ends
before it has begun, and nobody is told. So whoever waits for one looks now and then whether it still is there.
"""

from __future__ import annotations

import _thread
import asyncio
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar, cast

from ..model.errors import LaunchFailed

T = TypeVar("T")
LOOK_S = 0.5
_PAUSE_S = 0.02


class Fetch(Protocol):
    """Who gets the result of a blocking function: ``in_thread``, or somebody who is watched meanwhile."""

    def __call__(self, act: Callable[[], T], /) -> Awaitable[T]: ...


def started(run: Callable[[], None]) -> Callable[[], bool]:
    """Begin a thread that does ``run``; the answer says whether it still is at it, or will.

    Raises RuntimeError or MemoryError where there is none to be had.
    """
    # Held by its thread alone, which lets go when it ends, also before it has begun. Not ``run`` itself: an error that
    # breaks out of it, for want of memory to tell of another one, can hold that for ever.
    begun = partial(run)
    held = weakref.ref(begun)
    _thread.start_new_thread(begun, ())
    return lambda: held() is not None


def told(loop: asyncio.AbstractEventLoop, act: Callable[[], object]) -> None:
    """Have the loop do something soon, from another thread; as soon as there is memory for that."""
    while True:
        try:
            loop.call_soon_threadsafe(act)
        except MemoryError:
            time.sleep(_PAUSE_S)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            return
        else:
            return


def begun_aside(act: Callable[[], object]) -> threading.Event | None:
    """Have it done; set when it is over. None where no thread is to be had, and then nothing is done."""
    over = threading.Event()

    def run() -> None:
        try:
            act()
        finally:
            over.set()

    try:
        _thread.start_new_thread(run, ())
    except (RuntimeError, MemoryError):
        return None
    return over


async def in_thread(act: Callable[[], T]) -> T:
    """The result of a blocking function, run on a thread of its own that nobody waits for.

    Not asyncio's executor: Python waits for that one's threads when it exits, and
    a kernel must be able to exit while a git server does not answer. Nor
    ``threading``, whose start waits until the new thread has run: in a notebook of
    many busy threads that keeps the loop for a tenth of a second.

    Raises what the function raises, and LaunchFailed when there is no thread to be had.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    result: T | None = None
    error: BaseException | None = None

    def settle() -> None:
        nonlocal error
        if not outcome.done():
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(cast("T", result))
        error = None  # which holds this thread's frames, and they hold it

    def run() -> None:
        nonlocal result, error
        try:
            result = act()
        except BaseException as caught:  # delivered to whoever awaits it
            error = caught
        told(loop, settle)  # made before: there may be no memory for anything

    def never_told() -> None:
        nonlocal error
        error = error or no_thread(MemoryError())
        settle()

    try:
        is_there = started(run)
    except (RuntimeError, MemoryError) as failed:
        raise no_thread(failed) from None
    watch = _Watch(loop, is_there, never_told)
    try:
        return await outcome
    finally:
        watch.end()


class _Watch:
    """Calls ``gone`` when a thread is not there any more, after all that it told the loop before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, is_there: Callable[[], bool], gone: Callable[[], None]) -> None:
        self._loop, self._is_there, self._gone = loop, is_there, gone
        self._next = loop.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        try:
            if self._is_there():
                self._next = self._loop.call_later(LOOK_S, self._look)
            else:
                self._loop.call_soon(self._gone)
        except MemoryError:  # nor to look again: whoever waits is not to wait for ever
            self._gone()

    def end(self) -> None:
        self._next.cancel()


async def fetched(fetch: Fetch, act: Callable[[], T], undo: Callable[[T], object]) -> T:
    """The result of ``act``. Where nobody waits for it any more, it is undone when it is there."""
    getting = asyncio.ensure_future(fetch(act))
    try:
        return await asyncio.shield(getting)
    except asyncio.CancelledError:
        getting.add_done_callback(lambda done: None if done.cancelled() or done.exception() else undo(done.result()))
        raise


async def done_aside(act: Callable[[], object]) -> None:
    """Wait until it was done; here and now where no thread is to be had. It raises nothing of its own."""
    try:
        await in_thread(act)
    except LaunchFailed:
        act()


def no_thread(error: Exception) -> LaunchFailed:
    """What to raise for whoever needs one."""
    return LaunchFailed(
        f"the kernel gets no other thread from the operating system ({str(error) or type(error).__name__}): end some "
        "of its threads, give it more memory or let more be had (ulimit -u), then try again"
    )
