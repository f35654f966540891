"""One sandbox in use: code, processes, time, state."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_sandbox.manager import acting, loading
from jupyter_sandbox.manager.loop import INTERRUPT_S
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import (
    CallExit,
    CallTimeout,
    CodeRaised,
    CompileError,
    NoProcess,
    SandboxError,
    SandboxGone,
    SnapshotError,
    StartFailed,
    UsageError,
)  # fmt: skip
from jupyter_sandbox.model.sandbox import (
    InfoChanged,
    NoticeTold,
    OutputArrived,
    SandboxStatus,
    StepsTold,
    TreePatched,
    TreeReplaced,
)  # fmt: skip

from ..waiting import until
from .conftest import COUNTER, Told

DOUBLE = COUNTER.replace("Reply(n + k, n + k)", "Reply(n + k, n + 2 * k)")


# --- code ----------------------------------------------------------------------------------------------------------


def test_processes_go_to_new_code_with_their_state(shop: Sandbox) -> None:
    shop.call("front", ("add", 5))
    report = shop.load(DOUBLE, "counter")
    assert report.moved >= 2 and report.modules == ("counter",)
    assert [(one.version, one.current) for one in report.versions] == [(2, True), (1, False)]
    assert '+            case ("add", k):  return Reply(n + k, n + 2 * k)' in report.diff
    assert shop.call("front", ("add", 1)) == 6 and shop.state("front") == 7


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def (", "compilation_failed"),
        ("import nowhere_at_all", None),
        ("1 / 0", None),
        ("import os; os._exit(3)", None),
    ],
)
def test_code_that_is_refused_leaves_the_old_version_running(shop: Sandbox, source: str, kind: str | None) -> None:
    shop.call("front", "next")
    with pytest.raises(CompileError) as caught:
        shop.load(source, "counter")
    assert kind is None or caught.value.kind == kind
    assert "\n" not in str(caught.value)
    assert (shop.call("front", "next"), shop.status) == (1, SandboxStatus.RUNNING)


def test_what_the_compiler_finds_odd_is_told_with_the_load(shop: Sandbox) -> None:
    report = shop.load(COUNTER.replace("handle_cast(self, message, n)", "handle_cast(self, message)"), "counter")
    (odd,) = report.warnings
    assert (odd.severity, odd.line) == ("warning", 11) and "Counter.handle_cast is called with" in odd.text


def test_an_endless_import_is_ended_and_leaves_the_old_version(shop: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "TRIAL_S", 0.5)
    with pytest.raises(CompileError, match="did not finish") as caught:
        shop.load("while True: pass", "counter")
    assert caught.value.kind == "compilation_error"
    assert shop.call("front", "next") == 0


def test_diagnostics_say_file_line_and_column(shop: Sandbox) -> None:
    with pytest.raises(CompileError) as caught:
        shop.load("x = 1\ny = (\n", "counter")
    (first, *_) = caught.value.diagnostics
    assert (first.line, first.column > 0, bool(first.text)) == (2, True, True)


def test_modules_see_each_other_whatever_their_order(manager: SandboxManager) -> None:
    sandbox = manager.create(code={"a.py": "from b import n\nm = n + 1", "b.py": "n = 1"})
    assert sandbox.exec("import a; a.m") == 2


def test_a_stopped_sandbox_without_a_guest_gets_new_code_with_the_next_one(shop: Sandbox) -> None:
    with pytest.raises(SandboxGone):
        shop.exec("import os; os._exit(3)")
    assert shop.load(DOUBLE, "counter").versions == ()
    shop.restart()
    shop.call("front", ("add", 1))
    assert shop.state("front") == 2


# --- life ----------------------------------------------------------------------------------------------------------


def test_start_tells_the_tree(manager: SandboxManager) -> None:
    sandbox = manager.create("shop")
    sandbox.load(COUNTER, "counter")
    tree = sandbox.start("counter.Shop")
    assert [view.registered for view in tree.processes if view.kind == "worker"] == ["front", "back"]


def test_main_may_be_a_class_name_or_the_only_one(manager: SandboxManager) -> None:
    sandbox = manager.create("shop", code={"counter.py": COUNTER})
    sandbox.start("Shop")
    assert sandbox.info().main == "counter.Shop"
    other = manager.create("other", code={"counter.py": COUNTER})
    other.start()
    assert other.info().main == "counter.Shop"


def test_a_missing_class_is_named_with_the_known_ones(manager: SandboxManager) -> None:
    sandbox = manager.create("shop", code={"counter.py": COUNTER})
    with pytest.raises(SandboxError, match="Shop") as caught:
        sandbox.start("counter.Shup")
    assert "\n" not in str(caught.value)
    with pytest.raises(SandboxError):
        sandbox.start("nowhere.Shop")
    sandbox.start("counter.Shop")


def test_a_second_start_says_what_to_do(shop: Sandbox) -> None:
    with pytest.raises(UsageError, match=r"runs counter.Shop already; begin afresh with %sandbox restart shop"):
        shop.start("counter.Shop")


def test_a_main_that_fails_to_start_can_be_corrected_and_started(manager: SandboxManager) -> None:
    source = COUNTER.replace("        return start\n", "        raise ValueError('not yet')\n")
    sandbox = manager.create("shop", code={"counter.py": source})
    with pytest.raises(StartFailed) as caught:
        sandbox.start("counter.Shop")
    where = "ValueError: not yet (counter.py line 6)"
    assert str(caught.value) == f"Shop did not start: its child 'front' failed: {where}"
    assert "    raise ValueError('not yet')" in caught.value.traceback
    assert sandbox.info().main is None and sandbox.status is SandboxStatus.RUNNING
    sandbox.load(COUNTER, "counter")
    sandbox.start("counter.Shop")
    assert sandbox.call("front", "next") == 0


def test_a_main_that_was_killed_can_be_started_in_the_same_guest(shop: Sandbox, told: Told) -> None:
    pid = shop.info().os_pid
    shop.kill("Shop")
    told.wait(lambda update: isinstance(update, InfoChanged) and update.info.status is SandboxStatus.CRASHED)
    shop.start()
    assert (shop.call("front", "next"), shop.info().os_pid, shop.status) == (0, pid, SandboxStatus.RUNNING)


def test_stop_ends_the_application_and_looking_stays_possible(shop: Sandbox) -> None:
    shop.stop()
    shop.stop()
    assert (shop.status, shop.info().reason) == (SandboxStatus.STOPPED, "stopped by the user")
    assert all(view.behaviour != "counter.Counter" for view in shop.tree().processes)
    with pytest.raises(SandboxGone, match="%sandbox start shop"):
        shop.call("front", "next")
    shop.start("counter.Shop")
    assert (shop.status, shop.call("front", "next")) == (SandboxStatus.RUNNING, 0)


def test_restart_brings_a_fresh_guest_with_the_same_code_and_main(shop: Sandbox) -> None:
    shop.call("front", "next")
    pid = shop.info().os_pid
    shop.restart()
    assert shop.info().os_pid != pid and shop.call("front", "next") == 0


def test_a_main_supervisor_that_gives_up_crashes_the_sandbox_and_why_still_answers(shop: Sandbox, told: Told) -> None:
    for _ in range(4):
        with pytest.raises((CallExit, NoProcess)):
            shop.call("front", ("add", "x"))
    told.wait(lambda update: isinstance(update, InfoChanged) and update.info.status is SandboxStatus.CRASHED)
    assert "main application ended" in shop.info().reason
    assert "gave up" in shop.why("front", limit=5)[0].decision
    assert any(notice.traceback for notice in shop.log())
    shop.restart()
    assert shop.call("front", "next") == 0


def test_an_os_process_that_ends_crashes_the_sandbox_with_its_exit_status(shop: Sandbox) -> None:
    with pytest.raises(SandboxGone, match=r"exit 3.*%sandbox restart shop"):
        shop.exec("import os; os._exit(3)")
    info = shop.info()
    assert (info.status, info.os_pid, info.name) == (SandboxStatus.CRASHED, None, "shop")
    assert info.reason.startswith("its OS process ended with exit 3: os._exit in the cell ")


def test_who_waits_for_an_answer_when_the_sandbox_is_restarted_is_told_that(shop: Sandbox) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(shop.exec, "import time; time.sleep(30)")
        until(lambda: shop._unit.guest is not None and shop._unit.guest.process.heartbeat.busy_ms() > 0)
        shop.restart()
        with pytest.raises(SandboxGone, match="was started anew before it answered; ask again: %sandbox tree shop"):
            asked.result()


# --- processes -----------------------------------------------------------------------------------------------------


def test_call_cast_send_state(shop: Sandbox) -> None:
    assert shop.call("front", ("add", 2)) == 2
    assert shop.call("Shop/front", ("add", 2)) == 4
    shop.cast("front", 3)
    assert shop.state("front") == 7
    pid = shop.send("front", "hello")
    assert shop.call(pid, "next") == 7
    assert shop.set_state("front", 50) == 50 and shop.call("front", "next") == 50


def test_a_crash_in_a_call_says_what_happened(shop: Sandbox) -> None:
    with pytest.raises(CallExit, match="TypeError"):
        shop.call("front", ("add", "x"))
    (why,) = shop.why("front")
    assert "one_for_one restart 1 of 3" in why.line()
    assert shop.call("front", "next") == 0


def test_an_unknown_process_is_named_with_the_known_ones(shop: Sandbox) -> None:
    with pytest.raises(NoProcess, match="front"):
        shop.call("frnt", "next")
    with pytest.raises(NoProcess):
        shop.inspect("frnt")


def test_a_call_that_is_not_answered_times_out(manager: SandboxManager) -> None:
    source = """
