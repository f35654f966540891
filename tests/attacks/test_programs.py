"""Attacks by programs of a sandbox that are to outlive it, to keep the zygote or to take numbers without end.

Each attack gives up by itself after some seconds, and what is left when a test has failed is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import landlock
from jupyter_sandbox.isolation.ender import NAME, NEEDS
from jupyter_sandbox.isolation.system import in_session, is_over, zygote_ends
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.watch import KEPT
from jupyter_sandbox.model.errors import SandboxGone
from jupyter_sandbox.model.limits import THREADS
from jupyter_sandbox.model.sandbox import SandboxStatus

from ..leaving import nothing_left
from ..waiting import until
from .conftest import CAMP, Arena, crash_reason
from .tools import REFUSED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
LIMITS = {"handler_budget": 10_000}
GIVES_UP = "import os, signal, time\nend = time.monotonic() + 20\n"
CHAIN = """
if not os.fork():
    os.closerange(0, 200)
    for _ in range(180):
        if os.fork(): break
    signal.alarm(20); signal.pause(); os._exit(0)
"""
COMETS = """
heard, told = os.pipe()
for _ in range(12):
    if not os.fork():
        os.write(told, b'1')
        os.closerange(0, 200)
        {first}
        while time.monotonic() < end:
            if os.fork(): os._exit(0)
            {each}
        os._exit(0)
for _ in range(12): os.read(heard, 1)  # all have begun
"""
DEAF = """
for _ in range(5):
    if not (pid := os.fork()):
        os.closerange(0, 200)
        os.setpgid(0, 0)
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(20); os._exit(0)
    os.waitpid(pid, os.WUNTRACED)  # it has stopped itself
"""
PROGRAMS = {
    "a chain of generations": CHAIN,
    "comets": COMETS.format(first="pass", each="pass"),
    "comets that lead a group each": COMETS.format(first="pass", each="os.setpgid(0, 0)"),
    "comets that ignore all signals": COMETS.format(
        first="for n in (1, 2, 3, 13, 14, 15, 17, 18): signal.signal(n, signal.SIG_IGN)", each="pass"
    ),
    "programs that stop themselves and are deaf": DEAF,
    "programs that let others go on": COMETS.format(first="pass", each="os.kill(-1, signal.SIGCONT)"),
}


@contextmanager
def session(sandbox: Sandbox) -> Iterator[int]:
    """The session of a sandbox, in which nobody is left behind whatever happens; fails when somebody was."""
    number = sandbox.info().os_pid
    assert number
    try:
        yield number
    finally:
        with suppress(SandboxGone):
            sandbox.destroy()
        until_s = time.monotonic() + 3
        while in_session(number) and time.monotonic() < until_s:
            time.sleep(0.01)
        found = len(in_session(number))
        end_all_of(number)
    assert not found, "programs were left behind"


def end_all_of(number: int) -> None:
    for _ in range(1_000):
        if not in_session(number):
            break
        for end, pid in ((os.killpg, number), *((os.kill, pid) for pid in in_session(number))):
            with suppress(OSError):
                end(pid, signal.SIGKILL)
        time.sleep(0.005)


def with_programs(arena: Arena, **limits: int) -> Sandbox:
    return arena.attacker(allow={"subprocess": True}, limits={**LIMITS, **limits})


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_end_with_their_sandbox_whatever_they_do(strict: Arena, name: str) -> None:
    sandbox, other = with_programs(strict), with_programs(strict)
    kept = strict.attempt("import subprocess\nanswer = subprocess.Popen(['sleep', '60']).pid", other)
    with session(sandbox) as number:
        assert strict.attack(GIVES_UP + PROGRAMS[name], sandbox).error is None
        strict.until(lambda: len(in_session(number)) > 5, "they do not begin")
        began = time.monotonic()
        strict.watch(sandbox.destroy)
        strict.until(lambda: not in_session(number), "programs are left behind", within_s=5)
        assert time.monotonic() - began < 3
    assert not is_over(kept) and strict.alive(other), "a program of another sandbox was ended too"


def test_comets_do_not_hide_how_their_sandbox_ended_nor_keep_others_from_beginning(strict: Arena) -> None:
    sandbox = with_programs(strict)
    with session(sandbox) as number:
        source = GIVES_UP + PROGRAMS["comets that lead a group each"] + "os._exit(0)"
        assert strict.attack(source, sandbox).killed
        assert "ended with exit 0: os._exit" in crash_reason(sandbox)
        began = time.monotonic()
        assert strict.alive(strict.attacker())
        assert time.monotonic() - began < 3
        strict.until(lambda: not in_session(number), "programs are left behind", within_s=5)


def test_more_programs_than_threads_are_allowed_end_the_sandbox(strict: Arena) -> None:
    sandbox = with_programs(strict, handler_budget=60_000)  # so many take a while on a busy machine
    with session(sandbox):
        source = f"""
        import os, signal
        for _ in range({THREADS + 20}):
            if not os.fork():
                os.closerange(0, 200); signal.alarm(20); signal.pause(); os._exit(0)
        import time; time.sleep(9)
        """
        assert strict.attack(source, sandbox).killed
        reason = crash_reason(sandbox)
        assert "programs among them) and was killed" in reason and f"{THREADS} are allowed" in reason
        assert any("programs among them" in text for text in sandbox.info().alerts)


CROWD = """
import os, signal, time
end = time.monotonic() + 90
for _ in range(30):
    if not os.fork():
        os.closerange(0, 200)
        for _ in range(29):
            if not os.fork(): break
        while time.monotonic() < end: pass
        os._exit(0)
