"""Waiting for the manager's thread: results, errors, interrupts, the end."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from jupyter_sandbox.isolation.aside import in_thread
from jupyter_sandbox.manager.loop import INTERRUPT_S, ManagerLoop, unbroken
from jupyter_sandbox.model.errors import InternalError, LaunchFailed, SandboxGone


@pytest.fixture
def loop():  # type: ignore[no-untyped-def]
    loop = ManagerLoop()
    yield loop
    loop.close()


async def answer() -> int:
    return 42


def test_many_threads_wait_at_once(loop: ManagerLoop) -> None:
    results: list[int] = []

    def ask() -> None:
        results.append(loop.run(answer()))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [42] * 20


def test_who_debugs_loops_of_his_own_is_not_told_what_this_one_takes_long_for(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As ``-X dev`` and ``PYTHONASYNCIODEBUG`` ask for. A notebook shows such warnings under whatever cell runs."""
    monkeypatch.setattr("asyncio.coroutines._is_debug_mode", lambda: True)

    async def slow() -> None:
        time.sleep(0.11)

    loop.run(slow())
    loop.run(answer())
    assert caplog.records == []


def test_an_error_of_the_work_is_raised_where_it_was_waited_for(loop: ManagerLoop) -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(fail())


def test_an_interrupt_cancels_the_work_and_waits_until_it_has_cleaned_up(loop: ManagerLoop) -> None:
    cleaned: list[str] = []
    begun = threading.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append("up")

    main = threading.get_ident()

    def interrupt() -> None:
        begun.wait(60)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(long())
    thread.join()
    assert cleaned == ["up"]


def test_the_managers_thread_cannot_wait_for_itself(loop: ManagerLoop) -> None:
    async def inside() -> int:
        return loop.run(answer())

    with pytest.raises(InternalError, match="cannot wait for itself"):
        loop.run(inside())


def test_after_close_there_is_a_clear_error_and_no_thread(loop: ManagerLoop) -> None:
    before = set(threading.enumerate())
    loop.run(answer())
    loop.close()
    loop.close()
    with pytest.raises(SandboxGone, match=r"SandboxManager\(\)"):
        loop.run(answer())
    assert set(threading.enumerate()) <= before


def test_closing_ends_a_wait_of_another_thread(loop: ManagerLoop) -> None:
    begun = threading.Event()
    raised: list[BaseException] = []

    async def long() -> None:
        begun.set()
        await asyncio.sleep(60)

    def wait() -> None:
        try:
            loop.run(long())
        except SandboxGone as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(60)
    loop.close()
    thread.join(60)
    assert len(raised) == 1


def test_blocking_work_runs_beside_the_loop(loop: ManagerLoop) -> None:
    async def both() -> tuple[int, int]:
        gate = threading.Event()
        slow = asyncio.ensure_future(in_thread(lambda: gate.wait(60) and 1))
        quick = await in_thread(lambda: 2)
        gate.set()
        return await slow, quick  # type: ignore[return-value]

    assert loop.run(both()) == (True and 1, 2)


