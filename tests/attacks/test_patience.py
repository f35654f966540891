"""The questions that follow every attack are asked in earnest: a kernel that is busy and a bystander that rests fail.

Load by others does not: what an echo had to wait for as well is taken off, unless nearly nobody else is there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from .conftest import Arena
from .patience import ALONE, WORK_S, Moment, Patience


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
    monkeypatch.setattr(arena.patience, "_reference", SimpleNamespace(longest_s=lambda begin_s, end_s: echo_s))
    begin = Moment(100.0, 500.0, 200.0, 7.0)
    end = Moment(100.0 + waited_s, 502.0, 200.0 + 2.0 * (1 - others), 7.1)
    assert bool(arena.patience.unanswered(begin, end)) is fails


def test_the_reference_is_there_and_answers(arena: Arena) -> None:
    begin = arena.patience.now()
    time.sleep(0.2)
    end = arena.patience.now()
    patience: Patience = arena.patience
    assert 0 < patience._reference.longest_s(begin.at_s, end.at_s) < 5
    assert patience._reference.longest_s(end.at_s + 1_000, end.at_s + 2_000) == 0
    assert end.machine_s >= begin.machine_s and end.ours_s >= begin.ours_s
