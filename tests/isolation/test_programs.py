"""Programs of a guest end with it: where Landlock confines signals, and where it does not yet."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from jupyter_sandbox.isolation import ender, forked, landlock, system
from jupyter_sandbox.isolation.guest_process import GuestProcess
from jupyter_sandbox.isolation.leftovers import end_all, end_session
from jupyter_sandbox.isolation.system import in_session, is_over
from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.model.errors import LaunchFailed
from jupyter_sandbox.model.openings import Openings

from ..leaving import nothing_left
from ..waiting import until
from .conftest import HERE, Launcher, Story, wait_until_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
PROGRAMS = Openings(subprocess=True)
EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine(), 1)
"""Of one thread."""
COMETS = """
import os, time
end = time.monotonic() + 10
heard, told = os.pipe()
for _ in range(8):
    if not os.fork():
        os.write(told, b'1')
        os.closerange(0, 200)
        while time.monotonic() < end:
            if os.fork(): os._exit(0)
        os._exit(0)
for _ in range(8): os.read(heard, 1)  # all have begun
"""
CHAIN = """
import os, signal, time
if not os.fork():
    os.closerange(0, 200)
    for _ in range(150):
        if os.fork(): break
    signal.alarm(10); signal.pause(); os._exit(0)
"""

SHORT = """
import resource, socket, sys
from jupyter_sandbox.isolation.confined import Landlock
from jupyter_sandbox.isolation.layers import protect
from jupyter_sandbox.isolation.profiles import demand
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import LaunchFailed
from jupyter_sandbox.model.openings import Openings
boot = Boot("x", profile="standard", scratch=sys.argv[1], openings=Openings(subprocess=True))
layer = Landlock(boot, tuple(sys.path), socket.socketpair()[0].detach())
files, tasks = int(sys.argv[2]), int(sys.argv[3])
if files: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
if tasks:
    import os
    from jupyter_sandbox.isolation import system
    os.setgid(65534); os.setuid(65534); system.set_no_new_privs()
    resource.setrlimit(resource.RLIMIT_NPROC, (tasks, tasks))
try: demand(boot, protect([layer], boot))
except Exception as error: print(type(error).__name__, error)
"""


@pytest.mark.skipif(landlock.version() < ender.NEEDS, reason="nobody ends programs here")
@pytest.mark.parametrize(
    ("files", "tasks", "why"), [(4, 0, "Too many open files"), (0, 1, "Resource temporarily unavailable")]
)
def test_no_room_for_who_ends_its_programs_is_no_profile_that_cannot_be_had(
    tmp_path: Path, files: int, tasks: int, why: str
) -> None:
    if tasks and os.geteuid():
        pytest.skip("only root becomes a user without other OS processes")
    words = [sys.executable, "-c", SHORT, str(tmp_path), str(files), str(tasks)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
    assert told == f"LaunchFailed no OS process for the sandbox: fork: {why}; destroy some sandboxes\n"


A_GROUP = """
import os
if not (pid := os.fork()):
    try: os.setpgid(0, 0)
    except PermissionError: os._exit(7)
    os._exit(0)
answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def ends_with_its_programs(text: str) -> Story:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="standard", openings=PROGRAMS)
        number = told.process.pid
        try:
            await told.ask(text)
            until(lambda: len(in_session(number)) > 5, "they do not begin")
            began = time.monotonic()
            await told.tell("os._exit(3)")
            assert await told.status() == "exit 3"
            assert in_session(number) == []
            assert time.monotonic() - began < 1.5
        finally:
            if number in in_session(number):
                os.killpg(number, signal.SIGKILL)

    return story


@pytest.mark.parametrize("text", [COMETS, CHAIN], ids=["comets", "chain"])
def test_programs_end_with_their_guest(play: Callable[[Story], None], text: str) -> None:
    if not landlock.version():
        pytest.skip("needs Landlock")
    play(ends_with_its_programs(text))


