"""The same attacks when the kernel belongs to an ordinary user, who has no powers that could be given up."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from .places import Place, ordinary_user
from .reaching import ALL, fails

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with ordinary_user() as found:
        yield found


def test_every_attempt_to_reach_out_fails_for_an_ordinary_user_too(strict_machine: None, place: Place) -> None:
    told = place.told("", ALL)
    assert told.profile == "strict" and all(told.layers.values()) and "capabilities" not in told.layers
    assert {name: answer for name, answer in told.answers.items() if not fails(name, answer)} == {}


def test_basic_is_the_same_for_an_ordinary_user(place: Place) -> None:
    attempts = {"limits": ALL["rights: limits up"], "a file": "open('/etc/passwd')"}
    told = place.told("basic", attempts)
    assert told.profile == "basic" and all(told.layers.values())
    assert told.answers == {"limits": "ValueError", "a file": "worked"}
