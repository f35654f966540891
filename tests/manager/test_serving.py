"""The manager's thread goes on when something breaks out of its loop; where it cannot, nobody waits for it."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from jupyter_sandbox.manager.loop import ManagerLoop
from jupyter_sandbox.model.errors import LaunchFailed, SandboxGone


@pytest.fixture
def loop() -> Iterator[ManagerLoop]:
    loop = ManagerLoop()
    yield loop
    loop.close()


async def answer() -> int:
    return 42


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, MemoryError, ValueError])
def test_what_breaks_out_of_the_loop_ends_nothing(
    loop: ManagerLoop, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def escape() -> None:
        raise kind("meant for somebody else")

    loop.run(answer())
    thread = loop._thread
    loop.post(escape)
    assert loop.run(answer()) == 42
    assert thread is not None and thread.is_alive() and not loop.closed
    assert caplog.records, "it is told"


def test_an_exception_that_somebody_sends_into_the_thread_ends_nothing(
    loop: ManagerLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.run(answer())
    assert loop._thread is not None
    number, kind = ctypes.c_ulong(loop._thread.ident or 0), ctypes.py_object(KeyboardInterrupt)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(number, kind) == 1
    assert [loop.run(answer()) for _ in range(3)] == [42, 42, 42]
    assert "which is begun again" in caplog.text


def test_a_want_of_memory_is_told_once_however_often_it_is_met(
    loop: ManagerLoop, caplog: pytest.LogCaptureFixture
) -> None:
    def escape() -> None:
        raise MemoryError

    for _ in range(5):
        loop.post(escape)
    assert loop.run(answer()) == 42
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def cannot_wait(asyncio_loop: asyncio.AbstractEventLoop) -> None:
    """As if somebody had closed what it waits with (``os.closerange``)."""

    def select(timeout: float | None = None) -> list[object]:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    asyncio_loop._selector.select = select  # type: ignore[attr-defined]


def test_nobody_waits_for_a_thread_that_could_not_go_on(loop: ManagerLoop) -> None:
    inside, begun, told = loop.run(running()), threading.Event(), list[str]()

    async def long() -> None:
        begun.set()
        await asyncio.sleep(600)

    def wait() -> None:
        try:
            loop.run(long())
        except SandboxGone as error:
            told.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert begun.wait(60)
    loop.post(lambda: cannot_wait(inside))
    waiting.join(60)
    assert len(told) == 1 and "Bad file descriptor" in told[0] and "%reload_ext" in told[0]
    with pytest.raises(SandboxGone, match="thread of the sandbox manager has ended"):
        loop.run(answer())
    with pytest.raises(SandboxGone, match="thread of the sandbox manager has ended"):
        loop.must_be_here()
    assert loop.closed


def test_work_that_there_is_no_memory_to_begin_is_an_error_of_who_waits(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = loop.run(running())

    def refused(work: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(inside, "create_task", refused)
        with pytest.raises(LaunchFailed, match="no memory left for that: free some"):
            loop.run(answer())
    assert loop.run(answer()) == 42


def test_the_notebooks_policy_for_its_own_loops_makes_no_difference() -> None:
    program = """
import asyncio
from jupyter_sandbox.manager.loop import ManagerLoop
class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self): raise RuntimeError("no loops here")
    def set_event_loop(self, loop): raise RuntimeError("nor is one set")
asyncio.set_event_loop_policy(Policy())
async def answer(): return 42
loop = ManagerLoop()
assert loop.run(answer()) == 42
loop.close()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)