time.sleep(60)
"""
"""Nine hundred that compute, next to which their guest is hardly ever on the processor again."""


def test_a_sandbox_that_was_killed_does_not_live_on_while_its_programs_compute(strict: Arena) -> None:
    sandbox = with_programs(strict, handler_budget=60_000)  # they are slow to begin beside each other
    with session(sandbox) as number:
        assert strict.attack(CROWD, sandbox, timeout_ms=60_000).killed
        # Whoever looks at so many may be kept by them before he has counted them.
        reason = crash_reason(sandbox)
        assert any(end in reason for end in ("programs among them) and was killed", f"hang: {KEPT}")), reason
        strict.until(lambda: not in_session(number), "they have not given up yet, and nobody ended them", within_s=30)


def test_programs_that_nobody_waits_for_do_not_stay_as_zombies(strict: Arena) -> None:
    sandbox = with_programs(strict)
    source = """
    import subprocess
    for _ in range(20):
        subprocess.run(['sh', '-c', 'true & true & true & true & true & exit 0'])
    """
    with session(sandbox) as number:
        assert strict.attack(source, sandbox).error is None
        strict.until(lambda: in_session(number) == [number], "zombies are left", within_s=2)


def test_ends_without_number_wake_the_zygote_a_few_times_a_second(strict: Arena) -> None:
    sandbox = with_programs(strict)
    source = """
    import os, signal, time
    end = time.monotonic() + 1
    while time.monotonic() < end:
        if not (pid := os.fork()):
            if not os.fork(): os._exit(0)
            os._exit(0)
        os.waitpid(pid, 0)
    """
    with session(sandbox):
        before = woken(strict.zygote)
        assert strict.attack(source, sandbox).error is None
        assert woken(strict.zygote) - before < 300


def woken(pid: int) -> int:
    """How often an OS process has begun to wait."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.rpartition("\nvoluntary_ctxt_switches:")[2].split()[0])


ON_THE_ENDER = {
    "kill it": "_os.kill({ender}, 9)",
    "stop it": "_os.kill({ender}, 19)",
    "kill it by a pidfd": "answer = syscall('pidfd_send_signal', _os.pidfd_open({ender}), 9, 0, 0)",
    "kill its group": "_os.killpg({ender}, 9)",
    "kill it from a program": (
        "import subprocess\n"
        "answer = subprocess.run(['kill', '-9', '{ender}'], capture_output=True).returncode or 'worked'"
    ),
    "trace it": "syscall('ptrace', 16, {ender}, 0, 0)",
    "read its memory": "open('/proc/{ender}/mem', 'rb')",
    "take its files": "_os.listdir('/proc/{ender}/fd')",
    "limit it": "import resource; resource.prlimit({ender}, resource.RLIMIT_CPU, (0, 0))",
    "have it in a group of ours": "_os.setpgid({ender}, _os.getpid())",
    "wait for it": "_os.waitpid({ender}, 0)",
    "have it scheduled last": "_os.setpriority(_os.PRIO_PROCESS, {ender}, 19)",
}


