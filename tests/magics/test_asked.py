"""What pages ask for whole is answered at once, and all that asked too soon at once, too."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from jupyter_sandbox.magics.asked import MOST_WAITING, Asked
from jupyter_sandbox.model.bucket import TokenBucket

from ..waiting import until

DEADLINE_S, START = 10.0, _thread.start_new_thread
Work = Callable[[], None]


class Page:
    """Asks, and notes which requests were answered together."""

    def __init__(self, *, most: float = 1e9, per_second: float = 1e9) -> None:
        self.asked = Asked(TokenBucket.full(most, per_second))
        self.answers: list[tuple[str, ...]] = []
        self.answered = threading.Semaphore(0)

    def ask(self, request: str, key: str = "hello", run: Callable[[Work], object] = lambda work: work()) -> None:
        self.asked.ask(key, request, self._answer, run=run)

    def _answer(self, requests: Sequence[str]) -> int:
        self.answers.append(tuple(requests))
        self.answered.release()
        return 100_000


def test_within_the_budget_each_request_is_answered_at_once() -> None:
    page = Page()
    for request in ("a", "b", "c"):
        page.ask(request)
    assert page.answers == [("a",), ("b",), ("c",)]


def test_above_the_budget_those_that_wait_are_answered_together() -> None:
    page = Page(most=50_000, per_second=1_000_000)
    for request in ("a", "b", "c"):
        page.ask(request)
    assert page.answers == [("a",)]
    assert page.answered.acquire() and page.answered.acquire(timeout=DEADLINE_S)
    assert page.answers == [("a",), ("b", "c")]


def test_who_asks_while_the_work_has_not_begun_is_answered_by_it() -> None:
    page, begun = Page(), list[Work]()
    for request in ("a", "b"):
        page.ask(request, "tree shop", begun.append)
    page.ask("c", "tree other", begun.append)
    assert len(begun) == 2
    for work in begun:
        work()
    assert page.answers == [("a", "b"), ("c",)]


def test_no_more_than_so_many_requests_wait() -> None:
    page, begun = Page(), list[Work]()
    for number in range(MOST_WAITING + 5):
        page.ask(f"{number}", run=begun.append)
    begun[0]()
    assert [len(answer) for answer in page.answers] == [MOST_WAITING]
    page.ask("again")
    assert page.answers[1] == ("again",)


def test_after_the_end_nobody_is_answered() -> None:
    page, begun = Page(most=50_000, per_second=1.0), list[Work]()
    page.ask("a")
    page.ask("b")
    page.ask("c", "tree shop", begun.append)
    page.asked.close()
    page.asked.close()
    page.ask("d")
    until(lambda: not page.asked._alarms._serves)
    for work in begun:
        work()
    assert page.answers == [("a",)]


class Threads:
    """None can be had until ``free``."""

    free = False

    def start(self, *given: Any) -> int:
        if not self.free:
            raise RuntimeError("can't start new thread")
        return START(*given)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    threads = Threads()
    monkeypatch.setattr(_thread, "start_new_thread", threads.start)
    return threads


def test_who_cannot_be_answered_for_want_of_a_thread_hears_it_and_others_are_answered_later(threads: Threads) -> None:
    told, page = list[tuple[list[str], str]](), Page()
    page.asked = Asked(
        TokenBucket.full(50_000, 1_000_000), lambda requests, error: told.append(([*requests], str(error)))
    )
    page.ask("a")
    page.ask("b")  # above the budget: a timer is wanted
    assert told == [(["b"], "can't start new thread")] and page.answers == [("a",)]
    threads.free = True
    page.ask("c")
    assert page.answered.acquire() and page.answered.acquire(timeout=DEADLINE_S)
    assert page.answers == [("a",), ("c",)]
    page.asked.close()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_an_answer_that_fails_is_told_once_and_who_asks_next_is_answered(error: BaseException) -> None:
    told, answers = list[tuple[list[str], BaseException]](), list[list[str]]()
    asked = Asked(failed=lambda requests, error: told.append(([*requests], error)))

    def fail(requests: Sequence[str]) -> int:
        raise error

    def answer(requests: Sequence[str]) -> int:
        answers.append([*requests])
        return 0

    for _ in range(2):
        with suppress(SystemExit):
            asked.ask("hello", "a", fail, run=lambda work: work())
    assert told == [(["a"], error)] * 2
    asked.ask("hello", "b", answer, run=lambda work: work())
    assert answers == [["b"]]
