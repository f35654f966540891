"""A guest in an OS process of its own: requests over a socket, signals, output, and its end."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from jupyter_sandbox.code.compiler import compile_bundle
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.isolation.exits import NO_CHANNEL
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection
from jupyter_sandbox.wire.values import decode_value

GUEST = """
import os, socket, sys
from jupyter_sandbox.guest.main import Program
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.protection import Protection

class Heartbeat:
    def enter(self, number): ...
    def say(self, name, mark): ...
    def leave(self): ...
    def words(self, text): ...
    def counted(self, lived, waited): ...

sys.stdout.reconfigure(line_buffering=False)
code = Program()(Boot("shop"), socket.socket(fileno=int(sys.argv[1])), Heartbeat(), Protection("off"))
os._exit(code)
"""
LIMIT_S = 60.0


class Kernel:
    """The other end of the socket."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-c", GUEST, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        theirs.close()
        self.connection = Connection("kernel")
        self.frames: list[Any] = []
        self.number = 0

    def until(self, fits: Any) -> Any:
        """The first frame that fits, from those that came and those to come."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            for frame in self.frames:
                if fits(frame):
                    self.frames.remove(frame)
                    return frame
            ready, _, _ = select.select([self.socket], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the guest did not answer"
            data = self.socket.recv(1 << 16)
            assert data, "the guest is gone"
            self.frames += self.connection.receive(data)

    def send(self, make: Any, **fields: Any) -> int:
        self.number += 1
        self.socket.sendall(self.connection.send(make(id=self.number, **fields)))
        return self.number

    def ask(self, make: Any, **fields: Any) -> Any:
        number = self.send(make, **fields)
        return self.until(lambda frame: getattr(frame, "id", None) == number)

    def load(self, source: str, module: str) -> None:
        answer = self.ask(m.Load, bundle=compile_bundle(gather(source, module)).bundle)
        assert isinstance(answer, m.Loaded), answer

    def call(self, target: str, request: Any) -> Any:
        answer = self.ask(m.Call, target=target, args=pickle.dumps(request), timeout_ms=None)
        return decode_value(answer.data) if isinstance(answer, m.Value) else answer

    def printed(self, stream: Any, wanted: bytes) -> str:
        """Wait until the guest has written this; all that came."""
        seen = b""
        while wanted not in seen:
            ready, _, _ = select.select([stream], [], [], LIMIT_S)
            assert ready, seen
            seen += os.read(stream.fileno(), 1 << 16)
        return seen.decode()

    def close(self) -> None:
        self.socket.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def kernel(shop_source: str) -> Iterator[Kernel]:
    made = Kernel()
    try:
        made.load(shop_source, "tshop")
        assert isinstance(made.ask(m.Start, app="sandbox_1", main="tshop.Shop"), m.Done)
        yield made
    finally:
        made.close()


def test_the_first_frame_is_ready_and_requests_are_answered(kernel: Kernel) -> None:
    assert isinstance(kernel.frames[0], m.Ready) and kernel.frames[0].pid == kernel.process.pid
    assert [kernel.call("front", "next"), kernel.call("front", "next")] == [0, 1]


def test_printed_text_arrives_at_once(kernel: Kernel) -> None:
    kernel.ask(m.Execute, source="print('hello')", file="<c>")
    kernel.printed(kernel.process.stdout, b"hello\n")


def test_timers_fire_without_a_request(kernel: Kernel) -> None:
    kernel.ask(m.Watch, interval_ms=10)
    kernel.send(m.Execute, source="await self.sleep(30)\n7", file="<c>")
    assert kernel.until(lambda frame: isinstance(frame, m.TreeChanged))
    answer = kernel.until(lambda frame: isinstance(frame, m.Value))
    assert decode_value(answer.data) == 7


def test_a_timer_in_a_thousand_years_waits(kernel: Kernel) -> None:
    for wait in ("self.send_after({ms}, 'front', 1)", "self.send_interval({ms}, 'front', 1)"):
        answer = kernel.ask(m.Execute, source=wait.format(ms=1_000 * 366 * 86_400_000), file="<c>")
        assert isinstance(answer, m.Value), answer
    taken = kernel.ask(m.Tree).tree.step
    kernel.until(lambda frame: isinstance(frame, m.Sample) and frame.counters.steps == taken)  # nothing else is due
    assert [kernel.call("front", "next"), kernel.call("front", "next")] == [0, 1]


def test_work_outside_wakes_the_guest(kernel: Kernel) -> None:
    answer = kernel.ask(m.Execute, source="await self.outside(lambda: 42)", file="<c>")
    assert decode_value(answer.data) == 42


STUCK = """
import time
from jupyter_sandbox.otp import GenServer, Reply, Supervisor, Child
class Stuck(GenServer):
    def handle_call(self, request, caller, state):
        print("in", flush=True)
        {body}
        return Reply("free", state)