@pytest.fixture
def ended(strict: Arena) -> None:
    if landlock.version() < NEEDS:
        pytest.skip("Landlock before version 6 does not confine signals")


@pytest.mark.parametrize("name", ON_THE_ENDER)
def test_who_ends_programs_cannot_be_reached_by_them(strict: Arena, ended: None, name: str) -> None:
    """Its own, and that of a spare."""
    sandbox = with_programs(strict)
    there = settled_enders(strict)
    assert there
    for ender in there:
        answer = strict.attempt(ON_THE_ENDER[name].replace("{ender}", str(ender)), sandbox)
        assert answer in REFUSED | {"ECHILD", "ESRCH"} or (isinstance(answer, int) and answer != 0)
        assert not is_over(ender) and strict.alive(sandbox)


def test_who_signals_everybody_does_not_keep_its_programs_from_being_ended(strict: Arena, ended: None) -> None:
    sandbox = with_programs(strict)
    with session(sandbox) as number:
        source = GIVES_UP + COMETS.format(first="pass", each="os.setpgid(0, 0)")
        strict.attack(source + "os.kill(-1, signal.SIGSTOP)", sandbox)
        strict.watch(sandbox.destroy)
        strict.until(lambda: not in_session(number), "programs are left behind", within_s=5)


def settled_enders(arena: Arena) -> set[int]:
    """Those that stay: guests that tried code have ended by then."""
    seen = [set[int]()]

    def settled() -> bool:
        time.sleep(0.2)
        seen.append(enders(arena.zygote))
        return seen[-1] == seen[-2] != set()

    arena.until(settled, "there are always others")
    return seen[-1]


def enders(zygote: int) -> set[int]:
    names = Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()
    return {int(pid) for pid in names if name_of(int(pid)) == NAME}


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@contextmanager
def manager_with_programs() -> Iterator[tuple[SandboxManager, Sandbox, int]]:
    """A manager of its own, its sandbox with comets, and the zygote."""
    with nothing_left(), SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(code={"camp.py": CAMP}, main="camp.Camp", allow={"subprocess": True}, limits=LIMITS)
        with session(sandbox):
            zygote = int(sandbox.call("evil", "import os\nanswer = os.getppid()"))
            sandbox.call("evil", GIVES_UP + PROGRAMS["comets that lead a group each"] + DEAF)
            yield manager, sandbox, zygote


def test_programs_end_with_a_zygote_that_is_killed_and_that_is_told(strict_machine: None) -> None:
    with manager_with_programs() as (_, sandbox, zygote):
        number = sandbox.info().os_pid
        os.kill(zygote, signal.SIGKILL)
        until(lambda: sandbox.status is SandboxStatus.CRASHED)
        assert "the sandbox launcher was ended by signal 9 (SIGKILL)" in crash_reason(sandbox)
        until(lambda: not in_session(number or 0), "programs are left behind", within_s=3)


def test_programs_end_with_a_manager_whose_zygote_is_stopped(strict_machine: None) -> None:
    with manager_with_programs() as (manager, sandbox, zygote):
        number = sandbox.info().os_pid
        os.kill(zygote, signal.SIGSTOP)
        manager.close()
        until(lambda: not in_session(number or 0), "programs are left behind", within_s=3)


def test_programs_end_with_their_sandbox_though_the_zygote_is_stopped(strict_machine: None) -> None:
    with manager_with_programs() as (_, sandbox, zygote):
        number = sandbox.info().os_pid
        os.kill(zygote, signal.SIGSTOP)
        try:
            sandbox.destroy()
            until(lambda: all(map(is_over, in_session(number or 0))), "programs are left behind", within_s=6)
        finally:
            os.kill(zygote, signal.SIGCONT)


