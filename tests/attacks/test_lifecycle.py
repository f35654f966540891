"""Attacks on beginnings and ends: killed kernels and zygotes, ends that come twice, a hundred sandboxes at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from jupyter_sandbox.manager.handle import GuestHandle
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import LaunchFailed, SandboxError
from jupyter_sandbox.model.sandbox import SandboxStatus

from ..leaving import guests_of, nothing_left
from ..waiting import until
from .conftest import CAMP, Arena, crash_reason, patience_with, together
from .patience import Reference

KERNEL = f"""
import json, sys, threading, time
from pathlib import Path
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.flavour import Flavour
from tests.leaving import guests_of
manager = SandboxManager(store=":memory:")
made = [manager.create(code={{"camp.py": {CAMP!r}}}, main="camp.Camp") for _ in range(4)]
for sandbox, how in zip(made, ("while True: pass", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
                               "sum(range(10**15))", "")):
    threading.Thread(target=sandbox.call, args=("evil", how), daemon=True).start()
while not all(sandbox._unit.guest.process.heartbeat.busy_ms() for sandbox in made[:3]): time.sleep(0.01)
zygote = manager._zygotes.of(Flavour()).pid
own = [sandbox.info().os_pid for sandbox in made]
spares = set()
while not (manager._spares.full and len(spares) == manager._spares.count == 2):  # guests that tried code go first
    time.sleep(0.01)
    spares = guests_of(zygote) - {{*own}}
try:
    print(json.dumps([zygote, *spares, *own]), flush=True)
    while True: time.sleep(0.01)  # who is interrupted just before a long sleep sleeps it out
except KeyboardInterrupt:
    before = made[3].call("ticker", "count")
    while made[3].call("ticker", "count") == before: time.sleep(0.01)
    print(json.dumps([sandbox.status.name for sandbox in made]), flush=True)
    while True: time.sleep(0.01)
"""


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For a manager of the test's own: nothing of it is left, neither here nor among the temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    threads = threading.active_count()
    with nothing_left():
        yield
    until(lambda: threading.active_count() <= threads and list(tmp_path.iterdir()) == [], "something is left")


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A kernel with four sandboxes, three of them stuck, in an OS process of its own."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", KERNEL], stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        yield process
        process.kill()
    until(lambda: list(tmp_path.glob("jupyter_sandbox-*")) == [], "nobody has swept up")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_killed_kernel_takes_every_sandbox_along_within_two_seconds(
    arena: Arena, kernel: subprocess.Popen[str]
) -> None:
    """And sandboxes of another kernel do not notice."""
    assert kernel.stdout is not None
    pids = json.loads(kernel.stdout.readline())
    assert all(map(runs, pids))

    def kill() -> None:
        kernel.kill()
        until(lambda: not any(map(runs, pids)))

    assert arena.in_time(arena.watch(kill).span, 2.0)


def test_a_kernel_that_ends_in_order_takes_every_sandbox_along(
    arena: Arena, kernel: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Three of them are stuck, and nobody waits for them."""
    assert kernel.stdout is not None
    pids = json.loads(kernel.stdout.readline())
    os.kill(kernel.pid, signal.SIGINT)
    kernel.stdout.readline()
    os.kill(kernel.pid, signal.SIGINT)
    assert arena.in_time(arena.watch(lambda: kernel.wait(60)).span, 10)
    until(lambda: not any(map(runs, pids)), "some live on")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_of_the_kernel_does_not_reach_its_sandboxes(arena: Arena, kernel: subprocess.Popen[str]) -> None:
    """It answers within a second: one ticks on, and those that are stuck are as stuck as before."""
    assert kernel.stdout is not None
    pids = json.loads(kernel.stdout.readline())

    def interrupt() -> object:
        os.killpg(kernel.pid, signal.SIGINT)
        return json.loads(kernel.stdout.readline())  # type: ignore[union-attr]

    outcome = arena.watch(interrupt)
    assert outcome.value == ["RUNNING"] * 4 and all(map(runs, pids))
    assert arena.in_time(outcome.span, 1.0)


