"""The questions that follow every attack are asked in earnest: a kernel that is busy and a bystander that rests fail.

Load by others does not: what an echo had to wait for as well is taken off, unless nearly nobody else is there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from jupyter_sandbox.model.protection import Protection

from .conftest import Arena, has_strict
from .patience import ALONE, WORK_S, Load, Moment


def hold_everything() -> None:
    """Nobody else runs Python in this kernel meanwhile, and the manager's thread does not either."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(100)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        pass
    sys.setswitchinterval(before)


def work() -> None:
    end = time.thread_time() + WORK_S + 0.1
    while time.thread_time() < end:
        pass


BUSY: dict[str, tuple[Callable[[], None], str]] = {
    "a manager that waits": (lambda: time.sleep(2.0), r"the kernel was busy for \d\.\d+ s, not 1 s"),
    "a manager that works": (work, r"the manager worked 0\.\d+ s during one question"),
}


@pytest.mark.parametrize("name", BUSY)
def test_a_manager_that_is_busy_fails(arena: Arena, name: str) -> None:
    act, told = BUSY[name]
    arena.ticks()
    with pytest.raises(AssertionError, match=told):
        arena.watch(lambda: arena.manager._loop.post(act))
        arena.watch(lambda: None)


def test_a_kernel_that_somebody_else_holds_fails(arena: Arena) -> None:
    with pytest.raises(AssertionError, match=r"the kernel was busy for|the manager worked"):
        arena.watch(hold_everything)


def test_a_bystander_that_answers_and_does_not_tick_fails(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    still = arena.ticks()
    monkeypatch.setattr(arena, "ticks", lambda: still)
    with pytest.raises(AssertionError, match=r"the bystander did not tick for 1\.\d+ s"):
        arena.watch(lambda: time.sleep(0.1))


def test_a_bystander_that_pauses_in_between_fails(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it has ticked by the end."""
    ticks, begin = arena.ticks, time.monotonic()
    still = ticks()

    def paused() -> int:
        return ticks() if time.monotonic() - begin > 2 else still

    monkeypatch.setattr(arena, "ticks", paused)
    with pytest.raises(AssertionError, match="the bystander did not tick"):
        arena.watch(lambda: time.sleep(2.5))


@pytest.mark.parametrize(
    ("waited_s", "echo_s", "others", "fails"),
    [
        (0.9, 0.0, 0.0, False),
        (1.2, 0.1, 0.9, True),
        (1.2, 0.3, 0.9, False),
        (1.2, 0.3, 2 * ALONE, False),
        (1.2, 0.3, ALONE / 2, True),
        (3.0, 1.9, 0.9, True),
    ],
)
def test_what_an_echo_waits_for_is_taken_off_unless_we_are_alone(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, waited_s: float, echo_s: float, others: float, fails: bool
) -> None:
    load = Load(echo_s, others)
    monkeypatch.setattr(arena.patience, "reference", SimpleNamespace(load=lambda begin, end: load))
    assert bool(arena.patience.unanswered(Moment(100.0, 7.0), Moment(100.0 + waited_s, 7.1))) is fails


@pytest.mark.parametrize(("ci", "end"), [("true", "Failed"), ("", "Skipped")])
def test_ci_fails_where_there_is_no_strict_profile(monkeypatch: pytest.MonkeyPatch, ci: str, end: str) -> None:
    monkeypatch.setenv("CI", ci)
    for protection in (None, Protection("basic+seccomp")):
        with pytest.raises(BaseException, match="strict profile") as met:
            has_strict(protection)
        assert type(met.value).__name__ == end
    has_strict(Protection("strict"))


def test_the_reference_tells_how_long_an_echo_takes_and_what_is_used_by_others(arena: Arena) -> None:
    begin = arena.patience.now()
    while time.monotonic() < begin.at_s + 0.5:
        pass
    load = arena.patience.reference.load(begin, arena.patience.now())
    assert 0 < load.echo_s < 5 and 0 <= load.others < 0.98, "this very loop is ours"
