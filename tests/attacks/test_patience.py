"""The questions that follow every attack are asked in earnest: a kernel that is busy and a bystander that rests fail.

Load by others does not: what an echo had to wait for as well is taken off, unless nearly nobody else is there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_sandbox.isolation import landlock, system
from jupyter_sandbox.isolation.layers import SWITCH
from jupyter_sandbox.model.protection import Protection

from . import conftest
from .conftest import Arena, has_strict, what_this_machine_lacks
from .patience import ALONE, WORK_S, Load, Moment, stood_in_line_s


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


@pytest.fixture
def quiet(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where nobody else works: what others take would be taken off here, too."""
    monkeypatch.setattr(arena.patience, "reference", SimpleNamespace(load=lambda begin, end: Load(0.0, 0.0)))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", BUSY)
def test_a_manager_that_is_busy_fails(arena: Arena, name: str) -> None:
    act, told = BUSY[name]
    arena.ticks()
    with pytest.raises(AssertionError, match=told):
        arena.watch(lambda: arena.manager._loop.post(act))
        arena.watch(lambda: None)


@pytest.mark.usefixtures("quiet")
def test_a_kernel_that_somebody_else_holds_fails(arena: Arena) -> None:
    with pytest.raises(AssertionError, match=r"the kernel was busy for|the manager worked"):
        arena.watch(hold_everything)


@pytest.mark.usefixtures("quiet")
def test_a_bystander_that_answers_and_does_not_tick_fails(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    still = arena.ticks()
    monkeypatch.setattr(arena, "ticks", lambda: still)
    with pytest.raises(AssertionError, match=r"the bystander did not tick for \d+\.\d+ s"):
        arena.watch(lambda: time.sleep(0.1))


@pytest.mark.usefixtures("quiet")
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


@pytest.mark.parametrize(
    ("stood_s", "others", "fails"), [(0.1, 0.9, True), (0.3, 0.9, False), (0.3, 0.5, True), (0.9, ALONE / 2, True)]
)
def test_standing_in_line_for_others_is_taken_off_by_their_part(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, stood_s: float, others: float, fails: bool
) -> None:
    monkeypatch.setattr(arena.patience, "reference", SimpleNamespace(load=lambda begin, end: Load(0.0, others)))
    begin, end = Moment(100.0, 7.0, 3.0), Moment(101.2, 7.1, 3.0 + stood_s)
    assert bool(arena.patience.unanswered(begin, end)) is fails


def test_who_computes_beside_others_stands_in_line_and_who_sleeps_does_not(arena: Arena) -> None:
    def stood(act: Callable[[], None]) -> float:
        before = stood_in_line_s(threading.get_native_id())
        act()
        return stood_in_line_s(threading.get_native_id()) - before

    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this Linux does not count it")
    before, mine = os.sched_getaffinity(0), threading.get_native_id()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            os.sched_setaffinity(other.pid, {min(before)})
            os.sched_setaffinity(mine, {min(before)})
            computing_s, sleeping_s = stood(work), stood(lambda: time.sleep(0.1))
            assert computing_s > 0.1 and computing_s > sleeping_s
        finally:
            os.sched_setaffinity(mine, before)
            other.kill()


@pytest.mark.parametrize("protection", [None, Protection("basic+seccomp")])
@pytest.mark.parametrize(
    ("ci", "lacking", "end"),
    [
        ("true", "", "Failed"),
        ("true", "this Linux has no Landlock", "Failed"),
        ("", "", "Failed"),
        ("", "this Linux has no Landlock", "Skipped"),
    ],
)
def test_ci_fails_where_there_is_no_strict_profile_and_so_does_whoever_could_have_it(
    monkeypatch: pytest.MonkeyPatch, protection: Protection | None, ci: str, lacking: str, end: str
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(conftest, "what_this_machine_lacks", lambda: lacking)
    with pytest.raises(BaseException, match=f"no strict profile, {lacking}") as met:
        has_strict(protection)
    assert type(met.value).__name__ == end
    has_strict(Protection("strict"))


def test_a_machine_lacks_what_linux_says_and_not_what_a_layer_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    here = what_this_machine_lacks()
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(system, "install_filter", lambda program: None)
    assert what_this_machine_lacks() == here
    monkeypatch.setenv(SWITCH, "landlock")
    assert here or what_this_machine_lacks() == f"{SWITCH} leaves out layers"


def test_the_reference_tells_how_long_an_echo_takes_and_what_is_used_by_others(arena: Arena) -> None:
    begin, end = arena.patience.now(), time.thread_time() + 0.5
    while time.thread_time() < end:
        pass
    now = arena.patience.now()
    load = arena.patience.reference.load(begin, now)
    assert 0 < load.echo_s < now.at_s - begin.at_s + 60
    ours = 0.4 / (os.cpu_count() or 1) / (now.at_s - begin.at_s)  # this very loop is, and ticks are counted whole
    assert 0 <= load.others < 1 - ours
