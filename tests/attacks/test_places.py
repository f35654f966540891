"""The battery in other places: for an ordinary user and inside a container every attack ends as it does here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ..left_out import MAY_LACK
from .battery import BATTERY
from .places import HERE, Place, container, ordinary_user, root

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

PLACES = ("ordinary user", "root", "container")
EXPECTED_SKIPS = (*MAY_LACK, "jupyter_client is not installed", "there is no numpy here", "there is no anywidget here")
NOT_THERE = (
    "test_places.py", "test_container.py", "test_ordinary_user.py", "test_battery.py", "test_soak.py",
    "test_markup.py", "test_seclusion.py",
)  # fmt: skip
"""Tests that go to such places themselves, or ask about nothing that a place could change."""


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with ExitStack() as stack:
        if request.param == "container":
            yield container()
        elif request.param == "root":
            yield as_root()
        elif os.geteuid() != 0:
            pytest.skip("only root can become another user")
        else:
            yield stack.enter_context(ordinary_user())


def as_root() -> Place:
    """Where CI belongs to an ordinary user who may become root."""
    if os.geteuid() == 0:
        pytest.skip("this is root already")
    if not os.environ.get("CI"):
        pytest.skip("nobody but CI becomes root for a test")
    found = root()
    if found is None:
        pytest.skip("sudo does not make this user root without a question")
    return found


def hold(place: Place, tests: list[str], timeout_s: float) -> int:
    """Run tests there; all must pass, and none may be left out but for a reason that is expected. How many passed."""
    done = place.run(["-m", "pytest", "-q", "-rsfE", "--tb=short", *tests], timeout_s)
    told = done.stdout[-6000:] + done.stderr[-1000:]
    assert done.returncode == 0, f"{place.name}: {told}"
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert [line for line in skipped if not any(reason in line for reason in EXPECTED_SKIPS)] == []
    found = re.search(r"(\d+) passed", done.stdout)
    assert found, told
    return int(found[1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_of_the_sixty_cases_ends_the_same_elsewhere(place: Place) -> None:
    first = dict.fromkeys(f"tests/attacks/{case.tests[0]}" for case in BATTERY.values())
    assert hold(place, list(first), 500) == len(first)


@pytest.mark.slow
def test_every_attack_can_begin_elsewhere(place: Place) -> None:
    """What it needs is there: the campaign, which runs them all, is seldom."""
    done = place.run(["-m", "pytest", "--collect-only", "-q", *left_out(), "tests/attacks"], 100)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.campaign
@pytest.mark.timeout(1200)
def test_every_attack_ends_the_same_elsewhere(place: Place) -> None:
    assert hold(place, ["-m", "not campaign", *left_out(), "tests/attacks"], 1100) > 400


def left_out() -> list[str]:
    """Options for pytest."""
    return [f"--ignore=tests/attacks/{name}" for name in NOT_THERE]


def test_no_file_of_attacks_is_left_out_by_accident() -> None:
    assert {path.name for path in HERE.glob("test_*.py")} >= set(NOT_THERE)
