"""What was before a restart, a restore or a step back can still be asked for."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from jupyter_sandbox.manager.analytics import SandboxAnalytics
from jupyter_sandbox.manager.history import DECISIONS_KEPT, EVENTS_KEPT, KEPT_BYTES, History
from jupyter_sandbox.manager.newest import memory_of
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.voice import Voice
from jupyter_sandbox.model.errors import CallExit, SandboxError, SandboxGone
from jupyter_sandbox.model.sandbox import InfoChanged, NoticeTold
from jupyter_sandbox.model.views import Counters, Event, WhyView

from ..waiting import until
from .conftest import Told


def event(step: int, kind: str = "crash", name: str = "front") -> Event:
    return Event(step, step, kind, f"<0.{step}.0>", name, "")


def decision(step: int, name: str = "front") -> WhyView:
    return WhyView(f"Shop/{name}", name, step, step, "", "", "", (), "Shop", f"restart at {step}")


def test_the_past_is_newest_first_and_filtered_like_the_present() -> None:
    history = History()
    history.told([event(1), event(2, "log"), event(3, name="back")], [decision(1), decision(3, "back")])
    assert history.events(10) == [] and history.why("front", 5) == []
    history.next_guest()
    history.told([event(1)], [])
    assert [one.step for one in history.events(10)] == [3, 2, 1]
    assert [one.step for one in history.events(10, present=True)] == [1, 3, 2, 1]
    assert [one.step for one in history.events(1, kinds=["crash"], target="Shop/front")] == [1]
    assert [one.step for one in history.why("back", 5)] == [3]
    assert history.events(0) == history.why("back", 0) == []


def test_what_a_guest_tells_at_its_end_replaces_what_it_told_before() -> None:
    history = History()
    history.told([event(2)], [])
    history.all_told([event(2), event(1)], [decision(2), decision(1)])
    history.next_guest()
    assert [one.step for one in history.events(10)] == [2, 1]
    assert [one.step for one in history.why("", 10)] == [2, 1]


def test_what_a_guest_tells_after_it_told_everything_is_kept_once() -> None:
    history = History()
    history.told([event(3)], [decision(3)])  # while its answer was being read
    history.all_told([event(2), event(1)], [decision(2), decision(1)])
    history.told([event(step) for step in (1, 2)], [decision(2)])
    history.told([event(2, "log"), event(4)], [decision(2, "back")])
    history.next_guest()
    assert [(one.step, one.kind) for one in history.events(10)] == [
        (4, "crash"), (2, "log"), (3, "crash"), (2, "crash"), (1, "crash")
    ]  # fmt: skip
    assert [one.key for one in history.why("", 10)] == ["Shop/back", "Shop/front", "Shop/front", "Shop/front"]
    history.told([event(1)], [decision(1)])
    assert [one.step for one in history.events(1, present=True)] == [1], "of the next guest all is new"


def test_what_a_replay_does_again_is_not_kept_twice() -> None:
    history = History()
    history.told([event(step) for step in range(10)], [decision(step) for step in range(10)])
    history.next_guest(replayed_from=4)
    assert [one.step for one in history.events(10)] == [3, 2, 1, 0]
    assert [one.step for one in history.why("", 10)] == [3, 2, 1, 0]


def test_the_past_is_bounded() -> None:
    history = History()
    for _ in range(3):
        history.told([event(1)] * EVENTS_KEPT, [decision(1)] * DECISIONS_KEPT)
        history.next_guest()
    assert (len(history.events(10**9)), len(history.why("", 10**9))) == (EVENTS_KEPT, DECISIONS_KEPT)


def crash(shop: Sandbox) -> None:
    """Who called hears of it some steps before the supervisor decides, and a guest may be asked in between."""
    decided = len(shop.why("front", limit=100))
    with pytest.raises(CallExit):
        shop.call("front", ("add", "x"))
    until(lambda: len(shop.why("front", limit=100)) > decided)


def test_events_and_reasons_go_on_over_a_restart(shop: Sandbox) -> None:
    crash(shop)
    shop.restart()
    assert shop.events(kinds=["crash"])[0].name == "front"
    assert "one_for_one restart 1 of 3" in shop.why("front")[0].line()
    crash(shop)
    assert len(shop.events(kinds=["crash"])) == 2 and len(shop.why("front", limit=5)) == 2


def test_events_and_reasons_go_on_over_a_restore(shop: Sandbox) -> None:
    shop.snapshot("before")
    crash(shop)
    shop.restore("before")
    assert [one.name for one in shop.events(kinds=["crash"])] == ["front"]
    assert "TypeError" in shop.why("front")[0].line()


def test_going_back_keeps_what_was_before_and_forgets_what_is_undone(shop: Sandbox) -> None:
    crash(shop)
    shop.pause()
    told = shop.events(kinds=["crash", "supervisor_restart"])
    shop.cast("back", 1)
    shop.kill("back")
    shop.step(5)
    assert len(shop.events(kinds=["supervisor_restart"])) == 2
    shop.back(5)
    assert shop.events(kinds=["crash", "supervisor_restart"]) == told
    assert len(shop.why("front", limit=5)) == 1 and shop.why("back") == []


def test_after_the_os_process_has_died_what_it_told_can_still_be_asked_for(shop: Sandbox, told: Told) -> None:
    crash(shop)
    told.wait(lambda update: isinstance(update, InfoChanged) and update.info.counters.supervisor_restarts == 1)
    # A sample may fall between the restart and the telling of it: then that comes with the next one.
    until(lambda: bool(shop._unit.history.why("front", 1, present=True)))
    with pytest.raises(SandboxGone):
        shop.exec("import os; os._exit(3)")
    assert "TypeError" in shop.why("front")[0].line()
    assert shop.events(kinds=["crash"])[0].name == "front"
    with pytest.raises(SandboxGone, match="%sandbox restart shop"):
        shop.why("nobody")
    shop.restart()
    assert "TypeError" in shop.why("front")[0].line()
    shop.destroy()
    with pytest.raises(SandboxError):
        shop.events()


def test_what_an_earlier_os_process_decided_is_told_as_that(shop: Sandbox) -> None:
    crash(shop)
    assert not shop.why("front")[0].earlier
    shop.restart()
    assert shop.why("front")[0].line().startswith("in an earlier OS process: TypeError")
    crash(shop)
    assert [entry.earlier for entry in shop.why("front", limit=5)] == [False, True]


def test_the_past_is_bounded_by_memory_however_much_a_guest_tells() -> None:
    history = History()
    large = replace(event(1), text="\U0001f600" * 2_000)
    for _ in range(3):
        history.told([large] * EVENTS_KEPT, [])
        history.next_guest()
    kept = history.events(10**9)
    assert 100 < len(kept) < EVENTS_KEPT and sum(memory_of(one.text) for one in kept) < 1.1 * KEPT_BYTES
    history.told([event(2)] * EVENTS_KEPT, [])
    history.next_guest()
    assert {one.step for one in history.events(10**9)} == {2}


def test_what_is_kept_is_nothing_that_pythons_collector_walks_through() -> None:
    history, voice, analytics = History(), Voice("shop", lambda _: None), SandboxAnalytics()

    def tell(most: int) -> int:
        history.told([replace(event(1), data={"of": "shop"}) for _ in range(most)], [decision(1) for _ in range(most)])
        history.next_guest()
        analytics.sample(Counters(), [event(2) for _ in range(most)], 0, 1.0)
        for _ in range(most):
            voice.tell(NoticeTold("shop", "error", "text", traceback=("a line",)))
        return walked_through(history, voice, analytics)

    few = tell(1)
    assert 20 < tell(150) <= few + 10
    assert len(history.events(150)) == len(voice.notices) - 1 == 150
    assert walked_through([event(step) for step in range(150)]) > 150, "it does count what is kept as objects"


def walked_through(*kept: object) -> int:
    """How many objects Python's collector looks at in these; not in classes, functions and modules."""
    gc.collect()  # a tuple of plain things is looked at once
    seen: dict[int, object] = {}
    todo: list[object] = [*kept]
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | ModuleType) or callable(one) or not gc.is_tracked(one):
            continue
        seen[id(one)] = one
        todo.extend(gc.get_referents(one))
    return len(seen)


def test_a_thing_is_weighed_with_all_that_it_holds() -> None:
    value = {"key": ["z" * 10_000]}
    assert sys.getsizeof(value["key"][0]) < memory_of(value) < 11_000
