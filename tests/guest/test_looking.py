"""Looking: tree, inspection, events, and what is pushed while somebody watches."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.guest.diff import tree_diff
from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView
from jupyter_sandbox.wire import messages as m

VIEWS = st.lists(
    st.builds(
        ProcessView, key=st.sampled_from("abcdef"), pid=st.just("<0.1.0>"), name=st.just("n"), kind=st.just("worker"),
        behaviour=st.just("B"), status=st.sampled_from(["waiting", "running"]), state=st.sampled_from("01"),
    ),
    unique_by=lambda view: view.key,
)  # fmt: skip


def patched(before: TreeView, diff: TreeDiff) -> TreeView:
    """What the kernel makes of a diff."""
    views = {view.key: view for view in before.processes if view.key not in diff.removed}
    views.update({view.key: view for view in diff.changed})
    order = diff.order if diff.order is not None else tuple(views)
    return TreeView(diff.sandbox, diff.step, diff.now_ms, tuple(views[key] for key in order))


@given(VIEWS, VIEWS)
def test_a_tree_and_its_diff_give_the_next_tree(before: list[ProcessView], after: list[ProcessView]) -> None:
    one, two = TreeView("s", 1, 1, tuple(before)), TreeView("s", 2, 2, tuple(after))
    diff = tree_diff(one, two)
    if diff is None:
        assert one.processes == two.processes
    else:
        assert patched(one, diff) == two


def test_the_tree_shows_supervisors_with_their_children(shop: Any) -> None:
    tree = shop.ask(m.Tree).tree
    assert [(v.key, v.kind, v.parent) for v in tree.processes] == [
        ("Shop", "supervisor", None), ("Shop/front", "worker", "Shop"), ("Shop/back", "worker", "Shop"),
    ]  # fmt: skip
    assert tree.processes[2].state == "100" and tree.sandbox == "shop"


def test_a_child_that_is_started_again_is_at_no_step_a_root_beside_its_place(shop: Any) -> None:
    shop.ask(m.Pause)
    shop.cast("front", "no number")
    pids = set()
    for _ in range(12):
        shop.ask(m.Step, count=1)
        tree = shop.ask(m.Tree).tree
        assert [view.key for view in tree.processes] == ["Shop", "Shop/front", "Shop/back"]
        pids.add(tree.processes[1].pid)
    assert None in pids and len(pids) == 2, "none between, and then another"


def test_changes_are_pushed_while_somebody_watches_and_not_otherwise(shop: Any) -> None:
    shop.call("front", "next")
    assert shop.of(m.TreeChanged) == []
    answer = shop.ask(m.Watch, interval_ms=100)
    shop.pushed.clear()
    shop.call("front", "next")
    shop.run(150)
    (change,) = shop.of(m.TreeChanged)
    assert [view.key for view in change.diff.changed] == ["Shop/front"]
    assert patched(answer.tree, change.diff).processes == shop.ask(m.Tree).tree.processes
    shop.ask(m.Watch, interval_ms=0)
    shop.pushed.clear()
    shop.call("front", "next")
    shop.run(300)
    assert shop.of(m.TreeChanged) == []


def test_at_most_one_change_is_pushed_per_interval(shop: Any) -> None:
    shop.ask(m.Watch, interval_ms=100)
    shop.pushed.clear()
    for _ in range(50):
        shop.call("front", "next")
        shop.run(10)
    assert 4 <= len(shop.of(m.TreeChanged)) <= 7


def test_a_change_that_could_not_be_sent_is_in_the_next_one(shop: Any) -> None:
    tree = shop.ask(m.Watch, interval_ms=10).tree
    shop.guest.push = lambda frame: False
    shop.call("front", "next")
    shop.run(50)
    shop.guest.push = shop._push
    shop.pushed.clear()
    shop.run(50)
    (change,) = shop.of(m.TreeChanged)
    assert patched(tree, change.diff).processes == shop.ask(m.Tree).tree.processes


def test_a_sample_is_pushed_each_second_while_something_happens(shop: Any) -> None:
    shop.pushed.clear()
    shop.call("front", "next")
    shop.run(3_000)
    assert 1 <= len(shop.of(m.Sample)) <= 2
    shop.pushed.clear()
    shop.run(3_000)
    assert shop.of(m.Sample) == []


def test_a_sample_counts_and_carries_the_events_since_the_last(shop: Any) -> None:
    shop.run(2_000)
    before = shop.of(m.Sample)[-1].counters
    shop.pushed.clear()
    shop.ask(m.Kill, target="front")
    shop.run(1_500)
    sample = shop.of(m.Sample)[-1]
    assert (sample.counters.processes, sample.counters.supervisor_restarts) == (3, 1)
    assert sample.counters.process_spawns == before.process_spawns + 1
    assert sample.counters.process_exits == before.process_exits + 1
    assert {"process_exit", "supervisor_restart"} <= {event.kind for event in sample.events}


def test_no_event_is_lost_when_a_guest_is_about_to_be_replaced(shop: Any) -> None:
    for ask in (m.Pause, m.TakeJournal, m.TakeSnapshot):
        shop.ask(m.Resume)
        shop.ask(m.Kill, target="front", reason="boom")
        shop.run(1)
        shop.pushed.clear()
        shop.ask(ask)
        assert "process_exit" in {event.kind for sample in shop.of(m.Sample) for event in sample.events}


def test_events_are_newest_first_and_filtered(shop: Any) -> None:
    shop.ask(m.Kill, target="front")
    shop.run(5)
    events = shop.ask(m.Events, limit=5).events
    assert [event.step for event in events] == sorted((event.step for event in events), reverse=True)
    assert {event.kind for event in shop.ask(m.Events, kinds=["process_exit"]).events} == {"process_exit"}
    about = shop.ask(m.Events, target="Shop/back").events
    assert about and {event.name for event in about} == {"back"}


def test_an_inspection_holds_everything_about_one_process(shop: Any) -> None:
    inspection = shop.ask(m.Inspect, target="front").inspection
    assert inspection.process.key == "Shop/front"
    assert inspection.initial_call == "tshop.Counter"
    assert inspection.events
    assert shop.ask(m.Inspect, target="nobody").kind == "noproc"


def test_a_crash_loop_does_not_flood_the_kernel_and_says_what_it_left_out(shop: Any) -> None:
    for _ in range(70):
        shop.guest.reporter.sink("log", next(iter(shop.guest.node.processes.values())), ("error", "again"))
    assert len(shop.of(m.Notice)) == 50
    shop.run(1_100)
    assert any("20 more" in notice.text for notice in shop.of(m.Notice))


def test_the_end_of_the_main_application_by_itself_is_told(shop: Any) -> None:
    for _ in range(4):
        shop.ask(m.Kill, target="front")
        shop.run(3)
    (ended,) = shop.of(m.MainExited)
    assert (ended.app, ended.reason) == ("sandbox_1", "Shop <0.2.0> gave up: more than 3 restarts in 5 s")


def test_an_ordered_stop_is_no_such_news(shop: Any) -> None:
    assert isinstance(shop.ask(m.Stop, app="sandbox_1"), m.Done)
    assert shop.of(m.MainExited) == [] and shop.shown() == []
    assert isinstance(shop.start("tshop.Shop"), m.Done), "and it can be started again"


DEADLOCK = """
from jupyter_sandbox.otp import GenServer, Reply

class Shy(GenServer):
    async def handle_call(self, request, caller, friend):
        return Reply(await self.call(friend, "you first", None), friend)
"""


def test_a_deadlock_is_named_with_its_processes(bench: Any) -> None:
    bench.load(DEADLOCK, "tshy")
    for name, friend in (("ann", "bob"), ("bob", "ann")):
        bench.ask(m.Spawn, function="tshy.Shy", args=pickle.dumps((friend,)), name=name)
    bench.guest.handle(m.Call(id=999, target="ann", args=pickle.dumps("hello"), timeout_ms=None))
    bench.run(10)
    entries = {entry.name: entry for entry in bench.ask(m.Waits).entries}
    assert set(entries["ann"].cycle) == {"ann", "bob"}
    assert "deadlock: " in entries["bob"].line()


def test_a_message_that_arrives_while_paused_is_pushed_as_a_longer_queue(shop: Any) -> None:
    shop.ask(m.Pause)
    shop.ask(m.Watch, interval_ms=10)
    shop.cast("front", 1)
    shop.run(50)
    (changed,) = shop.of(m.TreeChanged)
    assert [(view.name, view.queue) for view in changed.diff.changed] == [("front", 1)]
