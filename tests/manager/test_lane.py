"""Two at one sandbox at once: each has its turn or hears why not, and the status is what the guest does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_sandbox.manager import changing, loading, looking, snapshots
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.unit import Unit
from jupyter_sandbox.model.errors import InternalError, SandboxBusy, SandboxError
from jupyter_sandbox.model.sandbox import SandboxStatus
from jupyter_sandbox.wire import messages as wire

from ..shop import COUNTER

HELD = """
import os, threading, time
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Held(GenServer):
    def init(self, _):
        self.trap_exit()
        return 0
    def handle_call(self, request, caller, n):
        return Reply(n, n)
    def handle_cast(self, seconds, n):
        if seconds:
            threading.Event().wait(seconds)
        else:
            while not os.path.exists("let go"): time.sleep(0.01)
        return NoReply(n)
    def terminate(self, reason, n):
        threading.Event().wait(0.3)

class Main(Supervisor):
    def init(self, _):
        return [Child(Held, 0, name="held")]
"""
"""Takes its time, in a callback and at its end; where no time is given, until it is let go."""
Act = Callable[[Unit, SandboxManager], Awaitable[object]]
ACTS: dict[str, Act] = {
    "pause": lambda unit, _: changing.pause(unit),
    "resume": lambda unit, _: changing.resume(unit),
    "load": lambda unit, _: loading.load(unit, "x = 1", "other"),
    "start": lambda unit, _: changing.start(unit, None, b""),
    "stop": lambda unit, _: changing.stop(unit),
    "restart": lambda unit, _: changing.restart(unit),
    "snapshot": lambda unit, manager: snapshots.take(unit, manager.store, "one"),
    "restore": lambda unit, manager: snapshots.restore(unit, manager.store, "one"),
    "back": lambda unit, _: changing.back(unit, 1),
    "until": lambda unit, _: changing.until(unit, lambda number: wire.Until(id=number, step=1, max_steps=1), 10),
    "destroy": lambda unit, manager: manager._destroy(unit),
}


@pytest.fixture
def held(manager: SandboxManager) -> Sandbox:
    sandbox = manager.create("held", code={"held.py": HELD}, main="held.Main")
    sandbox.snapshot("one")
    return sandbox


def both(sandbox: Sandbox, manager: SandboxManager, *acts: Act) -> list[object]:
    """What came of acts that began in this order, each before the one before it had ended."""

    async def begin() -> list[Any]:
        return await asyncio.gather(*(act(sandbox._unit, manager) for act in acts), return_exceptions=True)

    return sandbox._loop.run(begin())


def test_a_pause_that_a_callback_keeps_waiting_has_its_turn_before_a_load(
    held: Sandbox, manager: SandboxManager
) -> None:
    held.cast("held", 1.5)
    at, report = both(held, manager, ACTS["pause"], ACTS["load"])
    assert isinstance(at, int) and not isinstance(report, Exception)
    assert held.status is SandboxStatus.PAUSED
    assert held.step(1).waiting == "idle"  # it does stand still
    held.resume()
    assert held.call("held", "n") == 0


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_who_pauses_does_not_wait_long_behind_a_load_and_hears_of_it(
    held: Sandbox, manager: SandboxManager, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(changing, "PATIENCE_S", 0)
    report, refused = both(held, manager, ACTS["load"], ACTS[verb])
    assert isinstance(refused, SandboxBusy) and "code is being loaded into it, for 0 s now" in str(refused)
    assert not isinstance(report, Exception)
    assert held.status is SandboxStatus.RUNNING and held.call("held", "n") == 0


def test_a_pause_that_is_not_answered_in_time_leaves_it_running(held: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, folder = held._unit, Path(str(held.exec("import os; os.getcwd()")))
    held.limits(handler_budget=60_000)
    held.cast("held", 0)

    async def interrupted() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await changing.pause(unit)

    held._loop.run(interrupted())
    (folder / "let go").touch()
    assert held.status is SandboxStatus.RUNNING and held.call("held", "n") == 0


@pytest.mark.parametrize("verb", ACTS)
def test_whatever_meets_a_destroy_ends_with_an_error_in_words(
    held: Sandbox, manager: SandboxManager, verb: str
) -> None:
    if verb in ("resume", "back"):
        held.pause()
    for acts in ((ACTS[verb], ACTS["destroy"]), (ACTS["destroy"], ACTS[verb])):
        outcome = both(held, manager, *acts)
        errors = [one for one in outcome if isinstance(one, BaseException)]
        assert all(isinstance(one, SandboxError) and not isinstance(one, InternalError) for one in errors), errors
        assert [info.name for info in manager.list()] == []
        held = manager.create("held", code={"held.py": HELD}, main="held.Main")


@pytest.mark.parametrize(
    "ask", [changing.tree, lambda unit: looking._watch(unit, 50), lambda unit: looking._why(unit, "held", 1)]
)
def test_who_looks_at_a_sandbox_that_is_being_destroyed_hears_of_it(
    held: Sandbox, manager: SandboxManager, ask: Callable[[Unit], Awaitable[object]]
) -> None:
    async def look(unit: Unit, _: SandboxManager) -> object:
        while unit.life.status is SandboxStatus.RUNNING:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # its last word is on its way
        return await ask(unit)

    _, seen = both(held, manager, ACTS["destroy"], look)
    assert seen is None or str(seen) == (
        "sandbox 'held' cannot answer: it is being destroyed. Bring it back: %sandbox create held"
    )


@pytest.mark.parametrize("late", [0, 0.01, 0.05, 0.15])
@pytest.mark.parametrize("verb", ["restart", "load", "restore", "start"])
def test_a_destroy_in_the_middle_of_a_change_is_no_bug(
    held: Sandbox, manager: SandboxManager, verb: str, late: float
) -> None:
    async def destroyed(unit: Unit, manager: SandboxManager) -> None:
        await asyncio.sleep(late)
        await manager._destroy(unit)

    if verb == "start":
        held.stop()
    outcome = both(held, manager, ACTS[verb], destroyed)
    errors = [one for one in outcome if isinstance(one, BaseException)]
    assert all(isinstance(one, SandboxError) and not isinstance(one, InternalError) for one in errors), errors
    assert manager.list() == []


def test_who_destroys_does_not_wait_for_a_turn(held: Sandbox, manager: SandboxManager) -> None:
    slow = COUNTER + "\nimport time\ntime.sleep(5)\n"
    report, gone = both(held, manager, lambda unit, _: loading.load(unit, slow, "slow"), ACTS["destroy"])
    assert isinstance(report, SandboxError) and gone is None