from jupyter_sandbox.otp import GenServer, NoReply
class Deaf(GenServer):
    def init(self, _): return 0
    def handle_call(self, request, caller, state): return NoReply(state)
"""
    sandbox = manager.create(code={"deaf.py": source}, main="deaf.Deaf")
    name = next(view.key for view in sandbox.tree().processes if view.kind == "worker")
    with pytest.raises(CallTimeout):
        sandbox.call(name, "anything", timeout_ms=50)


def test_kill_restart_suspend_and_children(shop: Sandbox) -> None:
    first = shop.inspect("front").process.pid
    shop.kill("front")
    assert shop.inspect("front").process.pid != first
    shop.restart_process("front")
    assert shop.inspect("front").process.restarts == 2
    shop.suspend("back")
    assert shop.inspect("back").process.status == "suspended"
    shop.unsuspend("back")
    assert {child[0] for child in shop.children("Shop")} == {"front", "back"}  # type: ignore[attr-defined]
    shop.terminate_child("Shop", "back")
    shop.restart_child("Shop", "back")
    assert shop.call("back", "next") == 100


def test_spawn_starts_a_class_outside_any_tree(shop: Sandbox) -> None:
    pid = shop.spawn("counter.Counter", 7, name="lone")
    assert shop.call(pid, "next") == 7 and shop.call("lone", "next") == 8
    with pytest.raises(UsageError, match="no supervisor"):
        shop.restart_process("lone")


def test_exec_runs_a_cell_and_gives_its_last_value(shop: Sandbox) -> None:
    assert shop.exec("n = 20\nn + 1") == 21
    assert shop.exec("await self.call('front', 'next')") == 0
    with pytest.raises(CodeRaised, match="ZeroDivisionError"):
        shop.exec("1 / 0", "<cell>")


LIKE_OURS = {
    "of the same name": ("SandboxBusy", "class SandboxBusy(Exception):\n    kind = 'sandbox_busy'"),
    "of ours": ("SandboxGone", "from jupyter_sandbox.model.errors import SandboxGone"),
    "under one of ours": (
        "Mine",
        "from jupyter_sandbox.model.errors import InternalError\nclass Mine(InternalError): ...",
    ),
}


@pytest.mark.parametrize("what", LIKE_OURS)
def test_a_cell_that_raises_an_error_like_the_managers_is_told_as_its_own(shop: Sandbox, what: str) -> None:
    name, begin = LIKE_OURS[what]
    with pytest.raises(CodeRaised) as raised:
        shop.exec(f"{begin}\nraise {name}('of the user')")
    assert str(raised.value) == f"{name}: of the user"
    assert raised.value.traceback[-2:] == (f"    raise {name}('of the user')", f"{name}: of the user")
    with pytest.raises(CodeRaised, match=f"{name}: of the user"):  # also where it is not the cell itself that raises
        shop.exec(f"{begin}\nasync def far():\n    raise {name}('of the user')\nawait far()")


@pytest.mark.parametrize(
    "source", ["print('up', flush=True)\nwhile True: pass", "print('up', flush=True)\nawait self.sleep(100_000)"]
)
def test_an_interrupt_ends_the_process_of_the_cell(shop: Sandbox, told: Told, source: str) -> None:
    before = {view.key for view in shop.tree().processes}

    def interrupted() -> None:
        told.wait(lambda update: isinstance(update, OutputArrived) and "up" in update.text)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupted)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        shop.exec(source, "<cell>")
    thread.join()
    # On a busy machine the notebook may be back before the cell is broken.
    until(lambda: {view.key for view in shop.tree().processes} == before)
    assert shop.call("front", "next") == 0
    until(lambda: shop.busy_ms() == 0)


DEAF = """
import signal, time
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
print('up', flush=True)
until = time.monotonic() + 50
while time.monotonic() < until:
    pass
