"""What fails, or is overtaken by an end, half way: the sandbox is what its status says, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.manager import changing, handle, loading, loop, spares
from jupyter_sandbox.manager.handle import GuestHandle
from jupyter_sandbox.manager.link import GuestLink
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.spares import Kind, Shelf
from jupyter_sandbox.manager.zygotes import FlavourZygote, Zygotes
from jupyter_sandbox.model.errors import LaunchFailed, SandboxBusy, SandboxError, SandboxGone, StartFailed
from jupyter_sandbox.model.flavour import Flavour
from jupyter_sandbox.model.sandbox import OutputArrived, SandboxStatus
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection

from ..waiting import until
from .conftest import COUNTER, Told

TICKING = """
import time
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Good(GenServer):
    def init(self, _):
        return 0

class Bad(GenServer):
    def init(self, _):
        raise RuntimeError("no")

class Slow(GenServer):
    def init(self, seconds):
        print("up", flush=True)
        time.sleep(seconds)
        self.send_interval(5, self.pid, "tick")
        return 0

class Slowly(Supervisor):
    strategy = "one_for_one"
    def init(self, seconds):
        return [Child(Slow, seconds, name="slow")]

class Ticker(GenServer):
    def init(self, _):
        self.send_interval(5, self.pid, "tick")
        return 0
    def handle_info(self, message, n):
        return NoReply(n + 1)
"""


def test_an_end_for_which_no_thread_is_to_be_had_comes_when_its_launcher_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its programs are ended then; asyncio has no error to complain of, which every test looks for."""
    asked = threading.Event()

    async def refuse(act: object) -> None:
        asked.set()
        raise LaunchFailed("the kernel gets no other thread")

    monkeypatch.setattr(handle, "PROGRAMS_END_S", 0.01)
    monkeypatch.setattr(handle, "in_thread", refuse)
    with SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(allow={"subprocess": True})
        program = sandbox.exec("import subprocess; subprocess.Popen(['sleep', '600']).pid")
        launcher = int(str(sandbox.exec("import os; os.getppid()")))
        os.kill(launcher, signal.SIGSTOP)
        try:
            sandbox.destroy()
            assert asked.wait(60)
        finally:
            os.kill(launcher, signal.SIGCONT)
        until(lambda: not os.path.exists(f"/proc/{program}"))
    gc.collect()


@contextmanager
def nobody_tells_ends(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As of sandboxes that Linux takes apart slowly: their launcher stands still, and nobody else looks for a while."""
    monkeypatch.setattr(handle, "PROGRAMS_END_S", 60.0)
    launcher = int(str(sandbox.exec("import os; os.getppid()")))
    os.kill(launcher, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(launcher, signal.SIGCONT)


def test_who_destroys_a_sandbox_that_takes_its_time_to_end_has_the_notebook_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SandboxManager(store=":memory:") as manager:
        sandbox = manager.create("slow")
        guest = sandbox._unit.guest
        assert guest is not None
        with nobody_tells_ends(sandbox, monkeypatch):
            manager.destroy("slow")
            assert manager.list() == [] and not guest.process.closed
        until(lambda: guest.process.closed)


def test_all_that_take_their_time_to_end_are_waited_for_together_when_the_kernel_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = SandboxManager(store=":memory:")
    sandboxes = [manager.create() for _ in range(3)]
    guests = [one._unit.guest for one in sandboxes]
    with nobody_tells_ends(sandboxes[0], monkeypatch):
        manager.destroy(1)
        closing = threading.Thread(target=manager.close)
        closing.start()
        closing.join(60)
        assert not closing.is_alive()
    assert all(guest is not None and guest.process.closed for guest in guests)


# --- start and restart ------------------------------------------------------------------------------------------------


def test_a_start_that_fails_leaves_a_stopped_sandbox_standing_still(manager: SandboxManager) -> None:
    sandbox = manager.create(code={"ticking.py": TICKING}, main="ticking.Good")
    sandbox.spawn("ticking.Ticker", 0)

    def steps() -> int:
        manager.refresh(sandbox.name)
        return sandbox.info().counters.steps

    until(lambda: steps() > 20)
    sandbox.stop()
    with pytest.raises(StartFailed, match="RuntimeError: no"):
        sandbox.start("ticking.Bad")
    assert sandbox.status is SandboxStatus.STOPPED
    stood = steps()
    assert [steps() for _ in range(100)] == [stood] * 100
    sandbox.start("ticking.Good")
    until(lambda: steps() > stood + 20)


@pytest.mark.parametrize("stop_s", [60.0, 0.01])
def test_a_start_that_is_interrupted_leaves_nothing_of_it_in_a_stopped_sandbox(
    manager: SandboxManager, told: Told, monkeypatch: pytest.MonkeyPatch, stop_s: float
) -> None:
    sandbox = manager.create(code={"ticking.py": TICKING}, main="ticking.Good")
    sandbox.stop()
    monkeypatch.setattr(changing, "STOP_S", stop_s)

    def interrupt() -> None:
        told.wait(lambda update: isinstance(update, OutputArrived) and "up" in update.text)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        sandbox.start("ticking.Slowly", 1 if stop_s > 1 else 3)
    thread.join()
    until(lambda: not sandbox._unit.lane._lock.locked())  # until then it is being undone
    if stop_s > 1:
        assert (sandbox.status, sandbox.info().reason) == (SandboxStatus.STOPPED, "stopped by the user")
        assert not sandbox.tree().processes
        sandbox.start("ticking.Good")
    else:
        assert sandbox.status is SandboxStatus.CRASHED and "its start was called off" in sandbox.info().reason


def test_a_creation_that_is_interrupted_leaves_nothing_while_its_launcher_is_still_being_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It imports, say, and takes its time to end."""
    ended = threading.Event()

    async def start(**_: object) -> Zygote:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            while not ended.is_set():
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)
        raise AssertionError

    with SandboxManager(store=":memory:") as manager:
        with monkeypatch.context() as patched:
            patched.setattr(Zygote, "start", start)
            with pytest.raises(KeyboardInterrupt):
                manager.create("shop")
        try:
            until(lambda: not manager.list())
            assert manager.create("shop").exec("1 + 1") == 2, "its name is free, and nobody waits for the launcher"
        finally:
            ended.set()