class Top(Supervisor):
    def init(self, _):
        return [Child(Stuck, 0, name="stuck")]
"""


ENDLESS = ["while True: pass", "time.sleep(1e6)", "import re; re.match('(a+)+$', 'a' * 64 + 'b')"]


@pytest.mark.parametrize("body", ENDLESS)
def test_a_callback_that_runs_too_long_is_broken_and_only_its_process_crashes(kernel: Kernel, body: str) -> None:
    kernel.load(STUCK.format(body=body), "tstuck")
    kernel.ask(m.Start, app="other", main="tstuck.Top")
    number = kernel.send(m.Call, target="stuck", args=pickle.dumps("?"), timeout_ms=None)
    kernel.printed(kernel.process.stdout, b"in\n")
    os.kill(kernel.process.pid, signal.SIGUSR1)
    failed = kernel.until(lambda frame: getattr(frame, "id", None) == number)
    assert failed.kind == "exit" and "HandlerTimeout" in failed.message
    assert kernel.call("front", "next") == 0, "nobody else noticed"
    assert {v.key: v for v in kernel.ask(m.Tree).tree.processes}["Top/stuck"].restarts == 1


UNCAUGHT = """
import gc, threading
class Lost(Exception):
    pass
def boom(*_):
    raise Lost("here")
thread = threading.Thread(target=boom, name="worker")
thread.start()
thread.join()
class Held:
    __del__ = boom
Held()
gc.callbacks.append(boom)
gc.collect()
gc.callbacks.clear()
import sys
sys.stderr.write("done")
"""


def test_what_nobody_catches_is_printed_without_lines_of_ours(kernel: Kernel) -> None:
    assert isinstance(kernel.ask(m.Execute, source=UNCAUGHT, file="<c>"), m.Value)
    told = kernel.printed(kernel.process.stderr, b"done")
    assert told.startswith("Exception in thread worker:\nTraceback (most recent call last):\n")
    assert told.count('  File "<c>", line 6, in boom\n    raise Lost("here")\nLost: here\n') >= 4
    assert "Exception ignored in" in told and "jupyter_sandbox" not in told


def test_a_hang_where_nobody_catches_its_end_is_printed_with_the_users_lines_alone(kernel: Kernel) -> None:
    source = "class Held:\n    def __del__(self):\n        print('in', flush=True)\n        while True: pass\nHeld()\n7"
    number = kernel.send(m.Execute, source=source, file="<c>")
    kernel.printed(kernel.process.stdout, b"in\n")
    os.kill(kernel.process.pid, signal.SIGUSR1)
    answer = kernel.until(lambda frame: getattr(frame, "id", None) == number)
    assert decode_value(answer.data) == 7, "nothing but that is broken"
    told = kernel.printed(
        kernel.process.stderr, b"HandlerTimeout: the callback ran longer than handler_budget allows\n"
    )
    assert '  File "<c>", line 4, in __del__\n    while True: pass\n' in told and "jupyter_sandbox" not in told


OUTSIDE_CALLBACKS = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Stop, Supervisor

def hang():
    print("in", flush=True)
    while True: pass

class Copied:
    def __deepcopy__(self, memo): hang()

class Saved:
    def __deepcopy__(self, memo): return self
    def __reduce_ex__(self, protocol): hang()

class Opened:
    def __setstate__(self, state): hang()

class Sent(Exception):
    def __str__(self): hang()

class Again:
    times = 0
    def __deepcopy__(self, memo):
        copied = Again()
        copied.times = self.times + 1
        return hang() if copied.times == 2 else copied

class Odd(GenServer):
    def handle_call(self, request, caller, state):
        match request:
            case "stop": return Stop(Copied(), state)
            case "keep": return Reply("kept", Saved())
            case "raise": raise Sent
            case "often":
                self.send_interval(1, self.pid, Again())
                return Reply("often", state)
        return Reply("here", state)
    def handle_info(self, message, state):
        return NoReply(state)

class Shown(Odd):
    def format_status(self, status): hang()

class Watcher(GenServer):
    def init(self, argument):
        self.monitor("odd")
        return []
    def handle_info(self, message, heard): return NoReply([*heard, message.reason])
    def handle_call(self, request, caller, heard): return Reply([str(one) for one in heard], heard)

class Top(Supervisor):
    def init(self, argument):
        return [Child(Odd, 0, name="odd"), Child(Shown, 0, name="shown"), Child(Watcher, 0, name="watcher")]
"""
WHO_CALLS = {
    "an exit reason that is copied": ("odd", "stop", "exit", 1),
    "an exception that is told": ("odd", "raise", "exit", 1),
    "a state that is shown in a report": ("shown", "stop", "exit", 0),
}