"""


def test_who_interrupts_a_cell_that_cannot_be_broken_has_the_notebook_back_within_a_second(
    manager: SandboxManager, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "CALL_OFF_S", 600)  # what goes on behind it would show if it were waited for
    sandbox = manager.create("deaf", limits={"handler_budget": 60_000})

    def interrupted() -> None:
        told.wait(lambda update: isinstance(update, OutputArrived) and "up" in update.text)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupted)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        sandbox.exec(DEAF)
    thread.join()
    assert INTERRUPT_S < 1 and sandbox.busy_ms() > 0, "it waited for its end"


def test_processes_beside_a_stopped_application_stand_still_until_it_is_started_again(shop: Sandbox) -> None:
    shop.spawn("counter.Counter", 0, name="beside")
    shop.stop()
    with pytest.raises(SandboxGone, match=r"stopped by the user\. Start it again: %sandbox start shop"):
        shop.call("beside", "next")
    shop.start()
    assert shop.call("beside", "next") == 0
    shop.restart()
    with pytest.raises(SandboxError, match="beside"):
        shop.call("beside", "next")


def test_values_that_cannot_travel_say_so(shop: Sandbox) -> None:
    with pytest.raises(UsageError, match="cannot be sent into a sandbox"):
        shop.cast("front", (x for x in ()))
    assert "object" in repr(shop.exec("object()"))


# --- looking -------------------------------------------------------------------------------------------------------


def test_events_are_newest_first_and_can_be_filtered(shop: Sandbox) -> None:
    shop.kill("front")
    shop.call("back", "next")
    events = shop.events(kinds=["process_exit", "supervisor_restart"])
    assert events and {event.kind for event in events} <= {"process_exit", "supervisor_restart"}
    assert [event.step for event in events] == sorted((event.step for event in events), reverse=True)
    with pytest.raises(UsageError, match="process_exit"):
        shop.events(kinds=["process_exits"])


def test_watching_tells_the_tree_first_and_then_what_changed(shop: Sandbox, told: Told) -> None:
    shop.watch(20)
    assert any(isinstance(update, TreeReplaced) for update in told.updates)
    shop.kill("front")
    told.wait(lambda update: isinstance(update, TreePatched))


FORGER = """
import os
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection
plain, told = Connection.send, []
def send(self, frame):
    if type(frame) is m.TreeReply and not told:
        told.append(frame)
        frame = FORGED
    return plain(self, frame)
