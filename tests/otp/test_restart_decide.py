"""The supervisor's decisions as tables: given these children and this event, these actions in this order."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import Child, GenServer, restart


class Worker(GenServer):
    """Any child."""


def running(
    strategy: str, *restarts: str, intensity: int = 3, auto_shutdown: str = "never", **child: Any
) -> restart.State:
    """A supervisor with running children a, b, c, ... of these restart types."""
    state = restart.State(restart.Flags(strategy, intensity, 5, auto_shutdown))
    for number, kind in enumerate(restarts):
        restart.add(state, Child(Worker, id="abcdef"[number], restart=kind, **child).settled(), Pid.of(number + 1))
    return state


def exited(id: str, reason: Any) -> restart.Exited:
    return restart.Exited(Pid.of("abcdef".index(id) + 1), reason)


def played(state: restart.State, event: restart.Event, *, failing: tuple[str, ...] = (), now_s: int = 0) -> str:
    """The actions that an event leads to, in short: ``-c`` stops c, ``+c`` starts it, ``?c`` asks to try c again."""
    words, fails, pid = [], list(failing), 100
    action = restart.decide(state, event, now_s)
    while action is not None:
        outcome: restart.Event | None = None
        match action:
            case restart.Start(id=id):
                words.append(f"+{id}")
                pid += 1
                outcome = restart.Started(id, Pid.of(pid))
                if id in fails:
                    fails.remove(id)
                    outcome = restart.NotStarted(id, "failed")
            case restart.StopChild(id=id):
                words.append(f"-{id}")
                outcome = restart.Stopped(id)
            case restart.Retry(id=id):
                words.append(f"?{id}")
            case restart.StopAll():
                words.append("-all")
            case restart.GiveUp(reason=reason):
                words.append(f"exit {reason}")
                break
        action = restart.next_action(state) if outcome is None else restart.decide(state, outcome, now_s)
    return " ".join(words)


@pytest.mark.parametrize(
    ("strategy", "actions"),
    [("one_for_one", "+b"), ("one_for_all", "-c -a +a +b +c"), ("rest_for_one", "-c +b +c")],
)
def test_who_is_restarted_when_b_of_three_crashes(strategy: str, actions: str) -> None:
    assert played(running(strategy, *["permanent"] * 3), exited("b", "boom")) == actions


@pytest.mark.parametrize(
    ("kind", "reason", "actions"),
    [
        ("permanent", "normal", "+a"),
        ("permanent", "shutdown", "+a"),
        ("permanent", "boom", "+a"),
        ("transient", "normal", ""),
        ("transient", "shutdown", ""),
        ("transient", ("shutdown", "why"), ""),
        ("transient", "killed", "+a"),
        ("temporary", "boom", ""),
        ("temporary", "normal", ""),
    ],
)
def test_whether_a_child_is_restarted_is_said_by_its_type_and_reason(kind: str, reason: Any, actions: str) -> None:
    assert played(running("one_for_one", kind), exited("a", reason)) == actions


@pytest.mark.parametrize(("kind", "left"), [("permanent", ["a"]), ("transient", ["a"]), ("temporary", [])])
def test_only_a_temporary_child_loses_its_specification_when_it_ends(kind: str, left: list[str]) -> None:
    state = running("one_for_one", kind)
    played(state, exited("a", "normal"))

    assert list(state.entries) == left


def test_a_temporary_sibling_is_stopped_with_its_group_and_forgotten() -> None:
    state = running("one_for_all", "permanent", "temporary", "permanent")

    assert played(state, exited("a", "boom")) == "-c -b +a +c"
    assert list(state.entries) == ["a", "c"]


def test_a_group_restart_also_starts_siblings_that_were_stopped() -> None:
    state = running("one_for_all", "permanent", "transient")
    played(state, exited("b", "normal"))

    assert played(state, exited("a", "boom")) == "+a +b"


@pytest.mark.parametrize(
    ("strategy", "actions"),
    [("one_for_all", "-c -a +a +b ?b"), ("rest_for_one", "-c +b ?b")],
)
def test_a_start_that_fails_in_a_group_restart_is_tried_again(strategy: str, actions: str) -> None:
    state = running(strategy, *["permanent"] * 3)

    assert played(state, exited("b", "boom"), failing=("b",)) == actions
    assert state.entries["b"].restarting


def test_the_retry_of_one_for_all_stops_who_runs_and_starts_the_whole_group() -> None:
    state = running("one_for_all", *["permanent"] * 3)
    played(state, exited("b", "boom"), failing=("b",))

    assert played(state, restart.TryAgain("b")) == "-a +a +b +c"


def test_a_failed_first_start_stops_those_already_started() -> None:
    state = running("one_for_one", *["permanent"] * 3)
    for entry in state.entries.values():
        entry.pid = None

    reason = ("shutdown", ("failed_to_start_child", "c", "failed"))
    assert played(state, restart.Begin(), failing=("c",)) == f"+a +b +c -b -a exit {reason}"


def test_one_restart_too_many_stops_all_in_reverse_and_exits_with_shutdown() -> None:
    state = running("one_for_one", *["permanent"] * 3, intensity=1)
    assert played(state, exited("a", "boom")) == "+a"

    assert played(state, exited("b", "boom"), now_s=5) == "-c -a exit shutdown"


def test_restarts_older_than_the_period_do_not_count() -> None:
    state = running("one_for_one", *["permanent"] * 2, intensity=1)
    played(state, exited("a", "boom"))

    assert played(state, exited("b", "boom"), now_s=6) == "+b"


def test_each_retry_counts() -> None:
    state = running("one_for_one", "permanent", intensity=2)
    assert played(state, exited("a", "boom"), failing=("a",)) == "+a ?a"
    assert played(state, restart.TryAgain("a"), failing=("a",)) == "+a ?a"

    assert played(state, restart.TryAgain("a")) == "exit shutdown"


def test_a_retry_for_a_child_that_was_stopped_meanwhile_does_nothing() -> None:
    state = running("one_for_one", "permanent")
    played(state, exited("a", "boom"), failing=("a",))
    state.entries["a"].restarting = False

    assert played(state, restart.TryAgain("a")) == ""


@pytest.mark.parametrize(
    ("auto_shutdown", "first", "second"),
    [("never", "", ""), ("any_significant", "-b exit shutdown", None), ("all_significant", "", "exit shutdown")],
)
def test_auto_shutdown_when_significant_children_end_by_themselves(
    auto_shutdown: str, first: str, second: str | None
) -> None:
    significant = {} if auto_shutdown == "never" else {"significant": True}
    state = running("one_for_one", "transient", "transient", auto_shutdown=auto_shutdown, **significant)

    assert played(state, exited("a", "normal")) == first
    if second is not None:
        assert played(state, exited("b", "normal")) == second


def test_an_exit_of_a_stranger_is_nothing_to_a_supervisor() -> None:
    assert played(running("one_for_all", "permanent"), restart.Exited(Pid.of(77), "boom")) == ""


def test_how_many_restarts_are_left_depends_on_the_time() -> None:
    state = running("one_for_one", "permanent", intensity=2)
    played(state, exited("a", "boom"), now_s=10)

    assert [restart.window_left(state, now) for now in (10, 15, 16)] == [1, 1, 2]
