"""Lanes keep the order of one sandbox and never wait for another; the pacer merges what comes too fast."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from jupyter_sandbox.magics import pacer as module
from jupyter_sandbox.magics.alarms import Alarm
from jupyter_sandbox.magics.hub import Hub
from jupyter_sandbox.magics.lanes import Lanes
from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.magics.pacer import Change, Pacer
from jupyter_sandbox.magics.pictures import MOST, STILL, Hands, Pictures
from jupyter_sandbox.model.errors import SandboxBusy
from jupyter_sandbox.model.sandbox import InfoChanged
from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView

from .conftest import FakeManager, FakeSandbox

DEADLINE_S = 60.0


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


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("no")])
def test_work_that_ends_by_whatever_error_hinders_nobody_behind_it(error: BaseException) -> None:
    told, done = list[BaseException](), threading.Event()
    lanes = Lanes(told.append)

    def fail() -> None:
        raise error

    lanes.submit("shop", fail)
    lanes.submit("shop", done.set)
    assert done.wait(DEADLINE_S) and told == [error]


def test_a_lane_that_no_thread_could_be_had_for_works_later(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes, order, done = Lanes(pytest.fail), list[str](), threading.Event()

    def none(run: Callable[[], None], arguments: tuple[()]) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(_thread, "start_new_thread", none)
        for _ in range(2):
            with pytest.raises(SandboxBusy, match="no thread can be had for it"):
                lanes.submit("shop", lambda: order.append("never"))
    lanes.submit("shop", lambda: order.append("later"))
    lanes.submit("shop", done.set)
    assert done.wait(DEADLINE_S) and order == ["later"]


def test_a_thread_that_ends_before_it_has_begun_keeps_nobody_waiting_and_its_work_is_done_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where Python has no memory for it. The thread of all sandboxes submits, too."""
    lanes, order, done = Lanes(pytest.fail), list[str](), threading.Event()
    begin, submitted = threading.Event(), threading.Event()

    def submit() -> None:
        begin.wait(DEADLINE_S)
        lanes.submit("shop", lambda: order.append("first"))
        submitted.set()

    threading.Thread(target=submit, daemon=True).start()
    with monkeypatch.context() as short:
        for module, name in ((_thread, "start_new_thread"), (threading, "_start_new_thread")):
            short.setattr(module, name, lambda run, arguments: 1)
        begin.set()
        assert submitted.wait(5), "it waits for a thread that is none"
    lanes.submit("other", done.set)
    lanes.submit("shop", lambda: order.append("second"))
    assert done.wait(DEADLINE_S)
    done.clear()
    lanes.submit("shop", done.set)
    assert done.wait(DEADLINE_S) and order == ["first", "second"]


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


# --- pacer ----------------------------------------------------------------------------------------------------------


