"""What this machine takes for the hand-overs alone: the same threads and OS processes, with nothing to do in them.

On a virtual machine whose processors sleep, waking one can take longer than the work it is woken for. These figures
stand beside ours, measured in the same run.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

PAGES: Final = 1_000
_PAGE: Final = 4_096


class Bare:
    """A thread with an event loop, and an OS process that sends back what it gets."""

    def __init__(self) -> None:
        self._memory = bytearray(b"x" * (PAGES * _PAGE))
        self._places = random.Random(0).sample(range(0, len(self._memory), _PAGE), PAGES)
        self._ours, theirs = socket.socketpair()
        self._echo = os.fork()
        if not self._echo:
            self._ours.close()
            while said := theirs.recv(1024):
                theirs.send(said)
            os._exit(0)
        theirs.close()
        self._ours.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def answer(self) -> float:
        """Milliseconds for what ``create`` and one request pass through: a thread and back, then to the OS process."""
        began = time.perf_counter()
        self._wait(lambda over: over())
        self._wait(self._ask)
        return (time.perf_counter() - began) * 1000

    def rested(self) -> float:
        """Milliseconds to look at each of 1,000 pages of memory that were not used for a while, beyond what it takes
        to look at them once more: next to nothing, but on a virtual machine whose host has to find them again."""
        return (self._look() - self._look()) * 1000

    def _look(self) -> float:
        memory = self._memory
        began = time.perf_counter()
        for place in self._places:
            memory[place]
        return time.perf_counter() - began

    def _wait(self, act: Callable[[Callable[[], None]], None]) -> None:
        over = threading.Lock()
        over.acquire()
        self._loop.call_soon_threadsafe(act, over.release)
        over.acquire()

    def _ask(self, over: Callable[[], None]) -> None:
        self._loop.add_reader(self._ours, self._answered, over)
        self._ours.send(b"x" * 300)

    def _answered(self, over: Callable[[], None]) -> None:
        self._loop.remove_reader(self._ours)
        self._ours.recv(1024)
        over()

    def waking(self, seconds: float, every_s: float) -> float:
        """The part of a core in percent that the thread takes for waking up again and again."""

        def tick() -> None:
            self._timer = self._loop.call_later(every_s, tick)

        self._wait(lambda over: (tick(), over()))
        before, began = self._spent(), time.perf_counter()
        time.sleep(seconds)
        share = 100 * (self._spent() - before) / (time.perf_counter() - began)
        self._wait(lambda over: (self._timer.cancel(), over()))
        return share

    def _spent(self) -> float:
        found: list[float] = []
        self._wait(lambda over: (found.append(time.thread_time()), over()))
        return found[0]

    def close(self) -> None:
        """End both."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._ours.close()
        os.waitpid(self._echo, 0)
