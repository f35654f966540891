"""The same inside a container: Docker's own filter is there first, and our layers and reports hold beside it."""

from __future__ import annotations

import sys

import pytest

from .places import container
from .reaching import ALL, fails

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def test_strict_holds_in_a_container(strict_machine: None) -> None:
    told = container().told("", ALL)
    assert told.profile == "strict" and all(told.layers.values())
    assert {name: answer for name, answer in told.answers.items() if not fails(name, answer)} == {}


def test_a_container_without_landlock_is_reported_as_less(strict_machine: None) -> None:
    attempts = {"a file": "open('/etc/passwd')", "the network": ALL["network: TCP"], "a child": ALL["children: fork"]}
    told = container("old").told("", attempts)
    assert told.profile == "basic+seccomp" and told.layers["seccomp"] and not told.layers["landlock"]
    assert told.answers == {"a file": "worked", "the network": "EPERM", "a child": "EPERM"}
    assert {"it can read and change your files"} < set(told.not_stopped)


def test_a_filter_of_the_container_does_not_count_as_ours(strict_machine: None) -> None:
    told = container().told("basic", {})
    assert told.profile == "basic" and "seccomp" not in told.layers
