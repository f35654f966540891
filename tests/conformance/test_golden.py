"""Every recorded scenario of Erlang/OTP, on an in-process node and in a real sandbox: one test per group and arm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .driver import Arm
from .runner import ARMS, failures, scenarios, told
from .sandboxed import SandboxArm

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.jsonl"))
MORE = sorted((Path(__file__).parent / "more").glob("*.jsonl"))
NOTE = {"cmd": "log", "in": "root", "value": "here"}
SEEN = {"ret": {"value": "ok"}, "log": [{"p": "root#1", "ev": "note", "value": "here"}]}
ALONE = {"alive": ["root#1"], "links": {}, "registered": {}}


@pytest.fixture(scope="module", params=sorted(ARMS))
def arm(request: pytest.FixtureRequest) -> Iterator[Arm]:
    with ARMS[request.param]() as made:
        yield made


@pytest.fixture
def sandboxes() -> Iterator[SandboxArm]:
    with SandboxArm() as made:
        yield made


def made(*steps: tuple[dict[str, Any], dict[str, Any]], final: Any = None) -> dict[str, Any]:
    """A scenario of our own."""
    expected: dict[str, Any] = {"ops": [wanted for _, wanted in steps]}
    if final is not None:
        expected["final"] = final
    return {"id": "own", "rule": "own", "title": "own", "ops": [op for op, _ in steps], "expected": expected}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_scenario_of_the_group_is_observed_as_erlang_recorded_it(path: Path, arm: Arm) -> None:
    failed = {one["id"]: told(one, found) for one in scenarios(path) if (found := failures(one, arm))}

    assert not failed, f"{len(failed)} scenarios differ: {', '.join(failed)}\n" + "\n".join(failed.values())[:20_000]


@pytest.mark.parametrize("path", MORE, ids=lambda path: path.stem)
def test_further_recordings_are_observed_as_erlang_made_them(path: Path) -> None:
    with ARMS["node"]() as arm:
        failed = {one["id"]: told(one, found) for one in scenarios(path) if (found := failures(one, arm))}

    assert not failed, "\n".join(failed.values())[:20_000]


def test_the_golden_files_hold_all_scenarios_once() -> None:
    ids = [scenario["id"] for path in FILES for scenario in scenarios(path)]

    assert len(ids) == len(set(ids)) == 891


def test_a_difference_is_told_with_the_op_and_both_sides(arm: Arm) -> None:
    scenario = made((NOTE, SEEN | {"ret": {"value": "other"}}), final=ALONE | {"alive": []})

    found = failures(scenario, arm)

    assert [what for _, _, _, what in found] == ["ret", "final"]
    assert 'ret expected {"value": "other"}\n    ret actual   {"value": "ok"}' in told(scenario, found)


def test_a_command_that_the_runner_does_not_know_is_a_failure(arm: Arm) -> None:
    found = failures(made(({"cmd": "teleport"}, {"ret": {"value": "ok"}})), arm)

    assert found[0][2] == {"unsupported": ["command teleport"]}


def test_a_scenario_that_is_no_scenario_is_a_failure_and_the_next_one_runs(arm: Arm) -> None:
    assert failures(made(({"cmd": "spawn", "how": "spawn"}, {"ret": {"value": "ok"}})), arm)
    assert not failures(made((NOTE, SEEN), final=ALONE), arm)


def test_what_a_scenario_leaves_behind_is_gone_in_the_next(sandboxes: SandboxArm) -> None:
    server = {"kind": "server", "label": "a", "name": "a", "trap_exit": True}
    started = {"ret": {"value": {"tuple": ["ok", {"pid": "a#1"}]}}, "log": [{"p": "a#1", "ev": "init"}]}
    ticking = {"cmd": "send_interval", "ms": 10, "to": {"name": "a"}, "msg": "tick", "timer": "i"}
    leaving = made(
        ({"cmd": "start", "how": "start", "spec": server}, started),
        ({"cmd": "ets_new", "in": "root", "table": "t", "named": True}, {"ret": {"value": "t"}}),
        (ticking, {"ret": {"value": "ok"}}),
    )

    assert not failures(leaving, sandboxes)
    assert not failures(made(({"cmd": "registered"}, {"ret": {"value": []}}), (NOTE, SEEN), final=ALONE), sandboxes)
    assert sandboxes.created == 1


def test_a_scenario_that_stops_the_node_is_observed_to_its_end_and_uses_its_sandbox_up(sandboxes: SandboxArm) -> None:
    stopping = made((NOTE, SEEN), ({"cmd": "node_stop"}, {"node_down": True}))

    assert not failures(stopping, sandboxes)
    assert not failures(stopping, sandboxes)
    assert sandboxes.created == 2
