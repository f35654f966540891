"""Limits are enforced and told; whatever a sandbox does, the kernel and the other sandboxes go on."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.guest_process import GuestProcess
from jupyter_sandbox.manager import errands, output
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import CodeRaised, SandboxError, SandboxGone, UsageError
from jupyter_sandbox.model.flavour import Flavour
from jupyter_sandbox.model.limits import Holdings
from jupyter_sandbox.model.sandbox import AlertRaised, InfoChanged, OutputArrived, SandboxStatus

from ..waiting import until
from .conftest import COUNTER, Told

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the watchdog reads /proc")


def alert(limit: str):  # type: ignore[no-untyped-def]
    return lambda update: isinstance(update, AlertRaised) and update.limit == limit


def crashed(name: str):  # type: ignore[no-untyped-def]
    return lambda update: (
        isinstance(update, InfoChanged) and update.info.name == name and update.info.status is SandboxStatus.CRASHED
    )


def test_a_process_too_many_is_refused_with_an_alert(manager: SandboxManager, told: Told) -> None:
    sandbox = manager.create("shop", code={"counter.py": COUNTER}, main="Shop", limits={"max_processes": 10})
    with pytest.raises(SandboxError):
        for _ in range(20):
            sandbox.spawn("counter.Counter", 0)
    update = told.wait(alert("process_limit"))
    assert isinstance(update, AlertRaised) and update.name == "shop"
    assert any("processes" in text for text in sandbox.info().alerts)
    assert sandbox.call("front", "next") == 0


def test_memory_over_the_limit_is_told_and_the_sandbox_killed_or_the_process_crashed(
    manager: SandboxManager, shop: Sandbox, told: Told
) -> None:
    greedy = manager.create("greedy", profile="basic", limits={"max_memory": 20_000_000})
    with pytest.raises(SandboxError):
        greedy.exec(GREEDY)
    told.wait(alert("memory_limit"))
    assert greedy.info().memory_peak > 20_000_000
    assert shop.call("front", "next") == 0


def test_the_run_time_that_is_limited_is_that_of_the_present_os_process(shop: Sandbox) -> None:
    first = shop.info()
    until(lambda: shop.info().lived_s >= 1)
    assert shop.info().runtime_s >= 1
    shop.restart()
    again = shop.info()
    assert again.lived_s == 0 and again.ready_ns > first.ready_ns > 0 and again.runtime_s >= 1


@pytest.mark.parametrize("jump_s", [-100_000, 100_000])
def test_times_are_as_long_as_they_were_when_somebody_sets_the_clock(
    manager: SandboxManager, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    sandbox = manager.create("timed", code={"counter.py": COUNTER}, main="Shop")
    before, real = sandbox.info(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)
    until(lambda: sandbox.info().lived_s >= 1)
    info, runtime_s = sandbox.info(), sandbox.metrics()["runtime_seconds"]
    assert isinstance(runtime_s, int) and 1 <= info.lived_s <= info.runtime_s <= runtime_s < 60
    assert info.created_at == before.created_at


def test_who_rests_is_watched_again_once_something_else_is_to_be_watched(manager: SandboxManager, told: Told) -> None:
    sandbox = manager.create("resting", code={"counter.py": COUNTER}, main="Shop")
    unit = sandbox._unit
    until(lambda: unit.rest is not None)
    before = unit.rest
    sandbox.restart()
    until(lambda: unit.rest is not None)
    assert unit.rest != before, "it would still look at the OS process that is gone"
    assert sandbox.call("front", "next") == 0
    until(lambda: unit.rest is not None and unit.rest.lasts(time.monotonic_ns()))
    sandbox.limits(max_runtime=1)
    told.wait(alert("runtime_limit"))
    assert sandbox.info().status is SandboxStatus.STOPPED


def test_who_rests_is_stopped_when_its_run_time_is_over(manager: SandboxManager, told: Told) -> None:
    sandbox = manager.create("resting", limits={"max_runtime": 3_000})
    until(lambda: sandbox._unit.rest is not None or sandbox.status is SandboxStatus.STOPPED)
    told.wait(alert("runtime_limit"))
    assert sandbox.info().status is SandboxStatus.STOPPED


def test_run_time_over_the_limit_stops_the_sandbox(manager: SandboxManager, told: Told) -> None:
    sandbox = manager.create("short")
    sandbox.limits(max_runtime=300)
    told.wait(alert("runtime_limit"))
    info = sandbox.info()
    assert (info.status, info.os_pid) == (SandboxStatus.STOPPED, None)
    assert info.reason == "it ran longer than max_runtime (0.3 s)"
    assert info.lived_s >= 1, "no less than it was stopped for"
    assert "`%sandbox limits short --max-runtime MS`" in info.alerts[0]
    sandbox.limits(max_runtime=60_000)
    sandbox.restart()
    assert sandbox.exec("1 + 1") == 2


def test_changed_limits_act_at_once(manager: SandboxManager, told: Told) -> None:
    sandbox = manager.create("shop", code={"counter.py": COUNTER}, main="Shop")
    full = sandbox.info().counters.processes
    sandbox.limits(max_processes=5, max_mailbox=2, max_output=10, max_message=1_000)
    with pytest.raises(SandboxError):
        for _ in range(5 - full + 1):
            sandbox.spawn("counter.Counter", 0)
    told.wait(alert("process_limit"))
    sandbox.pause()
    for _ in range(4):
        sandbox.cast("front", 1)
    sandbox.resume()
    told.wait(alert("mailbox_limit"))
    sandbox.limits(max_processes=100)
    assert sandbox.call(sandbox.spawn("counter.Counter", 7), "next") == 7
    sandbox.exec("print('x' * 100)")
    assert "[91 bytes of stdout dropped]" in sandbox.output()
    with pytest.raises(UsageError, match="max_message is 1000: %sandbox limits shop --max-message"):
        sandbox.cast("front", "x" * 2_000)


def test_limits_that_a_busy_sandbox_has_not_heard_of_are_told_as_such(manager: SandboxManager, told: Told) -> None:
    sandbox = manager.create("busy", limits={"handler_budget": 60_000})
    folder = Path(str(sandbox.exec("import os; os.getcwd()")))
    source = "print('up', flush=True)\nimport os, time\nwhile not os.path.exists('let go'): time.sleep(0.01)"
    thread = threading.Thread(target=lambda: sandbox.exec(source))
    thread.start()
    told.wait(lambda update: isinstance(update, OutputArrived) and "up" in update.text)
    sandbox.limits(max_processes=7)
    (folder / "let go").touch()
    thread.join()
    assert "max_processes and max_mailbox are counted inside, and it did not answer" in sandbox.log()[-1].text
    assert sandbox.info().limits.max_processes == 7


SLOW_TO_START = """
import os, time
from jupyter_sandbox.otp import Child, GenServer, Reply, Supervisor