def test_an_end_that_a_stopped_zygote_does_not_tell_is_no_closed_channel(strict_machine: None) -> None:
    with nothing_left(), SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(code={"camp.py": CAMP}, main="camp.Camp")
        zygote = int(sandbox.call("evil", "import os\nanswer = os.getppid()"))
        os.kill(zygote, signal.SIGSTOP)
        with pytest.raises(SandboxGone):
            sandbox.call("evil", "import os; os._exit(0)")
        until(lambda: sandbox.status is SandboxStatus.CRASHED, within_s=8)
        assert "its OS process has ended, and the sandbox launcher does not say how" in crash_reason(sandbox)
        os.kill(zygote, signal.SIGCONT)


KERNEL = f"""
from jupyter_sandbox.manager.manager import SandboxManager
import time
manager = SandboxManager(store=":memory:")
sandbox = manager.create(code={{"camp.py": {CAMP!r}}}, main="camp.Camp", allow={{"subprocess": True}}, limits={LIMITS})
sandbox.call("evil", {GIVES_UP + DEAF + PROGRAMS["comets that lead a group each"]!r})
print(sandbox.info().os_pid, flush=True)
time.sleep(60)
"""


QUIET = """
from jupyter_sandbox.manager.manager import SandboxManager
import time
manager = SandboxManager(store=":memory:")
sandbox = manager.create(allow={"subprocess": True})
print(sandbox.exec("import subprocess; subprocess.Popen(['sleep', '600']).pid"), flush=True)
time.sleep(60)
"""
"""A sandbox from which nobody hears anything any more."""


@contextmanager
def a_kernel(source: str, temporary: Path) -> Iterator[int]:
    """The number that it tells; it is killed at the end."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, env=environment) as kernel:
        try:
            yield int(kernel.stdout.readline())  # type: ignore[union-attr]
        finally:
            kernel.kill()


def test_programs_end_with_a_kernel_that_is_killed(strict_machine: None, ended: None, tmp_path: Path) -> None:
    with a_kernel(KERNEL, tmp_path) as number:
        assert len(in_session(number)) > 5
    until(lambda: not [pid for pid in in_session(number) if not is_over(pid)], "programs are left behind", within_s=3)


def test_a_program_that_does_nothing_ends_with_a_kernel_that_is_killed(
    strict_machine: None, ended: None, tmp_path: Path
) -> None:
    """Nothing wakes the zygote, which so has not read what the ender told it."""
    with a_kernel(QUIET, tmp_path) as program:
        assert not is_over(program)
    try:
        until(lambda: is_over(program), "it lives on", within_s=3)
    finally:
        with suppress(ProcessLookupError):
            os.kill(program, signal.SIGKILL)


def test_a_guest_is_ended_before_its_zygote_when_memory_is_short(strict: Arena) -> None:
    sandbox = with_programs(strict)
    program = strict.attempt("import subprocess\nanswer = subprocess.Popen(['sleep', '60']).pid", sandbox)
    scores = [
        int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (program, sandbox.info().os_pid, strict.zygote)
    ]
    assert scores == [1000, 1000, zygote_ends()]


DAEMON = """
import os
heard, told = os.pipe()
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    os.write(told, str(os.getpid()).encode()); os.closerange(0, 200)
    os.execv('/bin/sleep', ['sleep', '30'])
answer = int(os.read(heard, 20))
"""


def test_a_daemon_of_basic_ends_with_another_sandbox_as_is_said(arena: Arena) -> None:
    sandbox, other = arena.attacker(profile="basic"), arena.attacker()
    daemon = arena.attempt(DAEMON, sandbox)
    until(lambda: Path(f"/proc/{daemon}/comm").read_text() == "sleep\n", "it never began")
    assert arena.alive(sandbox) and not is_over(daemon)
    other.destroy()
    until(lambda: is_over(daemon), "it goes on", within_s=5)
    assert arena.alive(sandbox)