def test_the_loop_does_not_wait_until_blocking_work_begins(loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook of many busy threads a new one waits for its turn for a tenth of a second and more."""
    not_begun: list[Callable[[], None]] = []

    def start_late(run: Callable[[], None], _: tuple[()]) -> None:
        not_begun.append(run)

    async def go_on_meanwhile() -> int:
        work = asyncio.create_task(in_thread(lambda: 42))
        while not not_begun:
            await asyncio.sleep(0)
        assert not work.done()
        not_begun.pop()()
        return await work

    loop.run(answer())
    monkeypatch.setattr("_thread.start_new_thread", start_late)
    assert loop.run(go_on_meanwhile()) == 42


def test_python_can_exit_while_blocking_work_does_not_end() -> None:
    program = """
import asyncio, threading, time
from jupyter_sandbox.isolation.aside import in_thread
from jupyter_sandbox.manager.loop import ManagerLoop
begun = threading.Event()
def block(): begun.set(); time.sleep(600)
loop = ManagerLoop()
threading.Thread(target=lambda: loop.run(in_thread(block)), daemon=True).start()
assert begun.wait(30)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_who_interrupts_work_that_cleans_up_slowly_does_not_wait_for_it(loop: ManagerLoop) -> None:
    begun, go_on, cleaned = threading.Event(), threading.Event(), threading.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await in_thread(lambda: go_on.wait(60))
            cleaned.set()

    main = threading.get_ident()

    def interrupt() -> None:
        begun.wait(60)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(long())
    assert INTERRUPT_S < 1 and not cleaned.is_set()
    thread.join()
    go_on.set()
    assert cleaned.wait(60), "it went on behind"


def test_an_error_keeps_nothing_of_the_work_once_it_was_handled(loop: ManagerLoop) -> None:
    class Large:
        """Stands for a message of many megabytes."""

    async def fail(sent: Large) -> None:
        raise ValueError(type(sent).__name__)

    def attempt() -> weakref.ref[Large]:
        sent = Large()
        with pytest.raises(ValueError, match="Large") as caught:
            loop.run(fail(sent))
        del caught
        return weakref.ref(sent)

    gc.disable()
    try:
        kept = attempt()
        loop.run(answer())  # by then the loop has let go of the work as well
        assert kept() is None
    finally:
        gc.enable()


def test_an_error_of_blocking_work_arrives(loop: ManagerLoop) -> None:
    async def work() -> None:
        await in_thread(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        loop.run(work())


def test_what_must_not_stop_half_way_is_finished_before_the_interrupt_takes_effect() -> None:
    done: list[str] = []

    async def two_halves(begun: asyncio.Event, go_on: asyncio.Event) -> None:
        done.append("one")
        begun.set()
        await go_on.wait()
        done.append("two")

    async def interrupted() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.ensure_future(unbroken(two_halves(begun, go_on)))
        await begun.wait()
        task.cancel()
        asyncio.get_running_loop().call_soon(go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    assert done == ["one", "two"]


def test_a_thread_that_cannot_be_had_is_told_and_the_next_attempt_is_a_fresh_one(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(LaunchFailed, match=r"gets no other thread.*can't start new thread"):
            loop.run(answer())
    assert loop.run(answer()) == 42


WITHOUT_MEMORY = """
import resource, threading
from jupyter_sandbox import SandboxManager

barrier = threading.Barrier(20)
many = [threading.Thread(target=barrier.wait) for _ in range(20)]
for thread in many: thread.start()
for thread in many: thread.join()  # their stacks are kept for the next ones
manager, held = SandboxManager(store=":memory:"), []
before = resource.getrlimit(resource.RLIMIT_AS)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size, before[1]))
try:
    while True: held.append(bytearray(3_000))
except MemoryError:
    del held[:100]
try:
    manager.create("shop")
except BaseException as error:
    held.clear()
    resource.setrlimit(resource.RLIMIT_AS, before)
    print(type(error).__name__, error)
print(manager.create("shop").exec("6 * 7"))
manager.close()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is limited as Linux does")
def test_a_thread_that_python_has_no_memory_for_is_told_and_nobody_waits_for_it() -> None:
    told = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], capture_output=True, text=True, timeout=60)
    assert re.match(r"LaunchFailed the kernel gets no other thread .*give it more memory.*\n42\n$", told.stdout), told


def test_a_manager_that_never_got_its_thread_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise MemoryError

    loop = ManagerLoop()
    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(LaunchFailed, match="MemoryError"):
        loop.run(answer())
    loop.close()
    assert loop.closed


def test_whoever_interrupts_the_start_of_the_thread_can_ask_again(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, begun = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        begun.append(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            loop.run(answer())
    [thread] = begun
    thread.join(60)
    assert not thread.is_alive()
    assert loop.run(answer()) == 42


def test_work_beside_the_loop_tells_that_there_is_no_thread_for_it(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def beside() -> int:
        return await in_thread(lambda: 42)

    def refused(act: object, arguments: object) -> int:
        raise RuntimeError("can't start new thread")

    assert loop.run(beside()) == 42
    with monkeypatch.context() as patch:
        patch.setattr("jupyter_sandbox.manager.loop._thread.start_new_thread", refused)
        with pytest.raises(LaunchFailed, match="gets no other thread"):
            loop.run(beside())
    assert loop.run(beside()) == 42


STOPPED = """
import asyncio, os, sys
from jupyter_sandbox.manager.loop import ManagerLoop
async def first():
    loop, found = asyncio.get_running_loop(), asyncio.Future()
    def came(what):
        if not found.done(): found.set_result(what)
    loop.add_reader(0, came, "the answer")
    loop.call_later(0.3, came, "the end of patience")
    return await found
loop = ManagerLoop()
print("begins", flush=True)
print(loop.run(first()), flush=True)
os._exit(0)
"""


def found_by_who_was_stopped() -> bytes:
    """Empty where the machine was so busy that its patience had ended before it was stopped."""
    with subprocess.Popen([sys.executable, "-c", STOPPED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as kernel:
        assert kernel.stdin is not None and kernel.stdout is not None
        assert kernel.stdout.readline() == b"begins\n"
        time.sleep(0.05)  # it begins to wait
        os.kill(kernel.pid, signal.SIGSTOP)
        os.waitpid(kernel.pid, os.WUNTRACED)
        late = bool(select.select([kernel.stdout], [], [], 0)[0])
        kernel.stdin.write(b"answer")
        kernel.stdin.flush()
        time.sleep(0.35)  # the end of its patience comes
        os.kill(kernel.pid, signal.SIGCONT)
        return b"" if late else kernel.stdout.readline()


def test_a_kernel_that_is_stopped_by_a_signal_finds_the_answer_before_its_patience_has_ended() -> None:
    found = next(filter(None, (found_by_who_was_stopped() for _ in range(5))), b"")
    assert found == b"the answer\n"


def test_a_thread_that_never_began_is_told_as_one_that_was_not_to_be_had(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux had one, and Python no memory for it."""

    def lost(act: object, arguments: object) -> int:
        return 0

    async def beside() -> int:
        return await in_thread(lambda: 42)

    monkeypatch.setattr("jupyter_sandbox.isolation.aside.LOOK_S", 0.01)
    assert loop.run(beside()) == 42
    with monkeypatch.context() as patch:
        patch.setattr("_thread.start_new_thread", lost)
        with pytest.raises(LaunchFailed, match="gets no other thread"):
            loop.run(beside())
    assert loop.run(beside()) == 42


def test_a_result_that_there_is_no_memory_to_tell_is_told_when_there_is(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def beside() -> int:
        inside, missed = asyncio.get_running_loop(), list[object]()
        call_soon = inside.call_soon_threadsafe

        def short(*call: object) -> object:
            if missed.append(call) is None and len(missed) == 1:
                raise MemoryError
            return call_soon(*call)  # type: ignore[arg-type]

        monkeypatch.setattr(inside, "call_soon_threadsafe", short)
        return await in_thread(lambda: 42)

    assert loop.run(beside()) == 42


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_thread_that_ended_for_want_of_memory_to_tell_of_an_error_is_missed(
    loop: ManagerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the thread's frames, and they have the error: nothing goes before Python's collector comes."""

    def short(*_: object) -> None:
        raise MemoryError

    async def beside() -> int:
        return await in_thread(lambda: 1 // 0)

    monkeypatch.setattr("jupyter_sandbox.isolation.aside.LOOK_S", 0.01)
    gc.disable()
    try:
        with monkeypatch.context() as patch:
            patch.setattr("jupyter_sandbox.isolation.aside.told", short)
            with pytest.raises(ZeroDivisionError):
                loop.run(asyncio.wait_for(beside(), 10))
    finally:
        gc.enable()


def test_work_that_there_is_no_memory_for_ends_in_words(loop: ManagerLoop) -> None:
    async def large() -> None:
        raise MemoryError

    with pytest.raises(LaunchFailed, match="no memory left for that: free some in the notebook"):
        loop.run(large())
    assert loop.run(answer()) == 42
