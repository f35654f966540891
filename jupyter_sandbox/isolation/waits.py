"""Which threads may be waiting for a lock of one kind right now: seen from outside, a thread only waits."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Waits:
    """For one kind of lock.

    >>> waits = Waits()
    >>> waits.during(lambda: _thread.get_native_id() in waits), _thread.get_native_id() in waits
    (True, False)
    """

    def __init__(self) -> None:
        self._threads: set[int] = set()

    def during(self, call: Callable[..., T], *words: object) -> T:
        """What the call gives, which may wait for such a lock."""
        thread = _thread.get_native_id()
        if thread in self._threads:
            return call(*words)
        self._threads.add(thread)
        try:
            return call(*words)
        finally:
            self._threads.discard(thread)

    def __contains__(self, thread: int) -> bool:
        """Whether that thread is in one; by its number for Linux."""
        return thread in self._threads
