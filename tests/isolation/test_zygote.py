"""Guests are forked fast, end with a known status, and nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import exec_zygote, launch, sweeper
from jupyter_sandbox.isolation import zygote as module
from jupyter_sandbox.isolation.exec_zygote import begin
from jupyter_sandbox.isolation.exits import FAILED_BEFORE_ENTRY
from jupyter_sandbox.isolation.guest_process import GuestProcess
from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import LaunchFailed, Unsupported
from jupyter_sandbox.model.limits import Limits

from ..busy import held_program, needs_busy_programs
from ..leaving import guests_of, name_of, nothing_left
from ..waiting import until
from .conftest import DEADLINE_S, HERE, Launcher, Story, launcher, lives, read_all, wait_until_gone

Play = Callable[[Story], None]


def test_a_guest_runs_the_entry_and_its_exit_code_is_told(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest("shop")
        assert await told.ask("import os; answer = [boot.name, os.getpid()]") == ["shop", told.process.pid]
        await told.tell("raise SystemExit(3)")
        assert await told.status() == "exit 3"
        assert await told.status() == "exit 3"

    play(story)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("import os; os._exit(5)", "exit 5"),
        ("import os; os.abort()", "signal 6 (SIGABRT)"),
        ("import ctypes; ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
        ("import os; os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
        ("raise SystemExit('why')", "exit 1"),
        ("raise SystemExit", "exit 0"),
        ("raise ValueError('why')", "exit 71"),
    ],
)
def test_every_way_to_end_has_its_text(play: Play, text: str, status: str) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.tell(text)
        assert await told.status() == status
        told.process.kill()
        told.process.interrupt()
        assert told.process.has_ended() and told.process.memory() == 0

    play(story)


def test_end_of_the_control_socket_ends_the_entry(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.ask("code = 4")
        told.process.control.shutdown(1)
        assert await told.status() == "exit 4"

    play(story)


def test_what_the_entry_raises_stands_on_stderr(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.tell("print('before'); 1 / 0")
        assert "ZeroDivisionError" in await read_all(told.process.stderr_fd, "ZeroDivisionError")
        assert await read_all(told.process.stdout_fd, "\n") == "before\n"

    play(story)


def test_no_program_that_the_kernel_starts_gets_a_file_of_a_guest(play: Play) -> None:
    """With ``os.system`` and ``close_fds=False`` it gets every file that is not closed to programs."""

    async def story(launcher: Launcher) -> None:
        before = inherited()
        told = await launcher.guest()
        assert inherited() <= before
        told.process.kill()

    play(story)


def inherited() -> set[int]:
    """The open files that a program gets."""
    found = set[int]()
    for fd in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # the listing's own
            if os.get_inheritable(fd):
                found.add(fd)
    return found


def test_fifty_guests_at_once(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await asyncio.gather(*(launcher.guest(f"g{number}") for number in range(50)))
        names = await asyncio.gather(*(one.ask("answer = boot.name") for one in told))
        assert names == [f"g{number}" for number in range(50)]
        assert len({one.process.pid for one in told}) == 50
        assert len({one.process.scratch for one in told}) == 50
        for one in told:
            one.process.kill()
        assert {await one.status() for one in told} == {"signal 9 (SIGKILL)"}

    play(story)


UNREADABLE = [
    Boot("x", seed="7"),  # type: ignore[arg-type]
    Boot("x", seed=True),
    Boot("x", seed=1.5),  # type: ignore[arg-type]
    Boot("x", limits=Limits(max_memory="x")),  # type: ignore[arg-type]
]


def test_what_a_guest_cannot_read_is_refused_before_it_is_sent(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        for wrong in UNREADABLE:
            with pytest.raises(LaunchFailed, match=r"cannot be read by its launcher \(.*(seed|max_memory)"):
                await launcher.zygote.fork(wrong)
        assert await (await launcher.guest("next")).ask("answer = boot.name") == "next"

    play(story)


def test_what_a_guest_is_told_and_cannot_read_ends_nobody_else(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its zygote does not read it."""
    monkeypatch.setattr(module, "_read", lambda told: told)

    async def story(launcher: Launcher) -> None:
        told = await launcher.guest("precious")
        for wrong in UNREADABLE:
            guest = await launcher.zygote.fork(wrong)
            assert str(await guest.wait()) == f"exit {FAILED_BEFORE_ENTRY}"
            assert b"ValidationError" in os.read(guest.stderr_fd, 1 << 16)
            guest.close()
        assert await told.ask("answer = boot.name") == "precious"
        assert await (await launcher.guest("next")).ask("answer = boot.name") == "next"

    play(story)


