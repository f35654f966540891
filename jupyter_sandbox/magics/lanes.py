"""Background work in order per sandbox: one lane each, so that a slow sandbox never delays another.

A lane is a thread that exists only while it has something to do. Nobody waits for it to begin: the thread of all
sandboxes submits, too, and where Python has no memory for a new thread, that one ends before it has begun.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ..isolation.aside import started
from ..model.errors import SandboxBusy

Work = Callable[[], object]


class Lanes:
    """``submit`` never blocks; work of one key runs in the order of submission."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Work]] = {}
        self._is_there: dict[str, Callable[[], bool]] = {}
        """Whether the thread of a lane still is at it, or will be."""
        self._closed = False

    def submit(self, key: str, work: Work, most: int | None = None) -> None:
        """Do ``work`` soon; dropped after ``close``.

        Raises SandboxBusy when ``most`` wait already, or no thread can be had for it: then it is not done, and the lane
        works on later.
        """
        with self._lock:
            if self._closed:
                return
            self._begin_again()
            queue = self._queues.get(key)
            if queue is not None:
                if most is not None and len(queue) >= most:
                    raise SandboxBusy(f"{most} requests wait already; see what is done: %sandbox list")
                queue.append(work)
                return
            queue = self._queues[key] = deque([work])
            try:  # under the lock: nobody else may count on this lane before it is one
                self._begin(key, queue)
            except BaseException as error:
                del self._queues[key]
                if isinstance(error, (RuntimeError, MemoryError)):
                    raise SandboxBusy(f"no thread can be had for it ({error}); end some, then try again") from None
                queue.clear()  # we were interrupted, and it may have started all the same
                raise

    def close(self) -> None:
        """Drop what has not begun; idempotent."""
        with self._lock:
            self._closed = True
            for queue in self._queues.values():
                queue.clear()

    def _begin(self, key: str, queue: deque[Work]) -> None:
        self._is_there[key] = started(partial(self._drain, key, queue))

    def _begin_again(self) -> None:
        """Lanes whose thread ended before it had begun have all their work still to do."""
        for key, queue in self._queues.items():
            if not self._is_there[key]():
                with suppress(RuntimeError, MemoryError):
                    self._begin(key, queue)

    def _drain(self, key: str, queue: deque[Work]) -> None:
        while True:
            with self._lock:
                if not queue:
                    if self._queues.get(key) is queue:
                        del self._queues[key], self._is_there[key]
                    return
                work = queue.popleft()
            try:
                work()
            except BaseException as error:  # what leaves a thread ends it; here others wait for their turn in it
                self._on_error(error)
