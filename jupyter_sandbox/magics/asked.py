"""What pages ask for whole, everything there is or a tree: answered at once, within a budget, and no more often.

A page may ask without end, by a fault of its own or a script in an output that got out, and each time the kernel would
write all of it anew. Who asks faster than the budget allows is answered later, and all that asked meanwhile at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ..model.bucket import TokenBucket
from .alarms import Alarm, Alarms
from .budget import AT_ONCE, PER_SECOND

LEAST: Final = 20_000
"""Bytes that an answer counts for at least: asking is work, too. Fifty a second come without waiting."""
MOST_WAITING: Final = 1_000
"""Requests that wait for an answer; above that a request is acknowledged and forgotten."""

Answer = Callable[[Sequence[str]], int]
"""Answers these requests by telling what they ask for once; how many bytes that were."""
Run = Callable[[Callable[[], None]], object]
"""Does a piece of work where it belongs."""
Failed = Callable[[Sequence[str], BaseException], None]


def _raised(requests: Sequence[str], error: BaseException) -> None:
    raise error


@dataclass(slots=True)
class _Question:
    """What is asked for, by which requests."""

    answer: Answer
    run: Run
    requests: list[str] = field(default_factory=list)
    alarm: Alarm | None = None


class Asked:
    """Any thread may ask.

    >>> asked = Asked()
    >>> asked.ask("hello", "r1", lambda requests: print(requests) or 16_100_000, run=lambda work: work())
    ['r1']
    >>> for request in ("r2", "r3"):  # which are answered together, a moment later
    ...     asked.ask("hello", request, lambda requests: print(requests) or 0, run=lambda work: work())
    >>> asked.close()
    """

    def __init__(self, bucket: TokenBucket | None = None, failed: Failed | None = None) -> None:
        """``failed`` hears of requests that nobody answered; without it the error is raised."""
        self._failed = failed or _raised
        self._bucket = bucket or TokenBucket.full(AT_ONCE, PER_SECOND)
        self._lock, self._alarms = threading.Lock(), Alarms()
        self._open: dict[str, _Question] = {}
        self._waiting = 0
        self._closed = False

    def ask(self, key: str, request: str, answer: Answer, *, run: Run) -> None:
        """``run`` does the work of the first one who asks for ``key``; whoever asks until it begins is answered too."""
        with self._lock:
            if self._closed or self._waiting >= MOST_WAITING:
                return
            self._waiting += 1
            question = self._open.get(key)
            if question is not None:
                question.requests.append(request)
                return
            self._open[key] = question = _Question(answer, run, [request])
        self._begin(key, question)

    def close(self) -> None:
        """Answer nobody any more; idempotent."""
        with self._lock:
            self._closed = True
            for question in self._open.values():
                if question.alarm is not None:
                    question.alarm.cancel()
            self._open.clear()
        self._alarms.close()

    def _begin(self, key: str, question: _Question) -> None:
        """Now or when the budget allows it; others may spend it meanwhile."""
        try:
            if not self._later(key, question):
                question.run(lambda: self._answer(key, question))
        except BaseException as error:  # no thread can be had, say
            self._give_up(key, question, error)

    def _later(self, key: str, question: _Question) -> bool:
        with self._lock:
            wait_s = self._bucket.wait_s(time.monotonic())
            if wait_s <= 0 or self._closed:
                return self._closed
            question.alarm = self._alarms.after(wait_s, partial(self._begin, key, question))
            return True

    def _give_up(self, key: str, question: _Question, error: BaseException) -> None:
        """Whoever asks next begins anew."""
        with self._lock:
            if self._open.get(key) is question:
                del self._open[key]
                self._waiting -= len(question.requests)
            requests, question.requests = question.requests, []
        if requests:
            self._failed(requests, error)
        if not isinstance(error, Exception):
            raise error

    def _answer(self, key: str, question: _Question) -> None:
        with self._lock:
            if self._closed:
                return
            over = self._bucket.wait_s(time.monotonic()) > 0
            if not over:
                del self._open[key]
                self._waiting -= len(question.requests)
        if over:
            self._begin(key, question)
            return
        try:
            size = question.answer(question.requests)
        except BaseException as error:
            self._give_up(key, question, error)
            return
        with self._lock:
            self._bucket = self._bucket.spent(max(size, LEAST), time.monotonic())
