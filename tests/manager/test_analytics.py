"""The guide's analytics: counters over all guests, a ring of events, experiment steps."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_sandbox.manager.analytics import KEPT, SandboxAnalytics
from jupyter_sandbox.model.views import Counters, Event


def event(step: int, kind: str = "process_spawn") -> Event:
    return Event(step=step, now_ms=step, kind=kind, pid="<0.1.0>", name="front", text="x", data={"of": "shop"})


def test_metrics_have_exactly_the_guides_keys() -> None:
    analytics = SandboxAnalytics()
    analytics.sample(Counters(process_spawns=3, process_exits=1, messages_sent=9, supervisor_restarts=1), [], 0, 101.0)
    analytics.memory(2_000)
    analytics.memory(1_000)
    assert analytics.metrics(2) == {
        "runtime_seconds": 2,
        "event_count": 0,
        "metrics": {
            "process_spawns": 3, "process_exits": 1, "messages_sent": 9, "supervisor_restarts": 1, "memory_peak": 2_000,
        },
        "recent_events": [],
    }  # fmt: skip


def test_recent_events_are_the_newest_ten_newest_first() -> None:
    analytics = SandboxAnalytics()
    analytics.sample(Counters(), [event(n) for n in range(12)], 0, 5.0)
    recent = analytics.recent()
    assert [one["data"]["step"] for one in recent] == list(range(11, 1, -1))  # type: ignore[index]
    assert recent[0]["timestamp"] == datetime.fromtimestamp(5.0, UTC)
    assert recent[0]["type"] == "process_spawn" and recent[0]["data"]["of"] == "shop"  # type: ignore[index]


def test_the_ring_is_bounded_and_everything_is_counted() -> None:
    analytics = SandboxAnalytics()
    analytics.sample(Counters(), [event(n) for n in range(KEPT + 5)], 7, 1.0)
    assert analytics.event_count == KEPT + 12
    assert len(analytics.recent(limit=10 * KEPT)) == KEPT
    assert analytics.dropped == 7


def test_capture_records_only_the_wanted_kinds_and_always_experiment_steps() -> None:
    analytics = SandboxAnalytics(frozenset({"process_exit"}))
    analytics.sample(Counters(), [event(1), event(2, "process_exit")], 0, 1.0)
    analytics.record("experiment_step", {"result": ("ok", 1)}, 2.0)
    assert [one["type"] for one in analytics.recent()] == ["experiment_step", "process_exit"]
    assert analytics.event_count == 2


def test_counters_go_on_over_a_restart() -> None:
    analytics = SandboxAnalytics()
    analytics.sample(Counters(process_spawns=3, processes=2), [], 0, 1.0)
    analytics.next_guest()
    analytics.sample(Counters(process_spawns=2, processes=1), [], 0, 2.0)
    assert (analytics.totals().process_spawns, analytics.totals().processes) == (5, 1)


def test_a_guest_that_replays_history_does_not_count_it_twice() -> None:
    analytics = SandboxAnalytics()
    analytics.sample(Counters(process_spawns=3), [], 0, 1.0)
    analytics.next_guest(replays_history=True)
    analytics.sample(Counters(process_spawns=3), [], 0, 2.0)
    assert analytics.totals().process_spawns == 3


def test_events_can_be_asked_for_by_kind() -> None:
    analytics = SandboxAnalytics()
    analytics.sample(Counters(), [event(1), event(2, "crash")], 0, 1.0)
    assert [one["type"] for one in analytics.recent(kinds=["crash"])] == ["crash"]
