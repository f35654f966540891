"""Work that the collector of cycles is to keep out of."""

from __future__ import annotations

import _thread
import gc
from collections.abc import Iterator
from contextlib import contextmanager


class _Collector:
    """Of this OS process, which has one for all of its threads.

    Its first threshold is made nought, which has it begin nothing by itself. Whether it is switched on is left to the
    notebook, which may change that, and the threshold, while it is kept out.
    """

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._blocks = 0
        self._usual: tuple[int, ...] = gc.get_threshold()

    def keep_out(self) -> None:
        with self._lock:
            self._blocks += 1
            if gc.get_threshold()[0]:
                self._usual = gc.get_threshold()
                gc.set_threshold(0)
            elif self._blocks == 1:
                self._usual = gc.get_threshold()

    def let_in(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks and not gc.get_threshold()[0]:
                gc.set_threshold(*self._usual)


_COLLECTOR = _Collector()


@contextmanager
def uncollected() -> Iterator[None]:
    """In the block, and in all threads as long as one is in such a block, nothing is collected but by who calls for it.

    >>> usual = gc.get_threshold()
    >>> with uncollected():
    ...     gc.get_threshold()[0]
    0
    >>> gc.get_threshold() == usual
    True
    """
    _COLLECTOR.keep_out()
    try:
        yield
    finally:
        _COLLECTOR.let_in()