@pytest.mark.parametrize("text", [COMETS, CHAIN], ids=["comets", "chain"])
def test_programs_end_with_their_guest_where_landlock_does_not_confine_signals(text: str) -> None:
    if not landlock.version():
        pytest.skip("needs Landlock")

    async def story() -> None:
        launcher = Launcher(await Zygote.start(entry="older_guest:Older", sys_path=[HERE, *sys.path]))
        try:
            other = await launcher.guest(profile="standard", openings=PROGRAMS)
            assert await other.ask(A_GROUP) == 7
            await ends_with_its_programs(text)(launcher)
            assert await other.ask("answer = 1") == 1
        finally:
            for told in launcher.told:
                told.process.close()
            await launcher.zygote.close()

    with nothing_left():
        asyncio.run(story())


def in_other_sessions(zygote: int, guest: int) -> bool:
    """Whether a program of this guest, the only one, has begun a session of its own."""
    children = Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()
    return not {system.session_of(int(pid)) for pid in children} <= {0, guest, os.getsid(zygote)}


def test_an_answer_comes_while_programs_are_being_ended(play: Callable[[Story], None]) -> None:
    """Of ``basic``, where nothing keeps comets from beginning sessions of their own: they are hunted by turns."""

    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="basic")
        each = "if os.fork(): os._exit(0)\n            os.setsid()"
        await told.ask(COMETS.replace("+ 10", "+ 3").replace("if os.fork(): os._exit(0)", each))
        until(lambda: in_other_sessions(launcher.zygote.pid, told.process.pid), "nobody begins a session")
        await told.tell("os._exit(3)")
        began = time.monotonic()
        other = await launcher.guest()
        assert await other.ask("answer = 1") == 1
        assert time.monotonic() - began < 1.5
        assert await told.status() == "exit 3"

    play(story)


@pytest.fixture
def stranger() -> Iterator[int]:
    """The leader of a session that is none of ours, with a program in it."""
    pid = os.fork()
    if not pid:
        os.setsid()
        os.fork()
        signal.alarm(20)
        signal.pause()
        os._exit(0)
    while len(in_session(pid)) < 2:
        time.sleep(0.005)
    yield pid
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def ended() -> int:
    """A pidfd of an OS process that is no more."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    pidfd = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    return pidfd


def test_a_session_whose_number_went_to_somebody_else_is_left_alone(stranger: int) -> None:
    pidfd = ended()
    try:
        assert not end_session(stranger, pidfd, set()) and not end_session(stranger, -1, set())
        assert len([pid for pid in in_session(stranger) if not is_over(pid)]) == 2
    finally:
        os.close(pidfd)


def test_what_a_dead_guest_left_in_its_session_is_ended(stranger: int) -> None:
    (program,) = set(in_session(stranger)) - {stranger}
    pidfd = os.pidfd_open(stranger)
    try:
        os.kill(stranger, signal.SIGKILL)
        wait_until_gone([stranger])
        end_session(stranger, pidfd, set())
        wait_until_gone([program])
    finally:
        os.close(pidfd)


def test_who_is_gone_when_he_is_looked_at_is_looked_for_again(stranger: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one who forks and ends without a pause may be, each time."""
    (program,) = set(in_session(stranger)) - {stranger}
    looked, pidfd = list[int](), os.pidfd_open(stranger)

    def seen(session: int) -> list[int]:
        looked.append(session)
        return in_session(session) if len(looked) > 2 else []

    guest = SimpleNamespace(pid=stranger, pidfd=pidfd, alone=False)
    try:
        os.kill(stranger, signal.SIGKILL)
        wait_until_gone([stranger])
        monkeypatch.setattr(system, "in_session", seen)
        monkeypatch.setattr(system, "signal_group", lambda *_: None)  # it may lead one of its own
        before = len(os.listdir("/proc/self/fd"))
        end_all([cast(GuestProcess, guest)], 20)
        assert len(os.listdir("/proc/self/fd")) == before
        until(lambda: is_over(program), "it lives on", within_s=5)
    finally:
        os.close(pidfd)