class Told:
    """Collects what a pacer delivers."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.pauses: list[int] = []
        self._arrived = threading.Condition()

    def __call__(self, name: str, change: Change, pause_s: int) -> None:
        with self._arrived:
            self.changes.append(change)
            self.pauses.append(pause_s)
            self._arrived.notify_all()

    def until(self, reached: Callable[[list[Change]], bool]) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: reached(self.changes), DEADLINE_S)


class Clock:
    """Time that passes when it is let pass, and the alarms that are due then: what a pacer goes by."""

    def __init__(self) -> None:
        self.now = 100.0
        self.alarms: list[Alarm] = []

    def monotonic(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [alarm for alarm in self.alarms if alarm.act is not None and alarm.due_s <= end]:
            first = min(due)
            self.alarms.remove(first)
            self.now = max(self.now, first.due_s)
            assert first.act is not None
            first.act()
        self.now = end

    def after(self, seconds: float, act: Callable[[], object]) -> Alarm:
        self.alarms.append(Alarm(self.now + seconds, len(self.alarms), act))
        return self.alarms[-1]

    def close(self) -> None:
        self.alarms = []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "Alarms", lambda: made)
    monkeypatch.setattr(module, "time", made)
    return made


def test_the_first_change_is_told_at_once() -> None:
    told = Told()
    Pacer(told).offer("shop", diff(1, view("a", "1")))
    assert told.changes == [diff(1, view("a", "1"))]


def test_changes_that_come_fast_are_merged_and_none_is_lost(clock: Clock) -> None:
    told = Told()
    pacer = Pacer(told, interval_s=0.05)
    for step in range(1, 101):
        pacer.offer("shop", diff(step, view(f"p{step}", "new")))
        clock.pass_by(0.01)
    clock.pass_by(0.05)
    assert told.changes[-1].step == 100 and len(told.changes) <= 22
    keys = {process.key for change in told.changes if isinstance(change, TreeDiff) for process in change.changed}
    assert keys == {f"p{step}" for step in range(1, 101)}


def test_a_change_is_told_when_its_time_has_come_without_another_one() -> None:
    """By the real clock."""
    told = Told()
    pacer = Pacer(told, interval_s=0.05)
    pacer.offer("shop", diff(1))
    pacer.offer("shop", diff(2))
    told.until(lambda changes: changes[-1].step == 2)
    pacer.close()


def test_a_whole_tree_takes_the_place_of_what_was_pending(clock: Clock) -> None:
    told = Told()
    pacer = Pacer(told, interval_s=0.05)
    pacer.offer("shop", diff(1))
    pacer.offer("shop", diff(2, view("gone", "")))
    pacer.offer("shop", TreeView("shop", 3, 0))
    pacer.offer("shop", diff(4, view("a", "1")))
    clock.pass_by(0.05)
    assert told.changes[1:] == [TreeView("shop", 4, 0, (view("a", "1"),))]


def test_one_sandbox_does_not_slow_down_another() -> None:
    told = Told()
    pacer = Pacer(told, interval_s=60.0)
    pacer.offer("shop", diff(1))
    pacer.offer("bank", diff(1))
    assert len(told.changes) == 2
    pacer.close()


def test_many_sandboxes_share_what_a_server_can_pass_on_and_nothing_of_any_is_lost(clock: Clock) -> None:
    told: dict[str, list[Change]] = {f"s{number}": [] for number in range(100)}
    pacer = Pacer(lambda name, change, pause_s: told[name].append(change), hearers=lambda name: 2)
    for step in range(1, 201):
        for name in told:
            pacer.offer(name, diff(step, view(f"p{step}", "new")))
        clock.pass_by(0.05)
    assert sum(map(len, told.values())) * 2 <= module.OF_ALL * (10 + 1) + 2 * len(told)
    clock.pass_by(2 * len(told) / module.OF_ALL + 1)
    for changes in told.values():
        keys = {one.key for change in changes if isinstance(change, TreeDiff) for one in change.changed}
        assert keys == {f"p{step}" for step in range(1, 201)}


def test_who_is_alone_after_others_is_told_ten_times_a_second_again(clock: Clock) -> None:
    told = Told()
    pacer = Pacer(told)
    for number in range(100):
        pacer.offer(f"s{number}", diff(1))
    clock.pass_by(5)
    before = len(told.changes)
    for step in range(2, 42):
        pacer.offer("s0", diff(step))
        clock.pass_by(0.05)
    assert len(told.changes) - before >= 19


def test_a_closed_pacer_tells_nothing() -> None:
    told = Told()
    pacer = Pacer(told, interval_s=60.0)
    pacer.offer("shop", diff(1))
    pacer.offer("shop", diff(2))
    pacer.close()
    pacer.offer("shop", diff(3))
    assert told.changes == [diff(1)]


def test_above_its_budget_a_sandbox_is_told_as_a_whole_tree_later(clock: Clock) -> None:
    told = Told()
    newest = TreeView("shop", 9, 0, (view("a", "9"),))
    pacer = Pacer(told, interval_s=0.01, trees={"shop": newest})
    large = view("a", "x" * 16_100_000)  # a tenth of a second above what may come at once
    for step in range(1, 5):
        pacer.offer("shop", diff(step, large))
    assert len(told.changes) == 1
    clock.pass_by(1.0)
    assert len(told.changes) == 2 and told.changes[1] is newest
    assert told.pauses == [0, 1], "that a tree came in the place of changes is told, and for how long none comes"
    clock.pass_by(1.0)
    pacer.offer("shop", diff(9, view("a", "9")))
    assert len(told.changes) == 3 and told.pauses[2] == 0
    pacer.close()


def test_whoever_is_far_above_its_budget_says_when_the_next_picture_comes_at_the_earliest(clock: Clock) -> None:
    told = Told()
    newest = TreeView("shop", 9, 0, (view("a", "x" * 3_400_000),))
    pacer = Pacer(told, interval_s=0.01, trees={"shop": newest})
    large = view("a", "x" * 16_000_000)
    for step in range(1, 3):
        pacer.offer("shop", diff(step, large))
    clock.pass_by(1.0)
    assert told.pauses == [0, 4]
    pacer.close()


def test_pictures_say_that_a_sandbox_changes_faster_than_is_shown_and_that_it_does_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    mirror, pictures = Mirror(), Pictures(Hands(pytest.fail, pytest.fail))
    monkeypatch.setattr(pictures, "tell", lambda name, status: said.append(status))
    hub = Hub(mirror, pictures, lambda name: None, str)
    mirror.take(InfoChanged(FakeSandbox(FakeManager(), 1, "shop", {}).info()))
    tree = TreeView("shop", 1, 0)
    for pause_s in (0, 3, 3, 0):
        hub._deliver("shop", tree, pause_s)
    hub.close()
    assert said == ["it changes faster than is shown: a whole picture every 3 s", ""]


def test_of_pictures_that_stand_still_so_many_are_kept_and_the_oldest_given_up() -> None:
    pictures = Pictures(Hands(pytest.fail, pytest.fail))
    opened = [pictures.open(TreeView(name, 1, 0)) for name in ("shop", "mill") * STILL]
    pictures.freeze("mill", "the sandbox was destroyed")
    last = pictures.open(TreeView("shop", 1, 0))
    kept = [widget for widget in opened if widget.comm is not None]
    assert [widget.frozen for widget in kept[-2 * MOST :: 2]] == ["a newer picture follows the sandbox"] + [""] * (
        MOST - 1
    )
    assert len([widget for widget in kept if widget.frozen]) == STILL
    assert opened[0].comm is None and opened[0].layout.comm is None and last.comm is not None
    pictures.close("the extension was unloaded")


def test_a_sandbox_that_no_thread_is_to_be_had_for_is_told_to_the_panel_and_followed_later() -> None:
    """A kernel of little memory, or of a user with many threads, may have none for a moment."""
    asked, told = list[str](), list[object]()

    def follow(name: str) -> None:
        asked.append(name)
        if len(asked) == 1:
            raise SandboxBusy("no thread can be had for it")

    hub = Hub(Mirror(), Pictures(Hands(pytest.fail, pytest.fail)), follow, str)
    hub.bridge = SimpleNamespace(publish=told.append)  # type: ignore[assignment]
    changed = InfoChanged(FakeSandbox(FakeManager(), 1, "shop", {}).info())
    for _ in range(3):
        hub.take(changed)
    hub.close()
    assert (asked, told) == (["shop", "shop"], [changed] * 3)
