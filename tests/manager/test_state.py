"""The life of a sandbox: every status, what leads where, and what has to be done about it."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.manager.life import (
    Action,
    Announce,
    BuildFailed,
    DestroyAsked,
    DiskOver,
    Forget,
    GivenUp,
    GuestExited,
    GuestTook,
    HandlerOver,
    Interrupt,
    Life,
    LifeEvent,
    LimitCounted,
    MainEnded,
    MainStarted,
    MemoryOver,
    Paused,
    ProtocolBroken,
    RaiseAlert,
    ReloadBegan,
    ReloadEnded,
    RestartBegan,
    Resumed,
    Retire,
    RuntimeOver,
    StopBegan,
    StopEnded,
    StopRefused,
    Tell,
)  # fmt: skip
from jupyter_sandbox.manager.state import MOVES, PERMITTED, REPLACED, apply, refusal
from jupyter_sandbox.model.errors import InternalError, SandboxBusy, SandboxGone, UsageError
from jupyter_sandbox.model.sandbox import SandboxStatus as S

NEW = Life(1, "shop")
RUNNING = apply(NEW, GuestTook(1, main="counter.Shop"))[0]


def after(life: Life, *events: LifeEvent) -> Life:
    for event in events:
        life, _ = apply(life, event)
    return life


def kinds(actions: tuple[Action, ...]) -> list[type]:
    return [type(action) for action in actions]


def test_a_built_guest_makes_a_starting_sandbox_run() -> None:
    life, actions = apply(NEW, GuestTook(1, main="counter.Shop"))
    assert (life.status, life.generation, life.present, life.main) == (S.RUNNING, 1, True, "counter.Shop")
    assert kinds(actions) == [Announce]


def test_a_guest_that_cannot_be_built_leaves_a_crashed_sandbox_with_the_reason() -> None:
    life = after(NEW, BuildFailed("no memory"))
    assert (life.status, life.reason, life.present) == (S.CRASHED, "no memory", False)


def test_pause_and_resume() -> None:
    paused = after(RUNNING, Paused(1))
    assert paused.status is S.PAUSED
    assert after(paused, Resumed(1)).status is S.RUNNING


@pytest.mark.parametrize("resting", [S.RUNNING, S.PAUSED, S.STOPPED, S.CRASHED])
def test_a_reload_ends_where_it_began(resting: S) -> None:
    life = replace(RUNNING, status=resting, reason="why" if resting in (S.STOPPED, S.CRASHED) else "")
    during = after(life, ReloadBegan(1))
    assert during.status is S.RELOADING
    assert (after(during, ReloadEnded(1)).status, after(during, ReloadEnded(1)).reason) == (resting, life.reason)


def test_a_main_that_gives_up_during_a_reload_shows_when_the_reload_ends() -> None:
    life = after(RUNNING, ReloadBegan(1), MainEnded(1, "shutdown", normal=False))
    assert life.status is S.RELOADING
    assert after(life, ReloadEnded(1)).status is S.CRASHED


def test_a_main_that_gives_up_crashes_the_sandbox_but_its_guest_stays_for_looking() -> None:
    life, actions = apply(RUNNING, MainEnded(1, "reached_max_restart_intensity", normal=False))
    assert (life.status, life.present) == (S.CRASHED, True)
    said = "the main application ended: reached_max_restart_intensity; `%sandbox restart shop` begins anew"
    assert actions == (RaiseAlert("crash", said), Announce())
    assert "reached_max_restart_intensity" in life.reason
    assert refusal(life, "look") is None
    assert isinstance(refusal(life, "act"), SandboxGone)


def test_a_main_that_ends_normally_stops_the_sandbox() -> None:
    life, actions = apply(RUNNING, MainEnded(1, "normal", normal=True))
    assert life.status is S.STOPPED and kinds(actions) == [Announce]


def test_the_main_application_ends_once_until_it_is_started_anew() -> None:
    ended = after(RUNNING, MainEnded(1, "boom", normal=False))
    assert apply(ended, MainEnded(1, "normal", normal=True)) == (ended, ())
    again = after(ended, MainStarted(1, "counter.Other"), MainEnded(1, "normal", normal=True))
    assert (again.status, again.reason) == (S.STOPPED, "the main application ended")
    assert after(ended, GuestTook(2), MainEnded(2, "bang", normal=False)).reason.endswith(": bang")


def test_a_started_main_makes_a_crashed_sandbox_run_again() -> None:
    crashed = after(RUNNING, MainEnded(1, "boom", normal=False))
    life = after(crashed, MainStarted(1, "counter.Other"))
    assert (life.status, life.main, life.reason) == (S.RUNNING, "counter.Other", "")


def test_stopping_in_order() -> None:
    stopping = after(RUNNING, StopBegan(1))
    assert kinds(apply(stopping, MainEnded(1, "shutdown", normal=False))[1]) == [Announce]
    assert stopping.status is S.STOPPING
    assert after(stopping, MainEnded(1, "normal", normal=True)).status is S.STOPPING
    assert after(stopping, StopEnded(1)).status is S.STOPPED


def test_a_guest_that_does_not_stop_in_time_is_killed() -> None:
    life, actions = apply(after(RUNNING, StopBegan(1)), StopRefused(1, "too slow"))
    assert (life.status, life.present, life.reason) == (S.STOPPED, False, "too slow")
    assert Retire(1, "too slow") in actions


def test_an_os_process_that_ends_by_itself_crashes_the_sandbox_with_its_exit_status() -> None:
    life, actions = apply(RUNNING, GuestExited(1, "exit 3"))
    assert (life.status, life.present, life.reason) == (S.CRASHED, False, "its OS process ended with exit 3")
    assert kinds(actions) == [Retire, RaiseAlert, Tell, Announce]
    assert kinds(apply(after(RUNNING, StopBegan(1)), GuestExited(1, "exit 3"))[1]) == [Retire, Announce]


def test_processor_time_is_what_the_system_says_and_not_what_the_last_words_are() -> None:
    lies = apply(RUNNING, GuestExited(1, "exit 3: x (SIGXCPU)"))[1]
    assert [action.limit for action in lies if isinstance(action, RaiseAlert)] == ["crash"]
    told = apply(RUNNING, GuestExited(1, "signal 24 (SIGXCPU)", signal=signal.SIGXCPU))[1]
    assert [action.limit for action in told if isinstance(action, RaiseAlert)] == ["cpu_limit"]


def test_an_exit_after_a_crash_keeps_the_first_reason() -> None:
    crashed = after(RUNNING, MainEnded(1, "boom", normal=False))
    assert after(crashed, GuestExited(1, "exit 0")).reason == crashed.reason


def test_memory_over_the_limit_alerts_and_far_over_kills() -> None:
    told, actions = apply(RUNNING, MemoryOver(1, 55_000_000, 50_000_000, kill=False))
    assert told.status is S.RUNNING
    assert [action.limit for action in actions if isinstance(action, RaiseAlert)] == ["memory_limit"]
    killed, actions = apply(RUNNING, MemoryOver(1, 90_000_000, 50_000_000, kill=True))
    assert killed.status is S.CRASHED and killed.reason == (
        "memory: it used 90.0 MB, more than max_memory (50 MB), and was killed; "
        "`%sandbox limits shop --max-memory SIZE` lets it have more"
    )
    assert kinds(actions) == [Retire, RaiseAlert, Announce]


@pytest.mark.parametrize("event", [DiskOver(1, 134_000_000, 9), LimitCounted(1, "threads_limit", "x", ends=True)])
def test_who_was_ended_by_a_limit_is_told_how_to_begin_anew_and_the_reason_stays_short(event: Any) -> None:
    ended, actions = apply(RUNNING, event)
    (alert,) = [action for action in actions if isinstance(action, RaiseAlert)]
    assert "; `%sandbox restart shop` begins anew" in alert.message and "restart" not in ended.reason


def test_run_time_over_the_limit_stops_with_an_alert() -> None:
    life, actions = apply(RUNNING, RuntimeOver(1, 300_000))
    assert (life.status, life.reason, life.present) == (S.STOPPED, "it ran longer than max_runtime (300 s)", False)
    assert kinds(actions) == [Retire, RaiseAlert, Announce]


@pytest.mark.parametrize("status", [S.STOPPED, S.CRASHED])
def test_run_time_over_the_limit_after_the_end_says_both(status: S) -> None:
    ended = replace(RUNNING, status=status, reason="the main application ended")
    life, actions = apply(ended, RuntimeOver(1, 3_000))
    assert (life.status, life.present) == (status, False)
    assert life.reason == "the main application ended; its OS process ran on, longer than max_runtime (3 s)"
    assert kinds(actions) == [Retire, RaiseAlert, Announce]


def test_a_stuck_callback_is_interrupted_first_and_the_sandbox_killed_last_with_the_place() -> None:
    first = HandlerOver(1, 1, last=False, process="front <0.7.0>", budget_ms=5000)
    life, actions = apply(RUNNING, first)
    assert life.status is S.RUNNING and kinds(actions) == [Interrupt, RaiseAlert]
    doing = "a callback of front <0.7.0> ran longer than 5000 ms; it is being interrupted; "
    doing += "`%sandbox limits shop --handler-budget MS` lets it run longer"
    assert actions[1] == RaiseAlert("hang", doing, again=True)  # whether it works nobody knows yet
    assert kinds(apply(RUNNING, replace(first, attempt=2))[1]) == [Interrupt]
    dump = 'Current thread 0x7f (most recent call first):\n  File "cell", line 3 in spin\n  File "cell", line 9 in go\n'
    where = "5000 ms; it hangs at cell line 3 in spin; it is being interrupted"
    assert apply(RUNNING, replace(first, dump=dump))[1][1] == RaiseAlert(
        "hang", doing.replace("5000 ms; it is being interrupted", where), again=True
    )
    killed, actions = apply(RUNNING, replace(first, attempt=3, last=True, dump=dump))
    assert killed.status is S.CRASHED and killed.reason == (
        "hang: a callback of front <0.7.0> ran longer than 5000 ms and could not be interrupted; "
        "it hangs at cell line 3 in spin"
    )
    assert kinds(actions) == [Tell, Retire, RaiseAlert, Announce]
    assert isinstance(actions[2], RaiseAlert) and not actions[2].again
    assert actions[2].message.endswith("it hangs at cell line 3 in spin; `%sandbox restart shop` begins anew")
    assert isinstance(actions[0], Tell) and actions[0].traceback == (
        "Traceback (most recent call last):", '  File "cell", line 9, in go', '  File "cell", line 3, in spin',
    )  # fmt: skip


def test_a_hang_of_who_was_stopped_by_a_signal_is_told_as_that() -> None:
    event = HandlerOver(1, 3, last=True, process="front <0.7.0>", budget_ms=5000, stopped=True)
    killed, _ = apply(RUNNING, event)
    assert killed.reason == (
        "hang: a callback of front <0.7.0> ran longer than 5000 ms and could not be interrupted: "
        "a signal has stopped its OS process (SIGSTOP, say)"
    )
    assert "it is being interrupted" not in str(apply(RUNNING, replace(event, attempt=1, last=False))[1])


def test_a_hang_of_another_thread_is_told_with_where_that_one_is() -> None:
    event = HandlerOver(1, 1, last=False, process="", budget_ms=5000, deaf=True)
    who = "a thread beside its processes, for which everything waits, ran longer than 5000 ms"
    first = apply(RUNNING, event)[1][1]
    assert first == RaiseAlert(
        "hang", f"{who}; it computes in C, holds Python's lock and cannot be interrupted", again=True
    )
    dump = (
        'Thread 0x7e (most recent call first):\n  File "cell", line 2 in work\n\n'
        'Current thread 0x7f (most recent call first):\n  File "cell", line 3 in innocent\n'
    )
    killed, _ = apply(RUNNING, replace(event, attempt=3, last=True, dump=dump))
    assert killed.reason == f"hang: {who} and could not be interrupted; it hangs at cell line 2 in work"


def test_a_broken_protocol_and_a_lost_state_end_the_guest() -> None:
    for event in (ProtocolBroken(1, "nonsense"), GivenUp(1, "nobody knows")):
        life, actions = apply(RUNNING, event)
        assert (life.status, life.present) == (S.CRASHED, False)
        assert Retire in kinds(actions)


def test_a_limit_that_the_node_counts_is_only_told() -> None:
    life, actions = apply(RUNNING, LimitCounted(1, "process_limit", "100 processes"))
    assert life == RUNNING and actions[0] == RaiseAlert("process_limit", "100 processes")
    seen = apply(RUNNING, LimitCounted(1, "file_limit", "16 MB", seen=True))[1]
    assert seen[0] == RaiseAlert("file_limit", "16 MB", again=True)


def test_a_fresh_guest_takes_over_and_the_old_one_retires() -> None:
    life, actions = apply(RUNNING, GuestTook(2, paused=True, main="counter.Shop"))
    assert (life.status, life.generation) == (S.PAUSED, 2)
    assert actions[0] == Retire(1, REPLACED)


def test_a_restart_retires_the_old_guest_first() -> None:
    life, actions = apply(RUNNING, RestartBegan())
    assert (life.status, life.present) == (S.STARTING, False)
    assert actions[0] == Retire(1, REPLACED)
    assert after(life, GuestTook(2)).status is S.RUNNING


def test_news_of_an_older_guest_changes_nothing() -> None:
    second = after(RUNNING, GuestTook(2))
    for event in (GuestExited(1, "exit 0"), Paused(1), MainEnded(1, "boom", normal=False), GuestTook(2)):
        assert apply(second, event) == (second, ())


def test_destroy_is_possible_in_every_status_and_forgets() -> None:
    for status in S:
        life, actions = apply(replace(RUNNING, status=status), DestroyAsked())
        assert life.destroyed and kinds(actions) == [Retire, Forget]
    assert "destroyed" in str(refusal(life, "look"))


def test_an_event_that_the_table_does_not_have_is_a_bug() -> None:
    with pytest.raises(InternalError, match="StopEnded cannot happen while sandbox 'shop' is running"):
        apply(RUNNING, StopEnded(1))


@pytest.mark.parametrize(
    ("status", "verb", "error", "todo"),
    [
        (S.RUNNING, "step", UsageError, "%sandbox pause shop"),
        (S.PAUSED, "start", UsageError, "%sandbox resume shop"),
        (S.STARTING, "act", SandboxBusy, "%sandbox info shop"),
        (S.RELOADING, "load", SandboxBusy, "%sandbox info shop"),
        (S.STOPPED, "act", SandboxGone, "%sandbox start shop"),
        (S.CRASHED, "pause", SandboxGone, "%sandbox restart shop"),
    ],
)
def test_a_refusal_says_what_to_do_next(status: S, verb: str, error: type, todo: str) -> None:
    refused = refusal(replace(RUNNING, status=status), verb)  # type: ignore[arg-type]
    assert isinstance(refused, error) and str(refused).endswith(todo) and "\n" not in str(refused)


def test_looking_needs_a_guest() -> None:
    assert isinstance(refusal(after(RUNNING, GuestExited(1, "exit 3")), "look"), SandboxGone)


EVENTS = st.one_of(
    st.builds(GuestTook, st.integers(1, 4), st.booleans()), st.builds(BuildFailed, st.just("x")),
    st.builds(RestartBegan), *(st.builds(cls, st.integers(1, 4)) for cls in
    (Paused, Resumed, ReloadBegan, ReloadEnded, StopBegan, StopEnded)),
    st.builds(MainEnded, st.integers(1, 4), st.just("x"), st.booleans()),
    st.builds(MainStarted, st.integers(1, 4), st.just("m.C")),
    *(st.builds(cls, st.integers(1, 4), st.just("x")) for cls in (GuestExited, StopRefused, ProtocolBroken, GivenUp)),
    st.builds(RuntimeOver, st.integers(1, 4), st.just(5)),
    st.builds(MemoryOver, st.integers(1, 4), st.just(9), st.just(5), st.booleans()),
    st.builds(DiskOver, st.integers(1, 4), st.just(9), st.just(5)),
)  # fmt: skip


@given(st.lists(EVENTS, max_size=30))
def test_whatever_happens_a_guest_that_is_gone_was_retired_and_a_running_sandbox_has_one(
    events: list[LifeEvent],
) -> None:
    life, retired = NEW, set()
    for event in events:
        before = life
        try:
            life, actions = apply(life, event)
        except InternalError:
            assert before.status not in MOVES[type(event)]
            continue
        retired |= {action.generation for action in actions if isinstance(action, Retire)}
        if before.present and not life.present:
            assert before.generation in retired
        if life.status in (S.RUNNING, S.PAUSED, S.RELOADING, S.STOPPING):
            assert life.present
        assert life.generation >= before.generation


def test_every_event_and_every_verb_stands_in_its_table() -> None:
    assert set(MOVES) == set(LifeEvent.__args__)  # type: ignore[attr-defined]
    assert all(statuses for statuses in PERMITTED.values())
