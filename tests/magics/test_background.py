"""Lanes keep the order of one sandbox and never wait for another; the pacer merges what comes too fast."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from jupyter_sandbox.magics.lanes import Lanes
from jupyter_sandbox.magics.pacing import Change, Pacer
from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView

DEADLINE_S = 10.0


def view(key: str, state: str) -> ProcessView:
    return ProcessView(key, "<0.1.0>", key, "worker", "m.C", "waiting", state=state)


def diff(step: int, *processes: ProcessView) -> TreeDiff:
    return TreeDiff("shop", step, 0, processes)


# --- lanes ----------------------------------------------------------------------------------------------------------


def test_work_of_one_sandbox_runs_in_order() -> None:
    lanes, done, order = Lanes(pytest.fail), threading.Event(), list[int]()
    for number in range(20):
        lanes.submit("shop", lambda number=number: order.append(number))  # type: ignore[misc]
    lanes.submit("shop", done.set)
    assert done.wait(DEADLINE_S)
    assert order == list(range(20))


def test_a_stuck_sandbox_does_not_delay_another() -> None:
    lanes, release, done = Lanes(pytest.fail), threading.Event(), threading.Event()
    lanes.submit("stuck", lambda: assert_soon(release))
    lanes.submit("shop", done.set)
    assert done.wait(DEADLINE_S)
    release.set()


def test_an_error_is_told_and_the_lane_goes_on() -> None:
    told, done = list[BaseException](), threading.Event()
    lanes = Lanes(told.append)

    def fail() -> None:
        raise ValueError("no")

    lanes.submit("shop", fail)
    lanes.submit("shop", done.set)
    assert done.wait(DEADLINE_S)
    assert [str(error) for error in told] == ["no"]


def test_a_closed_lane_does_nothing_any_more() -> None:
    lanes = Lanes(pytest.fail)
    lanes.close()
    lanes.submit("shop", lambda: pytest.fail("ran after close"))


def assert_soon(event: threading.Event) -> None:
    assert event.wait(DEADLINE_S)


# --- pacing ---------------------------------------------------------------------------------------------------------


class Told:
    """Collects what a pacer delivers."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._arrived = threading.Condition()

    def __call__(self, name: str, change: Change) -> None:
        with self._arrived:
            self.changes.append(change)
            self._arrived.notify_all()

    def until(self, reached: Callable[[list[Change]], bool]) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: reached(self.changes), DEADLINE_S)


def test_the_first_change_is_told_at_once() -> None:
    told = Told()
    Pacer(told).offer("shop", diff(1, view("a", "1")))
    assert told.changes == [diff(1, view("a", "1"))]


def test_changes_that_come_fast_are_merged_and_none_is_lost() -> None:
    told = Told()
    pacer = Pacer(told, interval_s=0.05)
    for step in range(1, 101):
        pacer.offer("shop", diff(step, view(f"p{step}", "new")))
    told.until(lambda changes: changes[-1].step == 100)
    assert len(told.changes) < 20
    keys = {process.key for change in told.changes if isinstance(change, TreeDiff) for process in change.changed}
    assert keys == {f"p{step}" for step in range(1, 101)}


def test_a_whole_tree_takes_the_place_of_what_was_pending() -> None:
    told = Told()
    pacer = Pacer(told, interval_s=0.05)
    pacer.offer("shop", diff(1))
    pacer.offer("shop", diff(2, view("gone", "")))
    pacer.offer("shop", TreeView("shop", 3, 0))
    pacer.offer("shop", diff(4, view("a", "1")))
    told.until(lambda changes: len(changes) == 2)
    assert told.changes[1] == TreeView("shop", 4, 0, (view("a", "1"),))


def test_one_sandbox_does_not_slow_down_another() -> None:
    told = Told()
    pacer = Pacer(told, interval_s=60.0)
    pacer.offer("shop", diff(1))
    pacer.offer("bank", diff(1))
    assert len(told.changes) == 2
    pacer.close()


def test_a_closed_pacer_tells_nothing() -> None:
    told = Told()
    pacer = Pacer(told, interval_s=60.0)
    pacer.offer("shop", diff(1))
    pacer.offer("shop", diff(2))
    pacer.close()
    pacer.offer("shop", diff(3))
    assert told.changes == [diff(1)]


def test_above_its_budget_a_sandbox_is_told_as_a_whole_tree_later() -> None:
    told = Told()
    newest = TreeView("shop", 9, 0, (view("a", "9"),))
    pacer = Pacer(told, interval_s=0.01, whole=lambda name: newest, hearers=lambda name: 1_000)
    large = view("a", "x" * 16_100)  # a tenth of a second above what may come at once
    for step in range(1, 5):
        pacer.offer("shop", diff(step, large))
    assert len(told.changes) == 1
    told.until(lambda changes: len(changes) == 2)
    assert told.changes[1] is newest
    pacer.close()
