"""Watching, interrupting and limiting a guest from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from jupyter_sandbox.isolation import shared_memory
from jupyter_sandbox.isolation.guest_process import GuestProcess

from .conftest import Launcher, Story, read_all

Play = Callable[[Story], None]
INTERRUPTIBLE = """
import signal
class Interrupted(BaseException): pass
def stop(*_): raise Interrupted
signal.signal(signal.SIGUSR1, stop)
"""


@pytest.mark.parametrize(
    "stuck",
    ["exec('while True: pass')", "import time; time.sleep(1000)", "import re; re.match('(a+)+$', 'a' * 50 + 'b')"],
)
def test_an_interrupt_raises_in_whatever_runs(play: Play, stuck: str) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.ask(INTERRUPTIBLE)
        body = f"try:\n  print('stuck'); {stuck}\nexcept Interrupted:\n  answer = 'interrupted'"
        await told.tell(body)
        await read_all(told.process.stdout_fd, "stuck")
        told.process.interrupt()
        assert await told.answer() == "interrupted"

    play(story)


def test_an_interrupt_before_the_guest_listens_is_harmless(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        told.process.interrupt()
        assert await told.ask("answer = 1") == 1

    play(story)


def test_whether_it_has_read_what_it_was_sent_and_waits_is_seen_from_outside(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        process = told.process
        process.look_up()
        assert not process.unread() and not process.stopped
        await told.tell("import time\nprint('now'); time.sleep(1000)")
        await read_all(process.stdout_fd, "now")
        assert not process.unread()
        await told.tell("pass")
        assert process.unread()
        while not process.waits():
            await asyncio.sleep(0.01)
        os.kill(process.pid, signal.SIGSTOP)
        while not process.stopped:
            await asyncio.sleep(0.01)
        assert not process.waits() and process.threads == 1
        process.close()
        assert not (process.unread() or process.waits() or process.stopped or process.threads)

    play(story)


def test_a_dump_tells_where_it_hangs_even_inside_c(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.tell("def stuck_here():\n  print('now')\n  sum(range(10**15))\nstuck_here()")
        await read_all(told.process.stdout_fd, "now")
        told.process.dump()
        assert "in stuck_here" in await read_all(told.process.stderr_fd, "in run")

    play(story)


def test_growth_is_what_the_guest_allocated_since_it_was_ready(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        assert told.process.take_baseline() > 1_000_000
        assert told.process.growth() < 1_000_000
        await told.ask("kept = bytes(1) + bytearray(20_000_000)")
        assert 19_000_000 < told.process.growth() < 30_000_000
        assert told.process.holdings(10).threads == 1

    play(story)


@pytest.mark.parametrize(
    "bomb",
    [
        "bytearray(10**9)",
        "[bytes(1000) for _ in range(10**9)]",
        "__import__('mmap').mmap(-1, 500 << 20)",
        "__import__('ctypes').create_string_buffer(10**9)",
    ],
)
def test_memory_above_the_limit_is_a_memory_error_inside(play: Play, bomb: str) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(max_memory=50_000_000)
        told.process.take_baseline()
        body = f"try:\n  kept = {bomb}\n  answer = 'got it'\nexcept (MemoryError, OSError) as e:\n  answer = 'refused'"
        assert await told.ask(body) == "refused"
        assert told.process.growth() < 60_000_000

    play(story)


def test_as_much_memory_as_the_limit_allows_can_be_had(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(max_memory=50_000_000)
        assert await told.ask("answer = len(bytearray(45_000_000))") == 45_000_000

    play(story)


def test_the_memory_limit_can_be_moved_or_it_is_said_that_it_cannot(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(max_memory=50_000_000)
        attempt = "try:\n  answer = len(bytearray(60_000_000))\nexcept MemoryError:\n  answer = 'refused'"
        raised = told.process.move_memory_limit(20_000_000)  # takes a power that root may lack, in a container
        assert await told.ask(attempt) == (60_000_000 if raised else "refused")
        assert told.process.move_memory_limit(-40_000_000)
        assert await told.ask(attempt) == "refused"
        told.process.kill()
        await told.status()
        assert not told.process.move_memory_limit(1)

    play(story)


def test_output_is_what_print_and_the_file_numbers_write(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.ask("import os, sys; print('a\\ud800'); os.write(1, b'b\\n'); print('c', file=sys.stderr)")
        assert await read_all(told.process.stdout_fd, "b\n") == "a\\ud800\nb\n"
        assert await read_all(told.process.stderr_fd, "c\n") == "c\n"

    play(story)


def test_closing_frees_every_file_at_once(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        before = len(os.listdir("/proc/self/fd"))
        told = [await launcher.guest() for _ in range(5)]
        for one in told:
            one.process.memory()
            one.process.close()
            one.process.close()
        assert len(os.listdir("/proc/self/fd")) == before
        assert {await one.status() for one in told} == {"signal 9 (SIGKILL)"}

    play(story)


def test_what_outlives_a_guest_is_removed_when_that_has_ended_at_last(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it hung in the operating system when it was closed."""

    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="off")
        told.process.memory()
        number = await told.ask("import ctypes; answer = ctypes.CDLL(None).shmget(0, 4096, 0o1600)")
        assert ("/SYSV", number) in shared_memory._made(told.process.pid)
        monkeypatch.setattr(GuestProcess, "_certainly_ended", lambda self: False)
        told.process.close()
        assert ("/SYSV", number) in shared_memory._made(told.process.pid)
        async with asyncio.timeout(20):
            while ("/SYSV", number) in shared_memory._made(told.process.pid):
                await asyncio.sleep(0.01)

    play(story)
