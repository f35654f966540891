"""Attacks by dying: whatever ends the OS process of a sandbox, the reason is told and a restart brings it back."""

from __future__ import annotations

import os
import re
import signal

import pytest

from jupyter_sandbox.isolation.exits import NO_CHANNEL
from jupyter_sandbox.isolation.layers import CORE
from jupyter_sandbox.manager.last_end import CLOSED_CHANNEL
from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import HANGING, Arena, crash_reason

GONE = f"^(its OS process ended with exit {NO_CHANNEL}|protocol): {CLOSED_CHANNEL}$"
"""It notices by itself once it is interrupted; the kernel does not wait for that for long."""
DEADLY = {
    "an exit": ("import os; os._exit(3)", "exit 3"),
    "an exit that looks fine": ("import os; os._exit(0)", "exit 0"),
    "a null pointer": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "an abort": ("import os; os.abort()", "SIGABRT"),
    "a kill of itself": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "a deadly signal with the default action": (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.raise_signal(signal.SIGTERM)",
        "SIGTERM",
    ),
    "a broken interpreter": ("import ctypes; ctypes.memset(id(None), 255, 4096)", "signal"),
    "a fatal error of the interpreter": ("import ctypes; ctypes.pythonapi.Py_FatalError(b'x')", "SIGABRT"),
    "all files closed": ("import os; os.closerange(0, 200)\nwhile True: pass", GONE),
    "all files closed, and living on": (
        "import os, signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN); os.closerange(0, 200)\nwhile True: pass",
        f"^protocol: {CLOSED_CHANNEL}$",
    ),
    "all files closed, and going on": ("import os; os.closerange(0, 100)", GONE),
    "all of our files closed": ("import os; os.closerange(3, 50)", GONE),
    "the channel closed": ("import os; os.close(3)", GONE),
    "the channel replaced": ("import os; os.dup2(os.open('/dev/null', os.O_RDWR), 3)", GONE),
    "the channel replaced by nothing": (
        "import os\nnothing = os.open('/dev/null', os.O_RDWR)\nfor fd in range(3, 40):\n"
        "    try: os.fstat(fd); os.dup2(nothing, fd)\n    except OSError: pass\nwhile True: pass",
        GONE,
    ),
    "the channel shut": (
        "import socket\ns = socket.socket(fileno=3); s.shutdown(socket.SHUT_RDWR); s.detach()\n"
        "import time; time.sleep(5)",
        GONE,
    ),
}  # fmt: skip
HARMLESS = {
    "SystemExit": "import sys; sys.exit(5)",
    "SystemExit in an except": "try: 1 / 0\nfinally: raise SystemExit",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "an exception of nobody": "class Odd(BaseException): pass\nraise Odd",
    "CancelledError": "import asyncio; raise asyncio.CancelledError",
    "an exception that cannot be shown": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\n    def __repr__(self): raise Odd\nraise Odd"
    ),
    "an exception whose text hangs": (
        "class Odd(Exception):\n    def __str__(self):\n        while True: pass\n    __repr__ = __str__\nraise Odd"
    ),
    "a chain of exceptions without end": (
        "def f(n):\n    try: raise ValueError(n)\n    except ValueError:\n"
        "        if n: f(n - 1)\n        raise KeyError(n)\nf(300)"
    ),
    "an exception from far below": (
        "import sys; sys.setrecursionlimit(20_000)\ndef f(n):\n    if n: f(n - 1)\n    raise ValueError\nf(5_000)"
    ),
    "an exception with large values around it": "def f(x): raise ValueError(x[:10])\nf('y' * 10_000_000)",
    "an exception in all colours": "raise ValueError('\\x1b[31m\\x1b]0;x\\x07\\x9b2J')",
    "a group of exceptions without end": (
        "e = ValueError()\nfor _ in range(500): e = ExceptionGroup('g', [e] * 2)\nraise e"
    ),
    "an exception whose traceback never ends": (
        "class Again:\n    tb_lineno, tb_frame = 1, __import__('sys')._getframe()\n"
        "    tb_next = property(lambda self: self)\n"
        "class Odd(Exception):\n    __traceback__ = property(lambda self: Again())\nraise Odd"
    ),
    "an exception whose class does not say its name": (
        "class Meta(type):\n    @property\n    def __name__(cls):\n        while True: pass\n"
        "class Odd(Exception, metaclass=Meta): pass\nraise Odd"
    ),
    "an exception of a long name": "raise type('E' * 10_000_000, (Exception,), {})",
    "an exception that is its own cause": "e = ValueError(); e.__cause__ = e; e.__context__ = e; raise e",
}  # fmt: skip