def test_a_restart_that_no_os_process_can_be_had_for_leaves_the_sandbox_running(
    manager: SandboxManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = manager.create(code={"counter.py": COUNTER}, main="counter.Shop")
    assert sandbox.call("front", "next") == 0

    async def refused(*_: object) -> GuestHandle:
        raise LaunchFailed("nothing can be opened for another sandbox")

    monkeypatch.setattr(spares.Spares, "take", refused)
    with pytest.raises(LaunchFailed, match="nothing can be opened"):
        sandbox.restart()
    assert sandbox.status is SandboxStatus.RUNNING
    assert sandbox.call("front", "next") == 1
    monkeypatch.undo()
    sandbox.restart()
    assert sandbox.call("front", "next") == 0


@pytest.mark.parametrize("verb", ["restart", "back", "restore"])
def test_a_guest_that_ends_between_two_questions_about_the_past_hinders_nobody(
    manager: SandboxManager, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    sandbox = manager.create(code={"counter.py": COUNTER}, main="counter.Shop")
    sandbox.call("front", "next")
    sandbox.snapshot("before")
    sandbox.pause()
    ask = GuestHandle.ask

    async def once(self: GuestHandle, make: Any, answer: Any, *more: Any) -> Any:
        given = await ask(self, make, answer, *more)
        if answer is m.EventList and make(1).limit > 1:
            self.process.kill()
            await asyncio.wait([self._end])
        return given

    monkeypatch.setattr(GuestHandle, "ask", once)
    {"restart": sandbox.restart, "back": lambda: sandbox.back(1), "restore": lambda: sandbox.restore("before")}[verb]()
    monkeypatch.undo()
    assert sandbox.status in (SandboxStatus.RUNNING, SandboxStatus.PAUSED)
    assert len(sandbox.tree().processes) == 3


def test_code_whose_sandbox_is_destroyed_while_it_is_tried_is_not_blamed(
    manager: SandboxManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = manager.create("short")
    begun = threading.Event()
    bring = loading.bring

    async def slow(*given: Any) -> Any:
        begun.set()
        await asyncio.sleep(0.3)
        return await bring(*given)

    monkeypatch.setattr(loading, "bring", slow)
    failed: list[SandboxError] = []

    def load() -> None:
        try:
            sandbox.load({"counter.py": COUNTER})
        except SandboxError as error:
            failed.append(error)

    loader = threading.Thread(target=load)
    loader.start()
    begun.wait(20)
    manager.destroy("short")
    loader.join(20)
    assert [type(one) for one in failed] == [SandboxGone]
    assert "it was destroyed" in str(failed[0])


# --- limits -----------------------------------------------------------------------------------------------------------


def test_that_a_limit_could_not_be_moved_is_told_when_it_is_changed_and_not_again(
    manager: SandboxManager, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = manager.create("fixed")
    monkeypatch.setattr(GuestHandle, "limit", lambda *_: ("max_memory", "max_runtime"))
    sandbox.limits(max_memory=90_000_000)
    assert len(sandbox.log()) == 1
    sandbox.limits(max_output=1_000)
    assert len(sandbox.log()) == 1
    sandbox.limits(max_runtime=400_000)
    assert [entry.text.split()[0] for entry in sandbox.log()] == ["max_memory", "max_runtime"]
    assert sandbox.info().alerts == ()


def test_of_limits_that_two_threads_change_none_is_lost(manager: SandboxManager) -> None:
    sandbox = manager.create("both")
    names = ("max_processes", "max_mailbox", "max_message", "max_output")
    changes = [threading.Thread(target=lambda name=name: sandbox.limits(**{name: 777})) for name in names]
    for change in changes:
        change.start()
    for change in changes:
        change.join()
    assert [getattr(sandbox.limits(), name) for name in names] == [777] * 4


# --- an answer that comes with the end of the patience for it ---------------------------------------------------------


def test_a_kernel_that_was_stopped_finds_the_answer_before_its_patience_has_ended() -> None:
    async def story() -> None:
        ours, theirs = socket.socketpair()
        link = GuestLink(lambda _: None, lambda _: None, lambda: None)
        await link.open(ours)
        guest = Connection("guest")
        theirs.sendall(guest.send(m.Ready(protocol=m.PROTOCOL, pid=1, protection=m.Protection("off"))))
        await link.ready
        asked = asyncio.create_task(link.ask(lambda number: m.Flush(id=number), m.Done, 0.2))
        await asyncio.sleep(0)
        guest.receive(theirs.recv(1 << 16))
        theirs.sendall(guest.send(m.Done(id=1)))
        stopped = threading.Event()
        stopped.wait(0.5)  # the thread of the loop, as SIGSTOP does: the answer and the end come in one look
        assert isinstance(await asked, m.Done)
        with pytest.raises(SandboxBusy, match=r"did not answer within 0\.1 s"):
            await link.ask(lambda number: m.Flush(id=number), m.Done, 0.1)
        link.close("the test is over")
        theirs.close()

    asyncio.run(story())


# --- closing ----------------------------------------------------------------------------------------------------------


def open_files() -> Counter[str]:
    kinds: Counter[str] = Counter()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            kinds["".join(one for one in os.readlink(f"/proc/self/fd/{fd}") if not one.isdigit())] += 1
    return kinds


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
@pytest.mark.parametrize("profile", [None, "basic"])
def test_a_manager_that_is_closed_while_others_create_leaves_nothing_open(profile: str | None) -> None:
    chance = random.Random(7)

    def round_() -> None:
        manager = SandboxManager(store=":memory:")
        manager.create("first", profile=profile)

        def create() -> None:
            with suppress(SandboxError):
                while not manager.closed:
                    manager.create(profile=profile)

        creators = [threading.Thread(target=create) for _ in range(3)]
        for creator in creators:
            creator.start()
        threading.Event().wait(chance.random() / 5)
        manager.close()
        for creator in creators:
            creator.join()

    round_()
    before = open_files()
    for _ in range(5):
        round_()
    assert open_files() - before == Counter()


def test_a_zygote_that_comes_up_after_its_flavour_was_closed_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Late:
        alive, on_death = True, None

        async def close(self) -> None:
            closed.append("late")

    async def story() -> None:
        come = asyncio.Event()

        async def start(**_: object) -> Late:
            await come.wait()
            return Late()

        monkeypatch.setattr(Zygote, "start", start)
        flavour = FlavourZygote(Flavour(), lambda: None)
        waiting = asyncio.create_task(flavour.warm())
        await asyncio.sleep(0)
        flavour.close()
        come.set()
        with pytest.raises(LaunchFailed, match="was closed"):
            await waiting
        assert closed == ["late"]
        zygotes = Zygotes(lambda _: None)
        await zygotes.close()
        with pytest.raises(LaunchFailed, match="was closed"):
            await zygotes.of(Flavour()).warm()

    asyncio.run(story())


def test_a_shelf_that_was_closed_is_not_filled_again_by_who_took_its_last_spare() -> None:
    async def story() -> None:
        shelf = Shelf(Zygotes(lambda _: None), Kind(Flavour(), ""))
        shelf.close()
        assert shelf.pop() is None
        assert shelf._timer is None

    asyncio.run(story())


def test_what_cancelled_work_begins_to_clean_up_after_itself_is_cleaned_up() -> None:
    ended: list[str] = []

    async def burial() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("buried")

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            later.append(asyncio.get_running_loop().create_task(burial()))

    later: list[asyncio.Task[None]] = []
    manager_loop = loop.ManagerLoop()
    manager_loop.run(asyncio.sleep(0))
    manager_loop.post(lambda: later.append(asyncio.ensure_future(work())))
    until(lambda: bool(later))
    manager_loop.close()
    assert ended == ["buried"]
