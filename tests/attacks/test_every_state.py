"""Attacks that go over a limit while nobody expects the sandbox to do anything: paused, stopped, or not even begun."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import CAMP, Arena, Outcome
from .tools import CHANNEL

HARM = {
    "memory": (
        "import mmap\nheld = mmap.mmap.__base__(-1, 80_000_000)\nfor n in range(80): held.write(bytes(1_000_000))",
        "memory_limit",
    ),
    "disk": ("for n in range(9): open(f'full{n}', 'wb').write(bytes(15_000_000))", "disk_limit"),
    "many files": ("for n in range(2_100): open(f'small{n}', 'wb').close()", "disk_limit"),
    "threads": (
        "import _thread\n_thread.stack_size(65_536)\nfor n in range(260): _thread.start_new_thread(time.sleep, (60,))",
        "threads_limit",
    ),
    "processor time": ("while True: pass", "cpu_limit"),
}
"""What is done, and the alert of its limit. Memory is of a kind that only ``basic`` leaves to the watchdog."""
SECRETLY = """
import os, threading, time
os.mkfifo('go')
def harm():
    open('go').close()
{harm}
    time.sleep(60)
threading.Thread(target=harm, daemon=True).start()
"""
LIMITS = {"max_memory": 60_000_000, "max_runtime": 60_000, "handler_budget": 60_000}
"""No callback hangs: two thousand files are a matter of seconds on a busy drive."""
SHORT = {"max_runtime": 2_000}


def attacker(arena: Arena, limit: str) -> Sandbox:
    return arena.attacker(**options(limit))


def options(limit: str) -> dict[str, Any]:
    limits = {**LIMITS, **(SHORT if limit == "processor time" else {})}
    return {"limits": limits, "profile": "basic" if limit == "memory" else "strict"}


def in_a_thread(limit: str) -> str:
    """Text that begins the harm when it is let ``go``, and beside whatever the node does."""
    return SECRETLY.replace("{harm}", textwrap.indent(HARM[limit][0], "    "))


def pause(arena: Arena, sandbox: Sandbox, limit: str) -> None:
    arena.attack(in_a_thread(limit), sandbox)
    sandbox.pause()


def stop(arena: Arena, sandbox: Sandbox, limit: str) -> None:
    arena.attack(in_a_thread(limit), sandbox)
    sandbox.stop()


def end_by_a_lie(arena: Arena, sandbox: Sandbox, limit: str, normal: bool = True) -> None:
    lie = f"say(m.MainExited(app='x', reason={('normal' if normal else 'over')!r}, normal={normal})); time.sleep(0.2)"
    arena.attack(f"{CHANNEL}{in_a_thread(limit)}{lie}", sandbox)


def crash_by_a_lie(arena: Arena, sandbox: Sandbox, limit: str) -> None:
    end_by_a_lie(arena, sandbox, limit, normal=False)


STATES: dict[str, Callable[[Arena, Sandbox, str], None]] = {
    "paused": pause, "stopped": stop, "stopped by a lie": end_by_a_lie, "crashed by a lie": crash_by_a_lie,
}  # fmt: skip


@pytest.mark.parametrize("limit", HARM)
@pytest.mark.parametrize("state", STATES)
def test_a_limit_holds_whatever_state_the_sandbox_says_that_it_is_in(strict: Arena, state: str, limit: str) -> None:
    sandbox = attacker(strict, limit)
    sandbox.limits(**LIMITS)  # a time that is short begins when all is ready for it
    folder = strict.folder(sandbox)
    STATES[state](strict, sandbox, limit)
    strict.until(lambda: let_go(folder), "nobody waits to do harm")
    if limit == "processor time":
        sandbox.limits(**SHORT)
    strict.watch(lambda: strict.until(lambda: sandbox.info().os_pid is None, f"it is {sandbox.info()}"))
    assert told_of(sandbox) & alerts(limit)
    assert strict.works_again(patient(sandbox))


def patient(sandbox: Sandbox) -> Sandbox:
    """With a run time in which it can be looked at whether it works."""
    sandbox.limits(**LIMITS)
    return sandbox


def let_go(folder: Path) -> bool:
    """Whether somebody waited behind the pipe: it lasts as long as both ends are open."""
    try:
        os.close(os.open(folder / "go", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


A_LITTLE = """
import threading, time
def work():
    while True:
        sum(range(300_000))
        time.sleep(0.001)