@pytest.fixture
def odd(kernel: Kernel) -> Kernel:
    kernel.load(OUTSIDE_CALLBACKS, "todd")
    kernel.ask(m.Start, app="other", main="todd.Top")
    return kernel


def _broken(kernel: Kernel, number: int) -> Any:
    """The answer to a request in which code hangs, as often as it does."""
    while not any(getattr(frame, "id", None) == number for frame in kernel.frames):
        os.kill(kernel.process.pid, signal.SIGUSR1)
        if select.select([kernel.socket], [], [], 0.1)[0]:
            kernel.frames += kernel.connection.receive(kernel.socket.recv(1 << 16))
    return kernel.until(lambda frame: getattr(frame, "id", None) == number)


@pytest.mark.parametrize("where", WHO_CALLS)
def test_code_of_a_value_that_hangs_outside_a_callback_ends_its_process_whole(odd: Kernel, where: str) -> None:
    target, request, kind, heard = WHO_CALLS[where]
    number = odd.send(m.Call, target=target, args=pickle.dumps(request), timeout_ms=None)
    odd.printed(odd.process.stdout, b"in\n")
    failed = _broken(odd, number)
    assert failed.kind == kind, failed
    assert {v.key: v for v in odd.ask(m.Tree).tree.processes}[f"Top/{target}"].restarts == 1
    assert odd.call(target, "and now?") == "here", "its supervisor has restarted it"
    assert len(odd.call("watcher", "what?")) == heard, "and who watched it has heard of its end"


def test_a_snapshot_of_a_state_that_is_saved_without_end_is_an_error_with_its_process(odd: Kernel) -> None:
    assert odd.call("odd", "keep") == "kept"
    failed = _broken(odd, odd.send(m.TakeSnapshot))
    assert failed.kind == "snapshot_failed", failed
    assert failed.message.startswith("the state of odd cannot be saved: saving it took longer than handler_budget")
    assert odd.call("odd", "and now?") == "here", "nothing else came of it"


def test_an_argument_that_is_opened_without_end_is_refused(odd: Kernel) -> None:
    failed = _broken(odd, odd.send(m.Cast, target="odd", args=b"ctodd\nOpened\n(tR}b."))
    assert failed.kind == "usage_error" and "HandlerTimeout" in failed.message, failed
    assert odd.call("odd", "and now?") == "here"


def test_a_timer_whose_message_is_copied_without_end_ends(odd: Kernel) -> None:
    assert odd.call("odd", "often") == "often"
    odd.printed(odd.process.stdout, b"in\n")
    assert _broken(odd, odd.send(m.Call, target="odd", args=pickle.dumps("?"), timeout_ms=None)).id
    notice = odd.until(lambda frame: isinstance(frame, m.Notice))
    assert notice.text.startswith("a timer's message to <") and "HandlerTimeout" in notice.text
    assert odd.call("odd", "and now?") == "here"


def test_the_signal_does_nothing_while_no_callback_runs(kernel: Kernel) -> None:
    for _ in range(50):
        os.kill(kernel.process.pid, signal.SIGUSR1)
        assert isinstance(kernel.call("front", "next"), int)


def test_a_dump_says_where_the_guest_is(kernel: Kernel) -> None:
    kernel.load(STUCK.format(body="time.sleep(1e6)"), "tstuck")
    kernel.ask(m.Start, app="other", main="tstuck.Top")
    kernel.send(m.Call, target="stuck", args=pickle.dumps("?"), timeout_ms=None)
    kernel.printed(kernel.process.stdout, b"in\n")
    os.kill(kernel.process.pid, signal.SIGUSR2)
    kernel.printed(kernel.process.stderr, b"in handle_call")


def test_a_busy_guest_still_answers(kernel: Kernel) -> None:
    kernel.load("async def spin(self):\n    while True:\n        await self.yield_()\n", "tspin")
    kernel.ask(m.Spawn, function="tspin.spin")
    for _ in range(20):
        kernel.ask(m.Tree)
    assert isinstance(kernel.ask(m.Pause), m.PausedAt)
    assert len(kernel.ask(m.Step, count=3).steps) == 3