class Server(GenServer):
    def init(self, _): return 0
    def handle_call(self, request, caller, n): return Reply("here", n)

class Slow(Supervisor):
    def init(self, _):
        print("starting", os.getcwd(), flush=True)
        while not os.path.exists("let go"): time.sleep(0.01)
        return [Child(Server, None, name=f"server_{number}") for number in range(9)]
"""


def test_limits_that_are_changed_while_it_is_being_built_count_for_what_comes_of_it(
    manager: SandboxManager, told: Told
) -> None:
    code, limits = {"slow.py": SLOW_TO_START}, {"handler_budget": 60_000, "max_memory": 100_000_000}
    made = threading.Thread(target=lambda: manager.create("slow", code=code, main="Slow", limits=limits))
    made.start()
    update = told.wait(lambda one: isinstance(one, OutputArrived) and "starting" in one.text)
    assert isinstance(update, OutputArrived)
    sandbox = manager.get("slow")
    sandbox.limits(max_processes=12, max_memory=20_000_000)
    Path(update.text.split()[1], "let go").touch()
    made.join()
    with pytest.raises(SandboxError, match="max_processes"):
        for _ in range(12):
            sandbox.spawn("slow.Server", 0)
    assert sandbox.call("server_8", "anyone") == "here"
    with pytest.raises(SandboxError):
        sandbox.exec("len(bytearray(60_000_000))")


def test_a_raised_memory_limit_can_be_used_at_once_or_it_is_said_that_a_restart_is_needed(
    manager: SandboxManager, told: Told
) -> None:
    sandbox = manager.create("shop", limits={"max_memory": 20_000_000})
    with pytest.raises(SandboxError):
        sandbox.exec("len(bytearray(60_000_000))")
    sandbox.limits(max_memory=200_000_000)
    if any("from the next restart on" in told.text for told in sandbox.log()):
        sandbox.restart()
    assert sandbox.exec("len(bytearray(60_000_000))") == 60_000_000


MORE = "max_memory of 60 MB counts in full"


@pytest.mark.parametrize(
    ("refused", "changes", "text"),
    [
        ({"move_processor_limit"}, {"max_runtime": 1_000_000},
         "max_runtime of 1000 s counts, but for the processor time within it only"),
        ({"move_memory_limit"}, {"max_memory": 60_000_000}, MORE),
        ({"move_memory_limit"}, {"max_memory": 60_000_000, "max_runtime": 200_000}, MORE),
        ({"move_memory_limit"}, {"max_memory": 60_000_000, "max_runtime": 900_000}, MORE),
    ],
)  # fmt: skip
def test_of_limits_those_that_cannot_be_moved_are_named_and_no_others(
    manager: SandboxManager, monkeypatch: pytest.MonkeyPatch, refused: set[str], changes: dict[str, int], text: str
) -> None:
    sandbox = manager.create("shop", limits={"max_memory": 50_000_000})
    for name in ("move_memory_limit", "move_processor_limit"):  # what is refused depends on who runs the kernel
        monkeypatch.setattr(GuestProcess, name, lambda *_, moves=name not in refused: moves)
    sandbox.limits(**changes)
    sandbox.limits(max_processes=7)
    assert [told.text for told in sandbox.log()] == [f"{text} from the next restart on: %sandbox restart shop"]
    assert sandbox.info().alerts == (), "it is over with the restart"


def test_a_lowered_memory_limit_acts_at_once(manager: SandboxManager) -> None:
    sandbox = manager.create("shop", limits={"max_memory": 200_000_000})
    sandbox.limits(max_memory=20_000_000)
    with pytest.raises(SandboxError):
        sandbox.exec("len(bytearray(60_000_000))")


def test_a_stuck_callback_is_interrupted_and_its_supervisor_acts(manager: SandboxManager, told: Told) -> None:
    source = COUNTER.replace(
        'case "next": ', 'case "stick":\n                while True: pass\n            case "next": '
    )
    sandbox = manager.create("shop", code={"counter.py": source}, main="Shop", limits={"handler_budget": 200})
    sandbox.call("back", "next")
    with pytest.raises(SandboxError):
        sandbox.call("front", "stick")
    update = told.wait(alert("hang"))
    assert isinstance(update, AlertRaised) and "a callback of front <0." in update.message
    assert sandbox.status is SandboxStatus.RUNNING
    assert (sandbox.call("front", "next"), sandbox.call("back", "next")) == (0, 101)


@pytest.mark.parametrize(
    "hang", ["while True: pass", "re.match('(a+)+$', 'a' * 40 + 'b')", "time.sleep(60)", "threading.Event().wait()"]
)
def test_the_first_that_is_told_of_a_hang_names_the_line(manager: SandboxManager, told: Told, hang: str) -> None:
    sandbox = manager.create("shop", limits={"handler_budget": 200})
    with pytest.raises(CodeRaised, match="HandlerTimeout"):
        sandbox.exec(f"import re, threading, time\n{hang}", "<my cell>")
    update = told.wait(alert("hang"))
    assert isinstance(update, AlertRaised) and "; it hangs at <my cell> line 2 in <module>; it is" in update.message
    assert sandbox.output() == "", "the stacks are nothing that it printed"


def test_a_callback_that_cannot_be_interrupted_ends_the_sandbox_with_the_place_in_the_reason(
    manager: SandboxManager, shop: Sandbox, told: Told
) -> None:
    stuck = manager.create("stuck", limits={"handler_budget": 200})
    source = "def spin():\n    while True: pass\nwhile True:\n    try: spin()\n    except BaseException: pass"
    with pytest.raises(SandboxGone, match="%sandbox restart stuck"):
        stuck.exec(source, "<stuck cell>")
    info = stuck.info()
    assert info.status is SandboxStatus.CRASHED
    assert info.reason.startswith("hang: a callback of the cell <stuck cell> ran longer than 200 ms")
    assert re.search(r"it hangs at <stuck cell> line [2-5] in (spin|<module>)$", info.reason)
    (notice,) = [one for one in stuck.log() if one.text == info.reason]
    assert any('File "<stuck cell>", line' in line for line in notice.traceback)
    assert "most recent call first" not in stuck.output(), "it is told in the reason and the log"
    assert shop.call("front", "next") == 0


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("import os; os._exit(3)", "exit 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
    ],
)
def test_an_os_process_that_ends_is_told_with_its_status(shop: Sandbox, told: Told, how: str, reason: str) -> None:
    with pytest.raises(SandboxGone, match=reason):
        shop.exec(how)
    told.wait(crashed("shop"))
    assert reason in shop.info().reason
    shop.restart()
    assert shop.call("front", "next") == 0


ENDING = """
import ctypes, os

