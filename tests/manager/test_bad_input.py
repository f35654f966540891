"""Bad input, item by item: a clear line or a told event each time, and the neighbour goes on as if nothing happened."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import (
    CallExit,
    CallTimeout,
    CompileError,
    NoProcess,
    SandboxError,
    SandboxGone,
    SnapshotError,
    UsageError,
)  # fmt: skip
from jupyter_sandbox.model.sandbox import InfoChanged, OutputArrived, SandboxStatus

from .conftest import COUNTER, Told

DIFFICULT = """
import os
from jupyter_sandbox.otp import GenServer, NoReply, Reply

class Hostile:
    def __repr__(self):
        raise SystemExit("no")
    __str__ = __repr__

def cyclic():
    ring = []
    ring.append(ring)
    return ring

STATES = {"huge": lambda: list(range(300_000)), "cyclic": cyclic, "hostile": Hostile,
          "long": lambda: "x" * 5_000_000, "plain": lambda: 7}

class Difficult(GenServer):
    def init(self, which):
        return STATES[which]()
    def handle_call(self, request, caller, state):
        match request:
            case "exit":  os._exit(7)
            case "wait":
                print("waits")
                return NoReply(state)
            case "loop":
                while True: pass
        return Reply("here", state)
"""


@pytest.fixture
def sandbox(manager: SandboxManager) -> Iterator[Sandbox]:
    """A sandbox for the bad input, beside one that must not notice anything."""
    neighbour = manager.create("neighbour", code={"counter.py": COUNTER}, main="Shop")
    yield manager.create("shop", code={"counter.py": COUNTER, "difficult.py": DIFFICULT}, main="counter.Shop")
    assert neighbour.call("front", "next") == 0


def one_line(error: BaseException) -> str:
    text = str(error)
    assert text and "\n" not in text
    return text


def test_an_unknown_sandbox(sandbox: Sandbox, manager: SandboxManager) -> None:
    with pytest.raises(UsageError) as caught:
        manager.get("shup")
    assert "Did you mean 'shop'?" in one_line(caught.value)


@pytest.mark.parametrize(
    "verb", ["call", "cast", "send", "kill", "suspend", "unsuspend", "state", "inspect", "children"]
)
def test_an_unknown_process_in_every_verb_that_takes_one(sandbox: Sandbox, verb: str) -> None:
    with pytest.raises(NoProcess) as caught:
        getattr(sandbox, verb)("frnt", *(["next"] if verb in ("call", "cast", "send") else []))
    assert "frnt" in one_line(caught.value)
    assert sandbox.call("front", "next") == 0


@pytest.mark.parametrize("name", ["nowhere.run", "counter.nowhere", "nothing", "", "counter."])
def test_an_unknown_module_or_function(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        sandbox.spawn(name)
    one_line(caught.value)


@pytest.mark.parametrize("main", ["nowhere.Shop", "counter.Shup", "counter.COUNT", "Shup", "7"])
def test_a_main_that_is_not_there(sandbox: Sandbox, main: str) -> None:
    sandbox.stop()
    with pytest.raises(SandboxError) as caught:
        sandbox.start(main)
    assert "counter.Shop" in one_line(caught.value)
    sandbox.start("counter.Shop")
    assert sandbox.call("front", "next") == 0


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def (", "compilation_failed"),
        ("x = '\x00'", "compilation_failed"),
        ("import nowhere_at_all", "compilation_error"),
        ("from counter import Nobody", "compilation_error"),
        ("1 / 0", "compilation_error"),
        ("raise SystemExit", "compilation_error"),
        ("raise KeyboardInterrupt", "compilation_error"),
        ("import os; os._exit(3)", "load_error"),
        ("x = [0] * 10 ** 12", "compilation_error"),
    ],
)
def test_a_module_that_is_refused(sandbox: Sandbox, source: str, kind: str) -> None:
    with pytest.raises(CompileError) as caught:
        sandbox.load(source, "extra")
    assert caught.value.kind == kind
    one_line(caught.value)
    assert sandbox.call("front", "next") == 0 and "extra" not in sandbox.info().modules


@pytest.mark.parametrize("which", ["huge", "cyclic", "hostile", "long"])
def test_a_state_that_cannot_be_shown_is_shown_shortened(sandbox: Sandbox, which: str) -> None:
    pid = sandbox.spawn("difficult.Difficult", which, name="odd")
    (view,) = [view for view in sandbox.tree().processes if view.pid == pid]
    assert len(view.state) <= 200 and sandbox.inspect("odd").process.state == view.state
    assert len(repr(sandbox.state("odd", cut=True))) < 2_000_000
    sandbox.pause()
    sandbox.send("odd", "anything")
    assert all(len(step.line()) < 1_000 for step in sandbox.step(3).steps)
    sandbox.resume()
    assert sandbox.call("odd", "still") == "here"


def test_a_call_that_times_out(sandbox: Sandbox) -> None:
    sandbox.spawn("difficult.Difficult", "plain", name="odd")
    with pytest.raises(CallTimeout) as caught:
        sandbox.call("odd", "wait", timeout_ms=50)
    assert "odd did not answer in time" in one_line(caught.value)
    assert sandbox.call("odd", "still") == "here"


def test_a_call_to_a_process_that_dies_meanwhile(sandbox: Sandbox, told: Told) -> None:
    sandbox.spawn("difficult.Difficult", "plain", name="odd")
    raised: list[BaseException] = []

    def call() -> None:
        try:
            sandbox.call("odd", "wait")
        except CallExit as error:
            raised.append(error)

    waiting = threading.Thread(target=call)
    waiting.start()
    told.wait(lambda update: isinstance(update, OutputArrived) and "waits" in update.text)
    sandbox.kill("odd")
    waiting.join(60)
    assert "odd exited before it answered: killed" in one_line(raised[0])


ACTS: dict[str, Callable[[Sandbox, str], object]] = {
    "call": lambda sandbox, target: sandbox.call(target, "next"),
    "cast": lambda sandbox, target: sandbox.cast(target, 1),
    "send": lambda sandbox, target: sandbox.send(target, 1),
    "kill": Sandbox.kill,
    "suspend": Sandbox.suspend,
    "unsuspend": Sandbox.unsuspend,
    "state": Sandbox.state,
    "set_state": lambda sandbox, target: sandbox.set_state(target, 1),
    "children": Sandbox.children,
    "restart_child": lambda sandbox, target: sandbox.restart_child(target, "front"),
    "terminate_child": lambda sandbox, target: sandbox.terminate_child(target, "front"),
    "restart_process": Sandbox.restart_process,
    "inspect": Sandbox.inspect,
    "events": lambda sandbox, target: sandbox.events(target=target),
    "why": Sandbox.why,
}


@pytest.mark.parametrize("target", ["", "/", " \t", "//"])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_an_empty_target_is_nobody_and_never_the_top_supervisor(
    sandbox: Sandbox, act: Callable[[Sandbox, str], object], target: str
) -> None:
    with pytest.raises(NoProcess) as caught:
        act(sandbox, target)
    what = "names no process: give a registered name, a path in the tree or a pid; %sandbox ps shop shows them"
    assert one_line(caught.value) == f"{target!r} {what}"
    assert sandbox.call("front", "next") == 0


def test_a_step_of_nobody_is_not_looked_for(sandbox: Sandbox) -> None:
    sandbox.pause()
    with pytest.raises(NoProcess, match="'' names no process"):
        sandbox.until(process="")


def test_os_exit_in_a_handler(sandbox: Sandbox, told: Told) -> None:
    sandbox.spawn("difficult.Difficult", "plain", name="odd")
    with pytest.raises(SandboxGone) as caught:
        sandbox.call("odd", "exit")
    assert re.search(r"exit 7.*%sandbox restart shop", one_line(caught.value))
    told.wait(lambda update: isinstance(update, InfoChanged) and update.info.status is SandboxStatus.CRASHED)
    reason = sandbox.info().reason
    assert re.fullmatch(r"its OS process ended with exit 7: os\._exit in handle_call of odd <0\.\d+\.0>", reason)
    sandbox.restart()
    assert sandbox.call("front", "next") == 0
    assert reason in [notice.text for notice in sandbox.log()], "a restart does not make it forgotten"


def test_what_a_forked_child_ends_with_is_not_the_end_of_the_sandbox(manager: SandboxManager) -> None:
    open_one = manager.create("open", profile="off")
    open_one.exec("import os\nchild = os.fork()\nif child == 0: os._exit(5)\nos.waitpid(child, 0)")
    with pytest.raises(SandboxGone):
        open_one.exec("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert open_one.info().reason == "its OS process ended with signal 9 (SIGKILL): os.kill in the cell <exec>"


def test_a_handler_that_never_ends(sandbox: Sandbox) -> None:
    sandbox.limits(handler_budget=200)
    sandbox.spawn("difficult.Difficult", "plain", name="odd")
    with pytest.raises(CallExit) as caught:
        sandbox.call("odd", "loop", timeout_ms=None)
    assert "HandlerTimeout" in one_line(caught.value)
    assert sandbox.call("front", "next") == 0


def test_an_unknown_snapshot_and_a_state_that_cannot_be_saved(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError) as unknown:
        sandbox.restore("never")
    assert "Take one: %sandbox snapshot shop never" in one_line(unknown.value)
    sandbox.load("import threading\nfrom jupyter_sandbox.otp import GenServer\n"
                 "class Holder(GenServer):\n    def init(self, _): return threading.Lock()", "holder")  # fmt: skip
    sandbox.spawn("holder.Holder", 0, name="locked")
    with pytest.raises(SnapshotError) as unsaved:
        sandbox.snapshot("never")
    assert "the state of locked cannot be saved" in one_line(unsaved.value)
    assert sandbox.snapshots() == []


def test_destroyed_twice_and_used_after(sandbox: Sandbox, manager: SandboxManager) -> None:
    sandbox.destroy()
    sandbox.destroy()
    assert not manager.destroy("shop")
    for verb in (sandbox.tree, sandbox.restart, sandbox.pause, sandbox.stop, lambda: sandbox.call("front", "next")):
        with pytest.raises(SandboxGone) as caught:
            verb()
        assert "%sandbox create shop" in one_line(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{"limits": {"max_memori": 1}}, {"limits": {"max_memory": 0}}, {"limits": 5}, {"limits": 0}, {"limits": "x"},
     {"limits": [("max_memory", 1)]}, {"limits": {5: 5}}, {"clock": "slow"}, {"isolation": "none"}],
)  # fmt: skip
def test_wrong_options(sandbox: Sandbox, manager: SandboxManager, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        manager.create("other", **wrong)  # type: ignore[arg-type]
    one_line(caught.value)
    assert len(manager.list()) == 2
