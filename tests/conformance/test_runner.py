"""The runner on files and scenarios that it has never seen: every one passes or is told as failed, and it goes on."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from .__main__ import main
from .driver import NodeArm, Observed, Ops
from .runner import failures
from .test_golden import ALONE, NOTE, SEEN, made

GOOD = made((NOTE, SEEN), final=ALONE)


def file_of(folder: Path, *lines: Any, name: str = "some.jsonl") -> str:
    path = folder / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return str(path)


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(list(arguments))
    return code, capsys.readouterr().out.splitlines()


def test_the_same_id_in_two_files_is_run_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [file_of(tmp_path, GOOD, name=name) for name in ("a.jsonl", "b.jsonl")]

    assert ran(capsys, *files) == (0, ["2 passed, 0 failed"])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"id": "x"', "is no JSON"),
        ("[1]", "is no scenario but a list"),
        ({"id": "x", "ops": []}, "has no expected of type dict: x"),
        (GOOD | {"expected": {"ops": []}}, "expects 0 observations of 1 ops: own"),
        (GOOD | {"expected": {}}, "has no list of expected observations: own"),
    ],
)
def test_a_broken_line_is_one_told_line_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: Any, what: str
) -> None:
    path = file_of(tmp_path, GOOD, line, GOOD)

    code, (told, closing) = ran(capsys, path)

    assert (code, closing) == (1, "2 passed, 1 failed")
    assert told.startswith(f"{path}:2: {what}")


def test_what_is_no_file_of_scenarios_is_one_told_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, noise = file_of(tmp_path, "", name="empty"), tmp_path / "noise"
    noise.write_bytes(b"\xff\xfe")
    files = [str(tmp_path / "missing"), str(tmp_path), empty, str(noise), file_of(tmp_path, GOOD)]

    code, lines = ran(capsys, *files)

    assert code == 1
    assert [line.rpartition(": ")[2].split()[0] for line in lines[:2]] == ["No", "Is"]
    assert "holds no scenario" in lines[2] and "is no text in UTF-8" in lines[3]
    assert lines[4:] == ["1 passed, 4 failed"]


def test_an_id_that_no_file_holds_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = ran(capsys, file_of(tmp_path, GOOD), "--id", "nowhere")

    assert (code, lines[-1]) == (1, "0 passed, 1 failed")


SERVER = {"kind": "server", "label": "a"}


@pytest.mark.parametrize(
    ("op", "what"),
    [
        ({"cmd": "teleport"}, "command teleport"),
        ({"cmd": "link", "to": "a", "gently": True}, "field gently of command link"),
        ({"cmd": "start", "spec": {"kind": "robot", "label": "a"}}, "kind robot"),
        ({"cmd": "start", "spec": SERVER | {"colour": 1}}, "field colour of kind server"),
        ({"cmd": "cast", "to": "a", "msg": {"do": [{"cmd": "fly"}]}}, "command fly"),
        ({"cmd": "cast", "to": "a", "msg": {"do": [{"cmd": "keep_state", "actions": ["dance"]}]}}, "action dance"),
        ({"cmd": "call", "to": "a", "msg": {"do": [{"cmd": "noreply", "then": {"wait": 1}}]}}, "field wait of then"),
        ({"no": "cmd"}, "no command: {'no': 'cmd'}"),
        (7, "no command: 7"),
    ],
)
def test_words_that_the_runner_does_not_know_fail_even_if_the_rest_agrees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], op: Any, what: str
) -> None:
    code, lines = ran(capsys, file_of(tmp_path, made((op, {"ret": {"skip": "a"}})), GOOD))

    assert (code, lines[-1]) == (1, "1 passed, 1 failed")
    assert lines[0] == "own (own): own"
    assert lines[1].startswith("  op 0 ") and 'ret expected {"skip": "a"}' in lines[2]
    assert what in "\n".join(lines)


@pytest.mark.parametrize(
    ("op", "what"),
    [
        ({"cmd": "demonitor", "ref": "m", "in": "root"}, "no reference has the name m"),
        ({"cmd": "cancel_timer", "timer": "t"}, "no reference has the name t"),
        ({"cmd": "send", "to": {"alias": "al"}, "msg": "x"}, "no reference has the name al"),
        ({"cmd": "send", "to": "root", "msg": {"table": "t"}}, "no table has the name t"),
        ({"cmd": "call", "to": 7, "msg": "x"}, "7 is no target"),
        ({"cmd": "receive_response", "as": "q"}, "command receive_response: KeyError"),
    ],
)
def test_a_reference_that_nothing_has_is_told_at_its_op(op: Any, what: str) -> None:
    ((_, _, actual, parts),) = failures(made((op, {"ret": {"value": True}}), (NOTE, SEEN), final=ALONE), NodeArm())

    assert parts == "ret" and what in actual["ret"]["unsupported"]


@pytest.mark.parametrize("label", ["a", "root#2", "root#0"])
def test_a_label_that_has_had_no_such_process_is_a_skip(label: str) -> None:
    ops = [{"cmd": "is_alive", "to": label}, {"cmd": "send", "to": "root", "msg": {"tuple": [{"pid": label}]}}]

    assert failures(made(*((op, {"ret": {"skip": label}}) for op in ops), final=ALONE), NodeArm()) == []


class Hanging(NodeArm):
    """An arm whose scenarios never end, and swallow what interrupts them once."""

    def run(self, ops: Ops) -> Observed:
        try:
            time.sleep(3_600)
        except BaseException:
            time.sleep(3_600)
        raise AssertionError("not reached")


def test_a_hanging_scenario_is_a_failure_and_the_next_one_runs() -> None:
    ((_, _, actual, what),) = failures(GOOD, Hanging(), limit_s=0.05)

    assert (actual, what) == ("not done after 0.05 s", "time limit")
    assert failures(GOOD, NodeArm()) == []


def test_a_scenario_that_takes_too_many_ticks_is_a_failure_in_both_arms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ticking = {"cmd": "send_interval", "ms": 1, "to": "root", "msg": "tick", "timer": "i"}
    endless = made((ticking, {"ret": {"value": "ok"}}), ({"cmd": "advance", "ms": 10**9}, {}))
    path = file_of(tmp_path, endless, GOOD)

    for arm in ("node", "sandbox"):
        code, lines = ran(capsys, path, "--arm", arm, "--limit", "1")
        assert (code, lines[-1]) == (1, "1 passed, 1 failed")
