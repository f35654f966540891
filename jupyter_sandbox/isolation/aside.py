"""A thread for something that may take long and that nobody has to wait for, not even Python's exit.

Not ``threading``, whose start waits until the new thread has run: in a notebook of many busy threads that keeps the
loop for a tenth of a second.
"""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar, cast

from ..model.errors import LaunchFailed

T = TypeVar("T")


class Fetch(Protocol):
    """Who gets the result of a blocking function: ``in_thread``, or somebody who is watched meanwhile."""

    def __call__(self, act: Callable[[], T], /) -> Awaitable[T]: ...


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

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(cast("T", result))

    def run() -> None:
        result, error = None, None
        try:
            result = act()
        except BaseException as caught:  # delivered to whoever awaits it
            error = caught
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    try:
        _thread.start_new_thread(run, ())
    except (RuntimeError, MemoryError) as error:
        raise no_thread(error) from None
    return await outcome


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
        "of its threads or give it more memory, then try again"
    )
