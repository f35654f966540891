"""A thread for something that may take long and that nobody has to wait for, not even Python's exit.

Not ``threading``, whose start waits until the new thread has run: in a notebook of many busy threads that keeps the
loop for a tenth of a second.
"""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


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


async def done_aside(act: Callable[[], object]) -> None:
    """Wait until it was done; here and now where no thread is to be had."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not over.done():
            over.set_result(None)

    def run() -> None:
        try:
            act()
        finally:
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(settle)

    if begun_aside(run) is None:
        act()
    else:
        await over
