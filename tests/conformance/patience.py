"""A time limit on one scenario: a hanging one is a failure, and the next one runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 0.2
"""The alarm repeats: code that swallows it once is interrupted anew."""


class OutOfTime(BaseException):
    """The time limit has passed. No ``except Exception`` stops it."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the body after ``seconds`` of real time; outside the main thread there is no limit.

    It is also raised at the end of a body that swallowed the alarm.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    rang = False

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rang
        rang = True
        raise OutOfTime(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if rang:
        raise OutOfTime(f"not done after {seconds:g} s")