ORDERLY = """
from jupyter_sandbox.otp import GenServer
class Orderly(GenServer):
    def init(self, n):
        self.trap_exit()
        return n
    {kind} terminate(self, reason, state):
        {body}
"""


def test_shutdown_stops_everything_in_order_and_ends_the_os_process(kernel: Kernel) -> None:
    kernel.load(ORDERLY.format(kind="def", body="print('bye', reason)"), "torderly")
    kernel.ask(m.Start, app="other", main="torderly.Orderly")
    assert isinstance(kernel.ask(m.Shutdown, grace_ms=5_000), m.Done)
    assert kernel.process.wait(LIMIT_S) == 0
    assert kernel.process.stdout is not None and kernel.process.stdout.read() == b"bye shutdown\n"


def test_shutdown_does_not_wait_longer_than_its_grace(kernel: Kernel) -> None:
    kernel.load(ORDERLY.format(kind="async def", body="await self.sleep(60_000)"), "torderly")
    kernel.ask(m.Start, app="other", main="torderly.Orderly")
    assert isinstance(kernel.ask(m.Shutdown, grace_ms=200), m.Done)
    assert kernel.process.wait(LIMIT_S) == 0


def test_the_guest_ends_when_its_kernel_is_gone(kernel: Kernel) -> None:
    kernel.socket.close()
    assert kernel.process.wait(LIMIT_S) == NO_CHANNEL


def test_a_kernel_that_breaks_the_protocol_is_left(kernel: Kernel) -> None:
    kernel.socket.sendall(b"\x00\x00\x00\x04oops")
    assert kernel.process.wait(LIMIT_S) == 76


def test_a_guest_loads_nothing_of_jupyter_and_no_asyncio() -> None:
    loaded = _loaded_by("jupyter_sandbox.guest.main")
    assert not loaded & {"IPython", "ipykernel", "traitlets", "networkx", "plotly", "anywidget", "asyncio"}
    assert not (loaded - _loaded_by("ctypes")) & {"concurrent", "threading"}  # ctypes of Python 3.14 loads threading


def _loaded_by(module: str) -> set[str]:
    source = f"import {module}, sys; print(*sorted(m for m in sys.modules if '.' not in m))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, check=True, env=environment)
    return set(done.stdout.decode().split())


def test_a_code_change_without_end_is_broken_and_the_old_code_runs_on(kernel: Kernel, shop_source: str) -> None:
    endless = "    def code_change(self, old, state, extra):\n        while True: pass\n\nclass Shop"
    bundle = compile_bundle(gather(shop_source.replace("class Shop", "\n" + endless), "tshop")).bundle
    failed = _broken(kernel, kernel.send(m.Load, bundle=bundle))
    assert failed.kind == "load_error" and "HandlerTimeout" in failed.message
    assert kernel.call("front", "next") == 0


@pytest.mark.parametrize("where", ["callback", "code_change", "top level"])
def test_what_was_interrupted_is_before_what_the_journal_begins_with(
    kernel: Kernel, shop_source: str, where: str
) -> None:
    endless = "    def code_change(self, old, state, extra):\n        while True: pass\n\nclass Shop"
    source = {
        "callback": STUCK.format(body="while True: pass"),
        "code_change": shop_source.replace("class Shop", "\n" + endless),
        "top level": shop_source + "\nwhile True: pass\n",
    }[where]
    bundle = compile_bundle(gather(source, "tstuck" if where == "callback" else "tshop")).bundle
    if where == "callback":
        assert isinstance(kernel.ask(m.Load, bundle=bundle), m.Loaded)
        kernel.ask(m.Start, app="other", main="tstuck.Top")
        number = kernel.send(m.Call, target="stuck", args=pickle.dumps("?"), timeout_ms=None)
    else:
        number = kernel.send(m.Load, bundle=bundle)
    assert isinstance(_broken(kernel, number), m.Failed)
    assert kernel.call("front", "next") == 0
    written = msgspec.msgpack.decode(kernel.ask(m.TakeJournal).blob)
    whose = {"callback": "stuck", "code_change": "", "top level": "module tshop"}[where]
    assert written["after"].startswith(f"what was interrupted in {whose}")
    assert written["begins"] <= written["step"] and len(written["entries"]) < 4


def test_a_fork_made_by_user_code_takes_no_part_in_the_conversation(kernel: Kernel) -> None:
    answer = kernel.ask(m.Execute, source="import os, time\npid = os.fork()\npid > 0", file="<c>")
    assert decode_value(answer.data) is True
    assert [kernel.call("front", "next") for _ in range(20)] == list(range(20))
