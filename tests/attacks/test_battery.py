"""The battery is complete: sixty cases, each attacked by tests that exist and that ask what all attacks ask."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from .battery import BATTERY
from .places import HERE, PROJECT

FIXTURES = {"arena", "strict", "stage"}
WATCHES = {"attack", "attempt", "refuses", "watch", "works_again"}
"""What asks, while something is done, whether the kernel answers and the bystander ticks."""


@pytest.fixture(scope="module")
def collected() -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(HERE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=100, check=False)
    return {line.removeprefix("tests/attacks/") for line in done.stdout.splitlines() if "::" in line}


def test_there_are_sixty_cases() -> None:
    assert list(BATTERY) == list(range(1, 61))
    assert all(case.attack and case.tests for case in BATTERY.values())


def test_every_case_is_attacked_by_tests_that_exist(collected: set[str]) -> None:
    named = {test for case in BATTERY.values() for test in case.tests}
    assert named - collected == set()


def test_every_attack_asks_for_the_kernel_the_bystander_and_what_is_left_behind() -> None:
    named = {test.partition("[")[0] for case in BATTERY.values() for test in case.tests}
    assert [name for name in named if not {argument.arg for argument in function(name).args.args} & FIXTURES] == []
    assert [name for name in named if not called_in(function(name)) & WATCHES] == []


def function(test: str) -> ast.FunctionDef:
    file, _, name = test.partition("::")
    body = ast.parse((HERE / file).read_text()).body
    return next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == name)


def called_in(node: ast.AST) -> set[str]:
    calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
    return {call.attr for call in calls if isinstance(call, ast.Attribute)}
