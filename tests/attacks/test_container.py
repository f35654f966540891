"""The same inside a container: Docker's own filter is there first, and our layers and reports hold beside it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from .conftest import REFUSED
from .places import HERE, container
from .test_reach import ALL, ELSEWHERE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def run(age: str, profile: str, attempts: dict[str, str]) -> Any:
    done = container(age).run([str(HERE / "elsewhere.py"), profile, json.dumps(attempts)], 90)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_strict_holds_in_a_container(strict_machine: None) -> None:
    attempts = {name: text.format(kernel="KERNEL").strip() for name, text in ALL.items() if "\n" not in text}
    profile, layers, answers = run("new", "", attempts)
    assert profile == "strict" and all(layers.values())
    assert {
        name: answer
        for name, answer in answers.items()
        if answer not in ELSEWHERE.get(name, REFUSED) and not ("/dev/" in ALL[name] and answer == "ENOENT")
    } == {}


def test_a_container_without_landlock_is_reported_as_less(strict_machine: None) -> None:
    attempts = {"a file": "open('/etc/passwd')", "the network": ALL["network: TCP"], "a child": ALL["children: fork"]}
    profile, layers, answers = run("old", "", attempts)
    assert profile == "basic+seccomp" and layers["seccomp"] and not layers["landlock"]
    assert answers == {"a file": "worked", "the network": "EPERM", "a child": "EPERM"}


def test_a_filter_of_the_container_does_not_count_as_ours(strict_machine: None) -> None:
    profile, layers, _ = run("new", "basic", {})
    assert profile == "basic" and "seccomp" not in layers
