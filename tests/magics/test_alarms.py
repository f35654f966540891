"""What is due later is done by one thread, which is there while anything is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from jupyter_sandbox.magics import alarms as module
from jupyter_sandbox.magics.alarms import Alarms

from ..waiting import until


@pytest.fixture
def alarms() -> Iterator[Alarms]:
    made = Alarms()
    yield made
    made.close()
    until(lambda: not made._serves)


def test_they_are_done_in_the_order_of_their_times_by_one_thread(alarms: Alarms) -> None:
    done: list[tuple[int, int]] = []
    for number in (3, 1, 2):
        alarms.after(number * 0.05, lambda number=number: done.append((number, threading.get_ident())))  # type: ignore[misc]
    until(lambda: len(done) == 3)
    assert [number for number, _ in done] == [1, 2, 3] and len({thread for _, thread in done}) == 1


def test_one_that_is_cancelled_is_not_done(alarms: Alarms) -> None:
    done: list[str] = []
    alarms.after(0.02, lambda: done.append("cancelled")).cancel()
    alarms.after(0.03, lambda: done.append("done"))
    until(lambda: bool(done))
    assert done == ["done"]


def test_an_error_is_told_and_the_others_are_done(alarms: Alarms, monkeypatch: pytest.MonkeyPatch) -> None:
    told, done = list[object](), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    alarms.after(0.01, lambda: 1 / 0)
    alarms.after(0.02, done.set)
    assert done.wait(10) and [type(one) for one in told] == [ZeroDivisionError]


def test_without_alarms_there_is_no_thread_and_with_one_there_is_again(
    alarms: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    for _ in range(2):
        done = threading.Event()
        alarms.after(0.01, done.set)
        assert done.wait(10)
        until(lambda: not alarms._serves)


def test_one_that_is_due_earlier_is_not_kept_by_one_that_is_due_later(alarms: Alarms) -> None:
    done = threading.Event()
    alarms.after(1_000, lambda: None)
    until(lambda: alarms._waits_until > time.monotonic() + 900)
    alarms.after(0.01, done.set)
    assert done.wait(10)


def test_that_no_thread_is_to_be_had_is_told_and_the_next_one_tries_again(
    alarms: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(module._thread, "start_new_thread", refuse)
        with pytest.raises(RuntimeError):
            alarms.after(0.0, lambda: done.append("first"))
    alarms.after(0.01, lambda: done.append("second"))
    until(lambda: bool(done))
    assert done == ["second"]


def test_after_the_close_nothing_is_done(alarms: Alarms) -> None:
    done: list[str] = []
    alarms.after(0.05, lambda: done.append("before"))
    alarms.close()
    alarms.after(0.0, lambda: done.append("after"))
    until(lambda: not alarms._serves)
    assert done == []
