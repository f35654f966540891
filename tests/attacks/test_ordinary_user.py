"""The same attacks when the kernel belongs to an ordinary user, who has no powers that could be given up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import REFUSED
from .places import Place, ordinary_user
from .test_reach import ALL, ELSEWHERE

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with ordinary_user() as found:
        yield found


def run(place: Place, profile: str, attempts: dict[str, str]) -> Any:
    done = place.run([str(place.project / "tests/attacks/elsewhere.py"), profile, json.dumps(attempts)], 90)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_every_attempt_to_reach_out_fails_for_an_ordinary_user_too(strict_machine: None, place: Place) -> None:
    attempts = {name: text.format(kernel="KERNEL").strip() for name, text in ALL.items() if "\n" not in text}
    profile, layers, answers = run(place, "", attempts)
    assert profile == "strict" and all(layers.values()) and "capabilities" not in layers
    worked = {
        name: answer
        for name, answer in answers.items()
        if answer not in ELSEWHERE.get(name, REFUSED) and not ("/dev/" in ALL[name] and answer == "ENOENT")
    }
    assert worked == {}


def test_basic_is_the_same_for_an_ordinary_user(place: Place) -> None:
    attempts = {"limits": ALL["rights: limits up"], "a file": "open('/etc/passwd')"}
    profile, layers, answers = run(place, "basic", attempts)
    assert profile == "basic" and all(layers.values())
    assert answers == {"limits": "ValueError", "a file": "worked"}