class Weak(Counter):
    def handle_cast(self, message, n):
        match message:
            case "exit": os._exit(3)
            case "fault": ctypes.string_at(0)
        raise ValueError

class Ending(Shop):
    intensity = 0
    def init(self, _):
        return [Child(Weak, 0, name="front")]
"""


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("exit", r"its OS process ended with exit 3: os\._exit in handle_cast of front <0\.3\.0>"),
        ("fault", r"its OS process ended with signal 11 \(SIGSEGV\) .*counter\.py line \d+ in handle_cast"),
        ("crash", r"the main application ended: Ending <0\.2\.0> gave up: more than 0 restarts in 5 s"),
    ],
)
def test_a_sandbox_that_ends_while_nobody_waits_for_an_answer_says_so(
    manager: SandboxManager, told: Told, message: str, reason: str
) -> None:
    source = COUNTER + ENDING
    shop = manager.create("shop", code={"counter.py": source}, main="counter.Ending")
    shop.cast("front", message)
    update = told.wait(alert("crash"))
    assert isinstance(update, AlertRaised)
    assert re.fullmatch(f"{reason}; `%sandbox restart shop` begins anew", update.message)
    assert shop.info().alerts == (update.message,)


def test_who_keeps_those_that_look_at_it_ends_with_that_reason(
    manager: SandboxManager, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if Linux did, in a queue that the guest makes long."""
    free, look = threading.Event(), GuestProcess.holdings

    def slow(process: GuestProcess, most_files: int, *, everything: bool = False) -> Holdings:
        if process.pid == kept.info().os_pid:
            free.wait(30)
        return look(process, most_files, everything=everything)

    kept, other = manager.create("kept", code={"counter.py": COUNTER}), manager.create("other")
    monkeypatch.setattr(errands.Worker, "is_kept", lambda worker: True)
    monkeypatch.setattr(errands, "KEPT", 3)
    monkeypatch.setattr(GuestProcess, "holdings", slow)

    def is_over() -> bool:
        with suppress(SandboxError):
            kept.exec("1 + 1")  # who rests is not looked at
        return kept.status is SandboxStatus.CRASHED

    until(is_over)
    free.set()
    assert kept.info().reason.startswith("hang: its threads kept Linux busy with its files or memory maps")
    assert any("looking at it took more than a second" in text for text in kept.info().alerts)
    assert other.exec("1 + 1") == 2 and other.info().alerts == ()