def test_a_killed_zygote_is_replaced_and_its_sandboxes_are_told_to_be_dead(
    arena: Arena, reference: Reference, alone: None
) -> None:
    """Those of another zygote of the same kernel tick on, and the kernel answers as ever."""
    with SandboxManager(store=":memory:") as manager:
        bystander = manager.create(code={"camp.py": CAMP}, main="camp.Camp", preimport="colorsys")
        watched = replace(arena, manager=manager, bystander=bystander, patience=patience_with(manager, reference))
        sandboxes = [manager.create(code={"camp.py": CAMP}, main="camp.Camp") for _ in range(3)]
        zygote = int(str(sandboxes[0].exec("import os; os.getppid()")))

        def kill() -> None:
            os.kill(zygote, signal.SIGKILL)
            until(lambda: all(one.status is SandboxStatus.CRASHED for one in sandboxes))

        assert watched.in_time(watched.watch(kill).span, 2.0)
        assert all("SIGKILL" in crash_reason(one) for one in sandboxes)
        assert watched.watch(lambda: manager.create().exec("1 + 1")).value == 2
        watched.watch(sandboxes[0].restart)
        assert sandboxes[0].call("evil", "answer = 'back'") == "back"


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_creation_whose_zygote_dies_before_its_first_words_is_tried_once_more(
    alone: None, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    admit, killed = GuestHandle._become_ready, list[int]()

    async def kill_zygote_first(self: GuestHandle, boot: Boot) -> None:
        zygote = parent_of(self.process.pid)
        if len(killed) < deaths and boot.name == "wanted":
            killed.append(zygote)
            os.kill(zygote, signal.SIGKILL)
            while not self.process.has_ended():
                await asyncio.sleep(0.005)
        await admit(self, boot)

    with SandboxManager(store=":memory:") as manager:
        manager.create().destroy()
        monkeypatch.setattr(GuestHandle, "_become_ready", kill_zygote_first)
        if deaths == 1:
            assert manager.create("wanted", allow={"net": True}).exec("1 + 1") == 2
        else:
            with pytest.raises(LaunchFailed, match="sandbox launcher was ended by signal 9"):
                manager.create("wanted", allow={"net": True})
        assert len(set(killed)) == deaths


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_stopped_zygote_does_not_stop_the_kernel_nor_the_sandboxes(alone: None) -> None:
    with SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(code={"camp.py": CAMP}, main="camp.Camp")
        zygote = int(str(sandbox.exec("import os; os.getppid()")))
        os.kill(zygote, signal.SIGSTOP)
        assert sandbox.call("evil", "answer = 5") == 5
        os.kill(zygote, signal.SIGCONT)
        assert manager.create().exec("1 + 1") == 2


def test_a_zygote_that_stays_stopped_is_replaced_and_its_sandboxes_are_told_to_be_dead(alone: None) -> None:
    with SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(code={"camp.py": CAMP}, main="camp.Camp")
        zygote = int(str(sandbox.exec("import os; os.getppid()")))
        until(lambda: manager._spares is not None and manager._spares.full)
        os.kill(zygote, signal.SIGSTOP)
        assert [manager.create().exec("1 + 1") for _ in range(3)] == [2, 2, 2], "those beyond the spares wait 10 s"
        assert sandbox.status is SandboxStatus.CRASHED and "SIGKILL" in crash_reason(sandbox)
        assert not Path(f"/proc/{zygote}").exists()
        sandbox.restart()
        assert sandbox.call("evil", "answer = 'back'") == "back"


def test_ending_twice_at_once_and_while_it_is_made_is_one_end(arena: Arena) -> None:
    for delay in (0.0, 0.002, 0.01, 0.03):
        name = f"made{int(delay * 1000)}"

        def make(name: str = name) -> None:
            with suppress(SandboxError):
                arena.manager.create(name, code={"camp.py": CAMP}, main="camp.Camp")

        def end(number: int, name: str = name, delay: float = delay) -> None:
            time.sleep(number * delay)
            arena.manager.destroy(name)

        acts = [make, *(partial(end, number) for number in (1, 2, 3))]
        assert arena.watch(lambda acts=acts: together(acts)).error is None  # type: ignore[misc]
        arena.manager.destroy(name)
        assert not any(info.name == name for info in arena.manager.list())


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.01, 0.03])
def test_a_kill_while_it_is_made_is_an_error_or_the_end_of_a_sandbox(arena: Arena, delay: float) -> None:
    """Killed from outside: whoever the zygote forks meanwhile, a spare among them, dies at once."""
    own, over = {arena.bystander.info().os_pid, *guests_of(arena.zygote)}, threading.Event()

    def kill() -> None:
        while not over.is_set():
            for pid in guests_of(arena.zygote) - own:
                time.sleep(delay)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)

    killer = threading.Thread(target=kill)
    killer.start()
    made = [arena.watch(arena.attacker) for _ in range(4)]
    over.set()
    killer.join(60)
    for outcome in made:
        assert outcome.error is None or str(outcome.error)
    for sandbox in arena.attackers:
        assert sandbox.status is SandboxStatus.RUNNING or "SIGKILL" in crash_reason(sandbox)
    # One that was killed at the very end may be handed out before that is known.
    arena.until(lambda: arena.watch(arena.attacker).error is None, "none can be made any more")
    assert arena.alive(arena.attackers[-1])


def test_a_kill_during_a_transfer_is_an_error_and_no_more(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_message": 1 << 20, "max_memory": 200_000_000})
    pid = sandbox.info().os_pid
    assert pid is not None
    threading.Timer(0.01, os.kill, (pid, signal.SIGKILL)).start()
    outcome = arena.watch(lambda: [sandbox.call("evil", "answer = b'x' * 200_000") for _ in range(2_000)])
    assert outcome.killed and "SIGKILL" in crash_reason(sandbox)


def test_a_number_that_went_to_another_program_is_not_killed(arena: Arena) -> None:
    sandbox = arena.attacker()
    process = sandbox._unit.guest.process  # type: ignore[union-attr]
    pid = process.pid
    assert arena.attack("import os; os._exit(0)", sandbox).killed
    arena.until(lambda: not Path(f"/proc/{pid}").exists(), "it lives on")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        process.pid = stranger.pid
        process.kill()
        sandbox.destroy()
        assert stranger.poll() is None
        stranger.kill()


def test_a_hundred_sandboxes_made_and_killed_at_once_leave_nothing(arena: Arena) -> None:
    """Half of them are killed from outside, the others destroyed."""
    made = arena.watch(lambda: together([lambda: arena.attacker(main="camp.Still")] * 100))
    assert made.error is None and len(arena.attackers) == 100
    pids = [sandbox.info().os_pid for sandbox in arena.attackers]
    assert len({pid for pid in pids if pid and runs(pid)}) == 100
    acts: list[Callable[[], object]] = [partial(os.kill, pid or 0, signal.SIGKILL) for pid in pids[::2]]
    acts += [sandbox.destroy for sandbox in arena.attackers[1::2]]
    assert arena.watch(lambda: together(acts)).error is None
    arena.until(lambda: not any(runs(pid or 0) for pid in pids), "some live on")
    arena.until(lambda: all("SIGKILL" in crash_reason(one) for one in arena.attackers[::2]), "nobody was told")
    arena.watch(lambda: together([sandbox.destroy for sandbox in arena.attackers]))
    assert [info.name for info in arena.manager.list()] == ["bystander"]
