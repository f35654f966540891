"""Background work in order per sandbox: one lane each, so that a slow sandbox never delays another.

A lane is a thread that exists only while it has something to do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]


class Lanes:
    """``submit`` never blocks; work of one key runs in the order of submission."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Work]] = {}
        self._closed = False

    def submit(self, key: str, work: Work) -> None:
        """Do ``work`` soon; dropped after ``close``."""
        with self._lock:
            if self._closed:
                return
            queue = self._queues.get(key)
            if queue is not None:
                queue.append(work)
                return
            self._queues[key] = deque([work])
        threading.Thread(target=self._drain, args=(key,), name=f"jupyter-sandbox-lane-{key}", daemon=True).start()

    def close(self) -> None:
        """Drop what has not begun; idempotent."""
        with self._lock:
            self._closed = True
            for queue in self._queues.values():
                queue.clear()

    def _drain(self, key: str) -> None:
        while True:
            with self._lock:
                queue = self._queues[key]
                if not queue:
                    del self._queues[key]
                    return
                work = queue.popleft()
            try:
                work()
            except Exception as error:
                self._on_error(error)