def test_a_guest_that_stops_itself_is_killed_by_the_budget(manager: SandboxManager) -> None:
    sandbox = manager.create("stopped", limits={"handler_budget": 200})
    with pytest.raises(SandboxGone):
        sandbox.exec("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    stopped = "a signal has stopped its OS process (SIGSTOP, say)"
    assert sandbox.info().reason == (
        f"hang: a callback of the cell <exec> ran longer than 200 ms and could not be interrupted: {stopped}"
    )
    assert f"a callback of the cell <exec> ran longer than 200 ms; {stopped}" in sandbox.info().alerts


def test_a_callback_that_hangs_in_c_is_named_by_what_was_asked(manager: SandboxManager, told: Told) -> None:
    source = COUNTER.replace(
        'case "next": ', 'case "sum": return Reply(sum(range(10**11)), 0)\n            case "next": '
    )
    sandbox = manager.create("shop", code={"counter.py": source}, main="Shop", limits={"handler_budget": 200})
    with pytest.raises(SandboxGone):
        sandbox.call("front", "sum")
    assert sandbox.info().reason.startswith("hang: a callback of whoever answers the call to front ran longer than 200")
    with pytest.raises(SandboxGone):
        manager.create("other", limits={"handler_budget": 200}).exec("sum(range(10**11))", "<my cell>")
    assert manager.get("other").info().reason.startswith("hang: a callback of the cell <my cell> ran longer than 200")


GREEDY = """
import mmap, time
hold = []
for _ in range(200):
    hold.append(mmap.mmap.__base__(-1, 1 << 20))  # shared, which the operating system does not limit
    hold[-1].write(b"x" * (1 << 20))
time.sleep(3)
"""

FIND_CONTROL = """
import os, socket, stat
for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode): break
    except OSError: pass
"""


@pytest.mark.parametrize(
    "sent",
    [
        "b'\\xff' * 64",
        "b'\\x00\\x00\\x00\\x05hello'",
        "b'\\x04\\x00\\x00\\x00\\xc1\\xc1\\xc1\\xc1'",
        "os.urandom(4096)",
    ],
)
def test_a_guest_that_breaks_the_protocol_is_killed(shop: Sandbox, sent: str) -> None:
    with pytest.raises(SandboxGone):
        shop.exec(FIND_CONTROL + f"os.write(fd, {sent})\nimport time; time.sleep(5)")
    assert shop.status is SandboxStatus.CRASHED and shop.info().reason.startswith("protocol: ")


def test_a_guest_that_closes_its_channel_is_killed(shop: Sandbox) -> None:
    with pytest.raises(SandboxGone):
        shop.exec(
            FIND_CONTROL + "socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RDWR)\nimport time; time.sleep(3)"
        )
    assert shop.status is SandboxStatus.CRASHED


def test_a_flood_of_output_is_dropped_and_counted_and_harms_nobody(
    manager: SandboxManager, shop: Sandbox, told: Told
) -> None:
    loud = manager.create("loud", limits={"handler_budget": 60_000})
    source = "line = 'x' * 999_999\nfor _ in range(100): print(line)"
    done = threading.Event()

    def flood() -> None:
        loud.exec(source)
        done.set()

    thread = threading.Thread(target=flood)
    thread.start()
    answered = 0
    while not done.is_set() and thread.is_alive():
        shop.call("front", "next")
        answered += 1
    thread.join(60)
    assert done.is_set() and answered > 0
    arrived = [update for update in told.updates if isinstance(update, OutputArrived) and update.name == "loud"]
    shown, dropped = sum(len(one.text) for one in arrived), sum(one.dropped for one in arrived)
    assert shown == loud.info().limits.max_output and shown + dropped == 100_000_000
    assert len(loud.output()) <= 2 * output.TAIL_BYTES


def test_a_zygote_that_dies_takes_its_guests_and_is_replaced(
    manager: SandboxManager, shop: Sandbox, told: Told
) -> None:
    zygotes = manager._zygotes
    assert zygotes is not None
    zygote = zygotes.of(Flavour()).pid
    assert zygote is not None
    os.kill(zygote, signal.SIGKILL)
    told.wait(crashed("shop"))
    assert manager.create("next").exec("1 + 1") == 2
    shop.restart()
    assert shop.call("front", "next") == 0


def test_a_guest_that_dies_during_a_load_leaves_a_crashed_sandbox_that_can_be_restarted(shop: Sandbox) -> None:
    source = COUNTER + "\nimport os\nif os.path.exists('once'): os._exit(9)\nopen('once', 'w').close()\n"
    shop.exec("open('once', 'w').close()")
    with pytest.raises(SandboxError):
        shop.load(source, "counter")
    assert shop.status is SandboxStatus.CRASHED and "exit 9" in shop.info().reason
    shop.restart()
    assert shop.call("front", "next") == 0


def test_a_change_of_what_a_cell_may_print_counts_for_the_cell_that_runs(manager: SandboxManager, told: Told) -> None:
    sandbox = manager.create("loud", limits={"handler_budget": 60_000})
    folder = Path(str(sandbox.exec("import os; os.getcwd()")))
    source = (
        "print('up', flush=True)\nimport os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('x' * 100)"
    )
    thread = threading.Thread(target=lambda: sandbox.exec(source))
    thread.start()
    told.wait(lambda update: isinstance(update, OutputArrived) and "up" in update.text)
    sandbox.limits(max_output=13)
    (folder / "go").touch()
    thread.join()
    arrived = [update for update in told.updates if isinstance(update, OutputArrived)]
    assert "".join(one.text for one in arrived) == "up\n" + "x" * 10 and sum(one.dropped for one in arrived) == 91
    assert sandbox.info().alerts == (
        "it printed more than max_output (13 bytes); the rest is counted and not shown; "
        f"`%sandbox limits {sandbox.name} --max-output SIZE` has more shown",
    )


def test_changed_limits_are_told_and_checked(shop: Sandbox) -> None:
    assert shop.limits(max_memory=99_000_000).max_memory == 99_000_000
    assert shop.info().limits.max_memory == 99_000_000 and shop.limits().max_processes == 100
    with pytest.raises(SandboxError, match="Did you mean 'max_memory'"):
        shop.limits(max_memori=1)


def test_the_report_of_protection_is_there(shop: Sandbox) -> None:
    protection = shop.info().protection
    assert protection is not None and protection.profile in ("strict", "basic+seccomp", "basic")
    assert protection.not_stopped
    assert "no_new_privs ✓" in protection.line()


def test_one_sandbox_that_is_asked_without_end_does_not_starve_another(manager: SandboxManager, shop: Sandbox) -> None:
    loud = manager.create("loud", code={"counter.py": COUNTER}, main="Shop")
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            loud.tree()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert [shop.call("front", "next") for _ in range(50)] == list(range(50))
    stop.set()
    for thread in threads:
        thread.join(60)


def test_a_killed_kernel_leaves_nothing_running() -> None:
    code = (
        "import sys, time\nfrom jupyter_sandbox.manager.manager import SandboxManager\n"
        "manager = SandboxManager(store=':memory:')\n"
        "print(*[manager.create().info().os_pid for _ in range(2)], flush=True)\ntime.sleep(60)\n"
    )
    root = str(Path(__file__).parents[2])
    kernel = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    with kernel:
        assert kernel.stdout is not None
        pids = [int(pid) for pid in kernel.stdout.readline().split()]
        pidfds = [os.pidfd_open(pid) for pid in pids]
        kernel.kill()
    for fd in pidfds:
        ended, _, _ = select.select([fd], [], [], 60)
        os.close(fd)
        assert ended
    assert len(pids) == 2