@pytest.mark.parametrize("name", DEADLY)
def test_the_end_of_the_os_process_is_told_with_its_reason(arena: Arena, name: str) -> None:
    source, reason = DEADLY[name]
    sandbox = arena.attacker(limits=HANGING if "while True" in source or "sleep" in source else None)
    outcome = arena.attack(source, sandbox)
    assert outcome.killed
    assert sandbox.status is SandboxStatus.CRASHED and re.search(reason, crash_reason(sandbox))
    assert arena.works_again(sandbox)


LATE = "import os\nasync def late(self):\n    await self.sleep(1)\n    {}\nself.spawn(late)"


@pytest.mark.parametrize("what", ["os.closerange(3, 50)", "os.close(3)", "for fd in range(4, 50): os.dup2(0, fd)"])
def test_a_channel_that_is_closed_while_nobody_asks_is_told_as_that(arena: Arena, what: str) -> None:
    sandbox = arena.attacker()
    arena.attack(LATE.format(what), sandbox)
    arena.until(lambda: sandbox.status is SandboxStatus.CRASHED, "it lives on")
    assert re.search(GONE, crash_reason(sandbox)) and "Traceback" not in sandbox.output()


def test_an_exception_from_a_million_frames_below_is_told_bounded_and_in_time(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_memory": 2_000_000_000, "handler_budget": 15_000})
    source = "import sys; sys.setrecursionlimit(10**7)\ndef f(n):\n    if n: f(n - 1)\n    raise ValueError\nf(10**6)"
    outcome = arena.attack(source, sandbox)
    assert "evil exited before it answered: ValueError" in str(outcome.error) and not outcome.killed
    assert sandbox.info().alerts == ()
    [crash] = [told for told in sandbox.log() if "crashed" in told.text]
    assert len(crash.traceback) < 10 and crash.traceback[-2].endswith(", in f")


WHO = r"evil <0\.\d+\.0>"
PERHAPS = f"(?: of {WHO})?"
"""Below Python it is known after the twentieth of a second only, which an import takes on a busy machine."""
BY_WHOM = {
    "a kill of itself": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
                         rf"signal 9 \(SIGKILL\): os\.kill in handle_call of {WHO}"),
    "an abort": ("import os; os.abort()", rf"signal 6 \(SIGABRT\): os\.abort in handle_call of {WHO}"),
    "a raised signal": ("import signal; signal.raise_signal(signal.SIGKILL)",
                        rf"signal 9 \(SIGKILL\): signal\.raise_signal in handle_call of {WHO}"),
    "a null pointer": ("import ctypes\nctypes.string_at(0)",
                       rf"signal 11 \(SIGSEGV\) in a callback{PERHAPS}, at <attack> line 2 in <module>"),
    "a null pointer after a while": ("import ctypes, time\ntime.sleep(0.2)\nctypes.string_at(0)",
                                     rf"signal 11 \(SIGSEGV\) in a callback of {WHO}, at <attack> line 3 in <module>"),
    "a kill below Python": ("import ctypes, os\nctypes.CDLL(None).kill(os.getpid(), 9)",
                            rf"signal 9 \(SIGKILL\) in a callback{PERHAPS}"),
    "a process without a name": (
        "import ctypes, time\nasync def anon(self):\n    time.sleep(0.2)\n    ctypes.string_at(0)\nself.spawn(anon)",
        r"signal 11 \(SIGSEGV\) in a callback of <0\.\d+\.0>, at <attack> line 4 in anon",
    ),
    "an exit outside": (
        "import os\nasync def asks(self):\n    await self.outside(leave)\ndef leave():\n    os._exit(3)\n"
        "self.spawn(asks)", r"exit 3: os\._exit in work outside \(leave\)",
    ),
    "a kill on the loop outside": (
        "import os\nasync def asks(self):\n    await self.outside(leave())\nasync def leave():\n"
        "    os.kill(os.getpid(), 9)\nself.spawn(asks)",
        r"signal 9 \(SIGKILL\): os\.kill in work outside \(leave\)",
    ),
    "an attempt that failed before": (
        "import os, ctypes\nos.kill(os.getpid(), 0)\nctypes.string_at(0)",
        rf"signal 11 \(SIGSEGV\) in a callback{PERHAPS}, at <attack> line 3 in <module>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_WHOM)
def test_an_end_by_a_signal_names_the_process_and_the_line_where_it_can(arena: Arena, name: str) -> None:
    source, reason = BY_WHOM[name]
    sandbox = arena.attacker(limits={"handler_budget": 3_000})
    arena.attack(source, sandbox)
    arena.until(lambda: sandbox.status is SandboxStatus.CRASHED, "it did not end")
    assert re.fullmatch(f"its OS process ended with {reason}", crash_reason(sandbox))
    (told,) = [notice for notice in sandbox.log() if notice.text == crash_reason(sandbox)]
    assert "SIGSEGV" not in reason or any('File "<attack>", line' in line for line in told.traceback)
    assert "Fatal Python error" not in sandbox.output(), "it is told in the reason and the log"


def test_an_end_while_nothing_runs_is_told_as_that(arena: Arena) -> None:
    sandbox = arena.manager.create("quiet")
    arena.attackers.append(sandbox)
    pid = sandbox.info().os_pid
    guest = sandbox._unit.guest
    assert pid is not None and guest is not None
    arena.until(lambda: guest.process.heartbeat.rests, "it did not finish what it was asked for")
    os.kill(pid, signal.SIGKILL)
    arena.until(lambda: sandbox.status is SandboxStatus.CRASHED, "it did not end")
    assert crash_reason(sandbox) == "its OS process ended with signal 9 (SIGKILL) while no callback ran"


def test_an_old_traceback_is_not_taken_for_the_reason_of_an_end(arena: Arena) -> None:
    sandbox = arena.attacker()
    arena.attack("import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()", sandbox)
    arena.attack("import os; os._exit(3)", sandbox)
    assert "ZeroDivisionError" not in crash_reason(sandbox)


def test_a_crash_leaves_no_core_file_and_starts_no_crash_handler(arena: Arena) -> None:
    """1 is the only size that keeps Linux from starting the machine's handler, and no file is that small."""
    sandbox = arena.attacker()
    assert arena.attempt("import resource; answer = resource.getrlimit(resource.RLIMIT_CORE)", sandbox) == (CORE, CORE)


DUMPED = """
pid = _os.fork()
if pid == 0: _os.abort()
status = _os.waitpid(pid, 0)[1]
answer = _os.WTERMSIG(status), _os.WCOREDUMP(status), [name for name in _os.listdir() if 'core' in name]
"""


def test_a_program_of_it_that_crashes_leaves_none_either(strict: Arena) -> None:
    """Whoever waits for it is told whether Linux dumped it."""
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 5_000})
    assert strict.attempt(DUMPED, sandbox) == (signal.SIGABRT, False, [])


@pytest.mark.parametrize("name", HARMLESS)
def test_an_exception_of_any_kind_ends_its_process_alone(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits=HANGING if "while True" in HARMLESS[name] else None)
    outcome = arena.attack(HARMLESS[name], sandbox)
    assert outcome.error is not None and not outcome.killed
    assert len(str(outcome.error)) < 10_000 and "\x1b" not in str(outcome.error)
    assert arena.alive(sandbox)


@pytest.mark.parametrize("how", ["stop", "close"])
def test_ending_the_loop_of_outside_work_leaves_the_processes_working(arena: Arena, how: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 2_000})
    source = (
        f"import asyncio\nasync def end():\n    asyncio.get_running_loop().{how}()\n    return 1\n"
        "await self.outside(end())"
    )
    arena.watch(lambda: sandbox.exec(source, timeout_ms=500))
    arena.watch(lambda: sandbox.exec("import asyncio\nawait self.outside(asyncio.sleep(0))", timeout_ms=500))
    assert arena.works_again(sandbox)