Connection.send = send
"""


def watched(shop: Sandbox, forged: str) -> Sandbox:
    """Somebody watches it, and the next OS process that it has does this when it is asked for its tree first."""
    shop.watch(20)
    shop.load(FORGER.replace("FORGED", forged), "forger")
    return shop


def test_a_watched_sandbox_that_ends_at_once_after_a_restart_is_told_with_the_reason(shop: Sandbox) -> None:
    with pytest.raises(SandboxGone, match="its OS process ended with exit 3"):
        watched(shop, "os._exit(3)").restart()
    assert shop.status is SandboxStatus.CRASHED and "exit 3" in shop.info().reason


def test_a_sandbox_that_refuses_to_be_watched_is_restarted_all_the_same(shop: Sandbox) -> None:
    tree = watched(shop, "m.Failed(id=frame.id, kind='raised', message='no')").restart()
    assert shop.status is SandboxStatus.RUNNING and any(view.name == "front" for view in tree.processes)


def test_crash_reports_are_told_and_kept_in_the_log(shop: Sandbox, told: Told) -> None:
    with pytest.raises(CallExit):
        shop.call("front", ("add", "x"))
    update = told.wait(lambda update: isinstance(update, NoticeTold))
    assert isinstance(update, NoticeTold) and "TypeError" in update.text
    assert shop.log()[-1] == update
    assert time.time() - 60 < update.at <= time.time(), "by the kernel's clock; time inside the sandbox is another"


# --- time ----------------------------------------------------------------------------------------------------------


def test_pause_step_back_and_resume(shop: Sandbox, told: Told) -> None:
    at = shop.pause()
    assert shop.status is SandboxStatus.PAUSED
    shop.cast("front", 5)
    stepped = shop.step(10)
    assert stepped.waiting == "idle" and stepped.step > at
    assert any("front handled cast" in step.line() for step in stepped.steps)
    assert any(isinstance(update, StepsTold) for update in told.updates)
    assert shop.state("front") == 5
    before = shop.back(1)
    assert before.step == stepped.step - 1 and shop.status is SandboxStatus.PAUSED
    assert shop.state("front") == 0
    shop.resume()
    assert shop.call("front", "next") == 5


def test_until_pauses_and_stops_at_the_step(shop: Sandbox) -> None:
    shop.pause()
    shop.cast("front", 1)
    shop.cast("back", 1)
    found = shop.until(process="back")
    assert found.steps[-1].name == "back"
    with pytest.raises(UsageError, match="give a condition"):
        shop.until()


def test_stepping_needs_a_pause_and_back_a_past(shop: Sandbox) -> None:
    with pytest.raises(UsageError, match="%sandbox pause shop"):
        shop.step()
    shop.pause()
    with pytest.raises(UsageError, match="give a number from 1 to"):
        shop.back(10_000)
    with pytest.raises(UsageError):
        shop.step(0)


def test_what_cannot_happen_while_paused_says_so(shop: Sandbox) -> None:
    shop.pause()
    with pytest.raises(SandboxError, match="%sandbox resume"):
        shop.call("front", "next")


# --- state ---------------------------------------------------------------------------------------------------------


def test_restore_brings_back_what_was_saved(shop: Sandbox) -> None:
    shop.call("front", ("add", 5))
    info = shop.snapshot("five")
    assert (info.name, info.processes >= 3) == ("five", True)
    shop.call("front", ("add", 5))
    pid = shop.info().os_pid
    shop.restore("five")
    assert shop.info().os_pid != pid and shop.status is SandboxStatus.RUNNING
    assert (shop.state("front"), shop.call("front", "next")) == (5, 5)
    assert [one.name for one in shop.snapshots()] == ["five"]


def test_a_snapshot_survives_the_kernel(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with SandboxManager(store=tmp_path / "snapshots.db") as first:
        shop = first.create("shop", code={"counter.py": COUNTER}, main="Shop")
        shop.call("front", ("add", 5))
        shop.snapshot("five")
    with SandboxManager(store=tmp_path / "snapshots.db") as second:
        shop = second.create("shop")
        shop.restore("five")
        assert shop.call("front", "next") == 5
        shop.restart()
        assert shop.call("front", "next") == 0


def test_a_restored_paused_sandbox_stays_paused(shop: Sandbox) -> None:
    shop.snapshot("start")
    shop.pause()
    shop.restore("start")
    assert shop.status is SandboxStatus.PAUSED


def test_an_unknown_snapshot_is_named_with_the_known_ones(shop: Sandbox) -> None:
    with pytest.raises(UsageError, match=r"and no other\. Take one: %sandbox snapshot shop five"):
        shop.restore("five")
    shop.snapshot("four")
    with pytest.raises(UsageError, match="Known: four"):
        shop.restore("five")


def test_state_that_cannot_be_saved_is_named_and_the_sandbox_runs_on(shop: Sandbox) -> None:
    shop.exec("import threading\nasync def set(s): pass\n")
    source = """