@pytest.mark.parametrize(("confined", "code"), [(False, 3), (True, 0)])
def test_nobody_who_would_signal_everybody_stays_where_signals_are_not_confined(confined: bool, code: int) -> None:
    if confined and landlock.version() < ender.NEEDS:
        return  # nobody stays there
    child = os.fork()
    if not child:
        found = 4
        try:
            if confined:
                system.set_no_new_privs()
                landlock.confine_signals()
            ender.must_be_confined()
            found = 0
        except OSError as error:
            found = 3 if "not confined" in str(error) else 4
        finally:
            os._exit(found)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code


def test_all_that_a_killed_guest_started_ends_before_it_has_found_the_time_to(play: Callable[[Story], None]) -> None:
    """As if its programs kept it from the processor: nothing but the request to the zygote is made here."""

    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="standard", openings=PROGRAMS)
        number = told.process.pid
        try:
            await told.ask(CHAIN)
            until(lambda: len(in_session(number)) > 5, "they do not begin")
            told.process._end_programs(number)
            assert await told.status() == "signal 9 (SIGKILL)"
            assert in_session(number) == []
        finally:
            if number in in_session(number):
                os.killpg(number, signal.SIGKILL)

    play(story)


def test_who_is_killed_is_ended_with_its_programs_once_and_who_is_alone_costs_no_more(
    play: Callable[[Story], None],
) -> None:
    async def story(launcher: Launcher) -> None:
        asked = list[int]()
        for alone in (False, True):
            told = await launcher.guest(profile="standard", openings=PROGRAMS)
            told.process._end_programs, told.process.alone = asked.append, alone
            told.process.kill()
            told.process.kill()
            assert await told.status() == "signal 9 (SIGKILL)"
            if not alone:
                assert asked == [told.process.pid]
        assert len(asked) == 1

    play(story)


def test_a_program_that_cannot_be_ended_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    guests, now = forked.Guests(), [0.0]
    monkeypatch.setattr(forked, "_signal_group", lambda group: None)
    monkeypatch.setattr(forked.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    assert guests._ends_soon(4711), "it is being ended"
    now[0] = forked._DYING_S + 0.1
    assert not guests._ends_soon(4711), "it hangs in the operating system"

    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert not guests._ends_soon(4712), "it is another user's"


def test_who_lives_on_in_another_thread_is_not_over() -> None:
    source = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(20,)).start(); "
    started = subprocess.Popen([sys.executable, "-c", f"{source}ctypes.CDLL(None).syscall({EXIT}, 0)"])
    try:
        until(lambda: b") Z " in Path(f"/proc/{started.pid}/stat").read_bytes())
        assert not is_over(started.pid)
        started.kill()
        until(lambda: is_over(started.pid))
    finally:
        started.kill()
        started.wait()


async def at_rest(zygote: int) -> set[int]:
    """Its files when it rehearses nothing any more."""
    seen = list[set[int]]()
    while len(seen) < 20 or any(one != seen[-1] for one in seen[-20:]):
        seen.append({int(name) for name in os.listdir(f"/proc/{zygote}/fd")})
        await asyncio.sleep(0.02)
    return seen[-1]


def test_a_zygote_that_can_open_no_more_refuses_one_guest_and_keeps_the_others(play: Callable[[Story], None]) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        zygote = launcher.zygote.pid
        usual = resource.prlimit(zygote, resource.RLIMIT_NOFILE)
        taken = await at_rest(zygote)
        most = [number for number in range(100) if number not in taken][4]  # a guest's four, and not its pidfd
        resource.prlimit(zygote, resource.RLIMIT_NOFILE, (most, usual[1]))
        try:
            with pytest.raises(LaunchFailed, match="fork: Too many open files"):
                await launcher.guest()
        finally:
            resource.prlimit(zygote, resource.RLIMIT_NOFILE, usual)
        assert await told.ask("answer = 42") == 42
        assert await (await launcher.guest()).ask("answer = 42") == 42

    play(story)