@pytest.mark.parametrize("seed", [object(), 2**70, "\ud800"])
def test_what_cannot_be_written_to_a_zygote_is_refused(play: Play, seed: object) -> None:
    async def story(launcher: Launcher) -> None:
        with pytest.raises(LaunchFailed):
            await launcher.zygote.fork(Boot("x", seed=seed))  # type: ignore[arg-type]
        assert await (await launcher.guest("next")).ask("answer = boot.name") == "next"

    play(story)


@pytest.mark.parametrize("packet", [b"\xc1", b"\x93", b"\x01", b"\x81\xa2id\xa1x", b"\x81\xa2id\x01"])
def test_a_packet_that_is_no_request_ends_nobody(play: Play, packet: bytes) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest("precious")
        launcher.zygote._control.send(packet)
        assert await (await launcher.guest("next")).ask("answer = boot.name") == "next"
        assert await told.ask("answer = boot.name") == "precious"

    play(story)


def test_closing_kills_all_guests_twice_is_once_and_no_folder_stays(temporary: Path) -> None:
    async def story() -> None:
        async with launcher() as made:
            told = [await made.guest(f"g{number}") for number in range(3)]
            await told[0].ask("import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 10, 15)]")
            await told[1].tell("while True: pass")
            await told[2].tell("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
            pids = [made.zygote.pid, *(one.process.pid for one in told)]
            await made.zygote.close()
            await made.zygote.close()
            assert {await one.status() for one in told} == {"signal 9 (SIGKILL)"}
            wait_until_gone(pids)
            told[0].process.close()
            told[0].process.close()
            with pytest.raises(LaunchFailed, match="has ended"):
                await made.zygote.fork(Boot("late"))

    asyncio.run(story())
    assert list(temporary.iterdir()) == []


def test_a_killed_zygote_is_noticed_and_takes_its_guests_along(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        died = asyncio.Event()
        launcher.zygote.on_death = died.set
        told = [await launcher.guest(f"g{number}") for number in range(3)]
        await told[1].tell("while True: pass")
        os.kill(launcher.zygote.pid, signal.SIGKILL)
        await died.wait()
        assert not launcher.zygote.alive
        assert {await one.status() for one in told} == {"signal 9 (SIGKILL)"}
        wait_until_gone([one.process.pid for one in told])
        with pytest.raises(LaunchFailed, match="create the sandbox again"):
            await launcher.zygote.fork(Boot("late"))
        await launcher.zygote.close()

    play(story)


@pytest.mark.skipif(sys.platform != "linux", reason="its number is read in /proc")
def test_who_sweeps_up_has_done_so_and_ended_when_a_zygote_was_closed(play: Play, temporary: Path) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.ask("import os; os.mkdir('kept')")
        children = Path(f"/proc/{launcher.zygote.pid}/task/{launcher.zygote.pid}/children").read_text().split()
        sweeping = [int(pid) for pid in children if name_of(int(pid)) == sweeper.NAME]
        assert len(sweeping) == 1
        await launcher.zygote.close()
        assert list(temporary.iterdir()) == []
        wait_until_gone(sweeping)

    play(story)


def test_the_loop_goes_on_while_a_zygote_takes_its_time_to_end(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_zygote, "PATIENCE_S", DEADLINE_S)

    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        os.kill(launcher.zygote.pid, signal.SIGSTOP)
        closing = [asyncio.create_task(launcher.zygote.close()) for _ in range(2)]
        while lives(told.process.pid):
            await asyncio.sleep(0.01)
        assert lives(launcher.zygote.pid) and not any(one.done() for one in closing)
        with pytest.raises(LaunchFailed, match="has ended"):
            await launcher.zygote.fork(Boot("late"))
        os.kill(launcher.zygote.pid, signal.SIGCONT)
        await asyncio.gather(*closing)
        assert await told.status() == "signal 9 (SIGKILL)"
        wait_until_gone([launcher.zygote.pid])

    play(story)


def test_the_loop_goes_on_while_who_died_with_a_zygote_is_looked_for(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, found, died = threading.Event(), threading.Event(), asyncio.Event()

    def end_all(guests: Iterable[GuestProcess]) -> None:
        looked.set()
        assert found.wait(DEADLINE_S) and list(guests)

    monkeypatch.setattr(module, "end_all", end_all)

    async def story(launcher: Launcher) -> None:
        launcher.zygote.on_death = died.set
        told = await launcher.guest()
        os.kill(launcher.zygote.pid, signal.SIGKILL)
        while not looked.is_set():
            await asyncio.sleep(0.01)
        closing = asyncio.create_task(launcher.zygote.close())
        with pytest.raises(LaunchFailed, match="has ended"):
            await launcher.zygote.fork(Boot("late"))
        assert not died.is_set() and not closing.done()
        found.set()
        await died.wait()
        assert await told.status() == "signal 9 (SIGKILL)" and "was ended by signal 9" in told.process.cause
        await closing

    play(story)


def test_an_end_that_somebody_else_has_asked_about_is_not_told_as_exit_0_alone(play: Play) -> None:
    """Where SIGCHLD is ignored, or somebody waits for any child, Python says 0 whatever it was."""

    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            os.kill(launcher.zygote.pid, signal.SIGKILL)
            assert await told.status() == "signal 9 (SIGKILL)"
            assert "with exit 0 or unseen (something in the notebook waits for" in told.process.cause
        finally:
            signal.signal(signal.SIGCHLD, before)

    play(story)


def test_closing_is_no_death(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        called, told = asyncio.Event(), await launcher.guest()
        launcher.zygote.on_death = called.set
        await launcher.zygote.close()
        assert await told.status() == "signal 9 (SIGKILL)"
        wait_until_gone([launcher.zygote.pid])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(called.wait(), 0.2)

    play(story)


def test_a_module_that_cannot_be_preloaded_is_named() -> None:
    async def story() -> None:
        with pytest.raises(LaunchFailed, match="no_such_module"):
            await Zygote.start(preload=["no_such_module"], entry="told_guest:run", sys_path=[HERE, *sys.path])

    asyncio.run(story())


def test_an_interpreter_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    async def story() -> None:
        with pytest.raises(LaunchFailed, match="cannot start /no/such/python"):
            await Zygote.start(entry="told_guest:run", sys_path=[])

    asyncio.run(story())


@pytest.mark.parametrize("unknown", [None, ""])
def test_a_python_that_does_not_know_its_program_is_told(monkeypatch: pytest.MonkeyPatch, unknown: str | None) -> None:
    """As Python says where it is a part of another program."""
    monkeypatch.setattr(sys, "executable", unknown)

    async def story() -> None:
        with pytest.raises(LaunchFailed, match=r"sys\.executable"):
            await Zygote.start(entry="told_guest:run", sys_path=[])

    with nothing_left():
        asyncio.run(story())


def test_a_kernel_that_is_debugged_has_zygotes_without_the_debugger() -> None:
    """JupyterLab's debugger begins so. It has every Python that the kernel starts run itself first, and wait for it."""
    kernel = """
import debugpy
debugpy.listen(("127.0.0.1", 0))
from pathlib import Path
from jupyter_sandbox import SandboxManager
with SandboxManager() as manager:
    print(manager.create("shop").info().status.value)
    children = "".join(one.read_text() for one in Path("/proc/self/task").glob("*/children")).split()
    programs = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    print(["pydevd" in program for program in programs if "jupyter_sandbox" in program])
"""
    quiet = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    told = subprocess.run([sys.executable, "-c", kernel], env=quiet, capture_output=True, text=True, timeout=DEADLINE_S)
    assert (told.stdout, told.stderr) == ("running\n[False]\n", "")


@needs_busy_programs
def test_an_interpreter_that_is_busy_for_a_moment_is_started_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_program("true", tmp_path) as (path, let_go):
        monkeypatch.setattr(sys, "executable", path)
        monkeypatch.setattr(time, "sleep", let_go)
        begun = begin(entry="told_guest:run", preload=(), preimport=(), sys_path=())
    assert begun.process.args[0] == path  # type: ignore[index]
    begun.undo()


@needs_busy_programs
def test_one_that_stays_busy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_program("true", tmp_path) as (path, _):
        monkeypatch.setattr(sys, "executable", path)
        with pytest.raises(LaunchFailed, match="another program has it open for writing"):
            begin(entry="told_guest:run", preload=(), preimport=(), sys_path=())


def test_a_profile_that_cannot_be_had_is_refused(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        with pytest.raises(Unsupported, match="'strong' cannot be had here; use one of off, basic, standard, strict"):
            await launcher.zygote.fork(Boot("x", profile="strong"))

    play(story)


def test_a_zygote_that_does_not_answer_is_killed_and_takes_its_guests_along(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(launcher: Launcher) -> None:
        died = asyncio.Event()
        launcher.zygote.on_death = died.set
        told = await launcher.guest()
        monkeypatch.setattr(module, "_LOOK_S", 0.02)  # before, it answers when it can
        os.kill(launcher.zygote.pid, signal.SIGSTOP)
        several = [launcher.zygote.fork(Boot(f"late{number}")) for number in range(12)]
        errors = await asyncio.gather(*several, return_exceptions=True)
        assert all(isinstance(one, LaunchFailed) and "create the sandbox again" in str(one) for one in errors)
        assert "did not answer in" in str(errors[0])
        await died.wait()
        assert not launcher.zygote.alive
        assert await told.status() == "signal 9 (SIGKILL)"
        wait_until_gone([launcher.zygote.pid, told.process.pid])

    play(story)


def test_a_zygote_that_is_slow_and_answers_others_is_waited_for(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.05)

    async def story(launcher: Launcher) -> None:
        os.kill(launcher.zygote.pid, signal.SIGSTOP)
        asked = asyncio.create_task(launcher.zygote.fork(Boot("patient")))
        for _ in range(2 * module._LOOKS):
            await asyncio.sleep(module._LOOK_S)
            launcher.zygote._take(launch.Exited(1, 0), [])
        monkeypatch.undo()  # from here on, it answers when it can
        os.kill(launcher.zygote.pid, signal.SIGCONT)
        (await asked).close()

    play(story)


async def sent(launcher: Launcher) -> None:
    """Until the zygote has been asked for a guest."""
    while not launcher.zygote._launching:
        await asyncio.sleep(0)


def test_a_kernel_that_was_busy_itself_takes_no_zygote_for_dead(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.02)

    async def story(launcher: Launcher) -> None:
        os.kill(launcher.zygote.pid, signal.SIGSTOP)
        asked = asyncio.create_task(launcher.zygote.fork(Boot("patient")))
        await sent(launcher)
        time.sleep(2 * module._LOOKS * module._LOOK_S)  # the loop stands still, as behind a long call of C code
        monkeypatch.undo()  # from here on, it answers when it can
        os.kill(launcher.zygote.pid, signal.SIGCONT)
        (await asked).close()

    play(story)


def test_a_guest_that_comes_after_its_asker_gave_up_is_killed(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        os.kill(launcher.zygote.pid, signal.SIGSTOP)
        asked = asyncio.create_task(launcher.zygote.fork(Boot("late")))
        await sent(launcher)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        os.kill(launcher.zygote.pid, signal.SIGCONT)
        assert await (await launcher.guest()).ask("answer = 1") == 1
        wait_until_gone(sorted(guests_of(launcher.zygote.pid) - {launcher.told[-1].process.pid}))

    play(story)


def test_a_fork_that_is_cancelled_leaves_nothing(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        for delay in range(6):
            task = asyncio.create_task(launcher.zygote.fork(Boot("x")))
            for _ in range(delay):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await (await launcher.guest()).ask("pass")
        zygote, only = launcher.zygote.pid, {launcher.told[-1].process.pid}
        until(lambda: guests_of(zygote) == only)  # asked again: who sweeps up has its name a moment after its start

    play(story)


PROGRAMS = """
import subprocess, sys
started = [subprocess.Popen(
    [sys.executable, "-c", "import os, time; print(os.fork() or os.getpid(), flush=True); time.sleep(1000)"],
    stdout=subprocess.PIPE, start_new_session=True,
) for _ in range(3)]
answer = [one.pid for one in started] + [int(one.stdout.readline()) for one in started]
"""
"""Each has a child of its own, which becomes the zygote's only when its parent has ended."""


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_the_end_of_a_guest_is_told_when_the_programs_that_it_left_behind_have_ended(play: Play, how: str) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="basic")
        pids = await told.ask(PROGRAMS)
        assert all(map(lives, pids))
        if how == "kill":
            told.process.kill()
        else:
            await told.tell("import os; os._exit(3)")
        await told.status()
        assert [pid for pid in pids if lives(pid)] == []

    play(story)


LEFT_RUNNING = """
import subprocess
subprocess.run(["/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $! > pid"], check=True)
answer = int(open("pid").read())
"""


def test_a_program_that_was_left_running_ends_with_its_own_guest_and_not_with_another(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        one, other = await launcher.guest(profile="basic"), await launcher.guest(profile="basic")
        kept, ended = await one.ask(LEFT_RUNNING), await other.ask(LEFT_RUNNING)
        await other.tell("import os; os._exit(0)")
        await other.status()
        assert lives(kept) and not lives(ended)
        one.process.kill()
        await one.status()
        assert not lives(kept)

    play(story)


def test_programs_of_guests_end_with_their_zygote(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        pids = [pid for _ in range(2) for pid in await (await launcher.guest(profile="basic")).ask(PROGRAMS)]
        await launcher.zygote.close()
        wait_until_gone(pids)

    play(story)


def test_a_guests_folder_goes_with_it_whatever_is_in_it(play: Play, temporary: Path) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.ask(
            "import os\nos.mkdir('locked'); open('locked/f', 'w').close(); os.chmod('locked', 0)\n"
            "os.mkfifo('pipe'); os.symlink('/', 'root'); open(b'\\xff\\n', 'w').close(); answer = os.getcwd()"
        )
        assert os.path.isdir(told.process.scratch)
        told.process.close()
        await told.status()

    play(story)
    assert list(temporary.iterdir()) == []