import threading
from jupyter_sandbox.otp import GenServer
class Holder(GenServer):
    def init(self, _): return threading.Lock()
"""
    shop.load(source, "holder")
    shop.spawn("holder.Holder", 0, name="holder")
    with pytest.raises(SnapshotError, match="holder"):
        shop.snapshot("never")
    assert shop.snapshots() == [] and shop.call("front", "next") == 0


def test_a_restore_that_fails_leaves_the_running_system(shop: Sandbox, manager: SandboxManager) -> None:
    shop.call("front", "next")
    info = shop.snapshot("bad")
    stored = manager.store.load("shop", "bad")
    assert stored is not None
    manager.store.save("shop", info, stored.meta, stored.blob[:-9] + b"\x00forged!!")
    with pytest.raises(SandboxError):
        shop.restore("bad")
    assert (shop.status, shop.call("front", "next")) == (SandboxStatus.RUNNING, 1)


def test_starting_without_code_says_how_to_load_some(manager: SandboxManager) -> None:
    empty = manager.create("empty")
    for main in (None, "counter.Shop"):
        with pytest.raises(UsageError, match=r"has no code to start: begin a cell with %%sandbox module empty MODULE"):
            empty.start(main)


def test_counts_are_bounded(shop: Sandbox) -> None:
    huge = 99_999_999_999_999_999_999
    shop.pause()
    for act in (
        lambda: shop.step(huge), lambda: shop.back(huge), lambda: shop.until(kind="call", max_steps=huge),
        lambda: shop.events(limit=huge), lambda: shop.why("front", huge), lambda: shop.log(huge),
        lambda: shop.call("front", "next", timeout_ms=huge), lambda: shop.limits(max_processes=huge),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=r"whole number|milliseconds"):
            act()


def test_why_of_the_main_supervisor_that_was_killed(shop: Sandbox, told: Told) -> None:
    shop.kill("Shop")
    told.wait(lambda update: isinstance(update, InfoChanged) and update.info.status == "crashed")
    (entry,) = shop.why("Shop")
    assert entry.line() == "'killed' → exit → it was the main application, which nobody restarts"


def test_why_of_the_main_supervisor_that_gave_up(shop: Sandbox) -> None:
    for _ in range(4):
        shop.kill("front")
        shop.events(limit=1)
    assert shop.why("Shop")[0].decision.startswith("gave up")


def test_a_load_tells_the_only_class_that_can_be_meant_by_a_start(manager: SandboxManager) -> None:
    shop = manager.create("shop")
    assert shop.load({"tcounter.py": COUNTER}).main == "tcounter.Shop"
    assert shop.load({"tother.py": COUNTER.replace("class Shop", "class Bank")}).main == ""


def test_a_state_that_holds_the_exit_of_the_system_is_saved_by_its_name(manager: SandboxManager) -> None:
    source = "import os\nfrom jupyter_sandbox.otp import GenServer, Reply\nclass Ends(GenServer):\n"
    source += "    def init(self, _):\n        return os._exit\n"
    source += "    def handle_call(self, code, caller, end):\n        return Reply(end is os._exit, end)\n"
    ends = manager.create("ends", code={"ends.py": source}, main="ends.Ends")
    ends.snapshot("whole")
    ends.restore("whole")
    assert ends.call("Ends", 0) is True