threading.Thread(target=work, daemon=True).start()
"""


@pytest.mark.parametrize("normal", [True, False])
def test_run_time_counts_for_who_says_that_it_has_ended_and_works_on(strict: Arena, normal: bool) -> None:
    sandbox = strict.attacker()
    lie = f"say(m.MainExited(app='x', reason={('normal' if normal else 'over')!r}, normal={normal}))"
    strict.attack(f"{CHANNEL}{A_LITTLE}{lie}", sandbox)
    sandbox.limits(max_runtime=2_000)
    strict.watch(lambda: strict.until(lambda: sandbox._unit.guest is None, "it works on"))
    info = sandbox.info()
    assert info.status is (SandboxStatus.STOPPED if normal else SandboxStatus.CRASHED)
    assert info.reason.startswith("the main application ended")
    assert info.reason.endswith("its OS process ran on, longer than max_runtime (2 s)")
    assert "runtime_limit" in told_of(sandbox) and len(info.alerts) == (1 if normal else 2)
    assert strict.works_again(patient(sandbox))


def test_who_has_ended_and_rests_may_be_looked_at_after_its_run_time(strict: Arena) -> None:
    sandbox = strict.attacker()
    sandbox.stop()
    sandbox.limits(max_runtime=1_000)
    strict.until(lambda: sandbox.info().lived_s >= 2, "time stands still")
    for _ in range(200):
        sandbox.tree()
    assert sandbox.info().os_pid is not None and told_of(sandbox) == set()


def alerts(limit: str) -> set[str]:
    """Who computes in state ``running`` is over its run time before it is over its processor time."""
    return {HARM[limit][1], *(["runtime_limit"] if limit == "processor time" else [])}


def told_of(sandbox: Sandbox) -> set[str]:
    """The limits that its alerts are about."""
    return {alert_of(text) for text in sandbox.info().alerts}


def alert_of(text: str) -> str:
    kinds = {"MB, more than max_memory": "memory_limit", "filled its folder": "disk_limit", "threads": "threads_limit",
             "processor time": "cpu_limit", "longer than max_runtime": "runtime_limit"}  # fmt: skip
    return next((kind for words, kind in kinds.items() if words in text), text)


LATE = """
import os, time
{guard}
{harm}
time.sleep(60)
"""


@pytest.mark.parametrize("limit", HARM)
def test_a_limit_holds_while_code_is_tried(strict: Arena, limit: str) -> None:
    sandbox = attacker(strict, limit)
    outcome = load(strict, sandbox, LATE.replace("{guard}", "").replace("{harm}", HARM[limit][0]))
    assert outcome.error is not None and shown(limit, str(outcome.error))
    assert strict.works_again(patient(sandbox))


@pytest.mark.parametrize("limit", HARM)
def test_a_limit_holds_while_code_is_loaded(strict: Arena, limit: str) -> None:
    """The trial of the code finds nothing: it has another folder."""
    sandbox = attacker(strict, limit)
    strict.attack("open('live', 'w').close()", sandbox)
    harm = textwrap.indent(HARM[limit][0] + "\ntime.sleep(60)", "    ")
    outcome = load(strict, sandbox, f"import os, time\nif os.path.exists('live'):\n{harm}\n")
    assert outcome.error is not None and sandbox.info().os_pid is None
    assert told_of(sandbox) & alerts(limit)
    assert strict.works_again(patient(sandbox))


@pytest.mark.parametrize("limit", HARM)
def test_a_limit_holds_while_a_sandbox_is_started(strict: Arena, limit: str) -> None:
    harm = textwrap.indent(HARM[limit][0] + "\ntime.sleep(60)", "        ")
    code = CAMP.replace(
        "class Evil", f"import os, time\nclass Evil0(GenServer):\n    def init(self, _):\n{harm}\n\nclass Evil"
    )
    code = code.replace("Child(Evil, 0", "Child(Evil0, 0", 1)
    outcome = strict.watch(lambda: strict.manager.create("late", code={"late.py": code}, main="Camp", **options(limit)))
    assert outcome.error is not None and shown(limit, str(outcome.error))


def load(arena: Arena, sandbox: Sandbox, text: str) -> Outcome:
    return arena.watch(lambda: sandbox.load(text, "late"))


WORDS = {
    "memory": "max_memory is 60 MB", "disk": "filled its folder", "many files": "filled its folder",
    "threads": "threads", "processor time": "SIGXCPU",
}  # fmt: skip
"""Of the error that says so."""


def shown(limit: str, error: str) -> bool:
    """Whether an error says which limit it was; who gets no processor comes to the end of its patience first."""
    late = limit == "processor time" and re.search("did not (finish in|answer within)|ran too long and was", error)
    return bool(late) or WORDS[limit] in error
