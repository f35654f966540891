"""Sandboxes as a user creates, finds, watches and ends them."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from jupyter_sandbox.manager import store
from jupyter_sandbox.manager.link import GuestLink
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import CompileError, SandboxGone, UsageError
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.sandbox import InfoChanged, Removed, SandboxStatus

from ..leaving import nothing_left
from .conftest import COUNTER, Told


@pytest.fixture
def manager() -> Iterator[SandboxManager]:
    """One of its own: ids count from 1."""
    with SandboxManager(store=":memory:") as manager:
        yield manager


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_new_sandbox_has_an_id_from_1_a_name_and_the_default_limits(manager: SandboxManager) -> None:
    first, second = manager.create(), manager.create("shop")
    assert [(one.id, one.name) for one in (first, second)] == [(1, "sandbox_1"), (2, "shop")]
    info = second.info()
    assert (info.app_name, info.status, info.limits) == ("sandbox_2", SandboxStatus.RUNNING, Limits())
    assert (info.limits.max_processes, info.limits.max_memory, info.limits.max_runtime) == (100, 50_000_000, 300_000)
    assert info.os_pid is not None and info.os_pid != os.getpid() and alive(info.os_pid)
    assert info.protection is not None


def test_code_and_main_can_be_given_at_once(shop: Sandbox) -> None:
    assert shop.call("front", "next") == 0
    assert shop.info().main == "counter.Shop" and shop.info().modules == ("counter",)


def test_counters_are_those_of_now_when_they_are_refreshed(manager: SandboxManager, shop: Sandbox) -> None:
    shop.spawn("counter.Counter", 0)
    manager.refresh("shop")
    assert shop.info().counters.processes == 4
    shop.spawn("counter.Counter", 0)
    manager.refresh()
    assert [info.counters.processes for info in manager.list()] == [5]


def test_refreshing_without_sandboxes_starts_nothing() -> None:
    before = set(threading.enumerate())
    with SandboxManager(store=":memory:") as manager:
        manager.refresh()
        manager.refresh("nobody")
        assert set(threading.enumerate()) <= before


def test_a_sandbox_is_found_by_name_or_id_and_listed(manager: SandboxManager, shop: Sandbox) -> None:
    assert manager.get("shop") is shop and manager.get(1) is shop
    assert [info.name for info in manager.list()] == ["shop"]


def test_an_unknown_sandbox_is_named_with_the_known_ones(manager: SandboxManager, shop: Sandbox) -> None:
    with pytest.raises(UsageError, match=r"sandbox 'shpo' is not known. Did you mean 'shop'\? Known: shop"):
        manager.get("shpo")


def test_a_name_that_is_taken_or_no_name_is_refused(manager: SandboxManager, shop: Sandbox) -> None:
    with pytest.raises(UsageError, match="the name 'shop' is taken"):
        manager.create("shop")
    with pytest.raises(UsageError, match="use letters"):
        manager.create("../shop")
    assert len(manager.list()) == 1


def test_wrong_options_are_refused_before_anything_starts(manager: SandboxManager) -> None:
    for wrong in ({"clock": "wall"}, {"isolation": "none"}, {"profile": "strictest"}, {"limits": {"max_memori": 1}}):
        with pytest.raises(UsageError):
            manager.create(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="flavour"):
        SandboxManager(flavour="vanilla")
    assert manager.list() == []


def test_a_creation_that_fails_leaves_nothing(manager: SandboxManager) -> None:
    for code, main in (({"a.py": "def ("}, None), ({"a.py": "x = 1"}, "a.Nothing"), ({"a.py": "import nowhere"}, None)):
        with pytest.raises((CompileError, UsageError)):
            manager.create("shop", code=code, main=main)
        assert manager.list() == []
    assert manager.create("shop").id == 1


def test_a_sandbox_that_was_ready_in_time_is_had_also_where_the_kernel_looked_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside many busy threads the manager may get no turn for as long as that; here it sleeps instead."""
    monkeypatch.setattr("jupyter_sandbox.manager.handle.READY_S", 0.3)
    plain, late = GuestLink.open, [0.4]

    def sleep(link: GuestLink, control: socket.socket, seconds: float) -> None:
        if not link.ready.done():
            select.select([control], [], [], 60)  # until it is, and nobody has looked yet
        time.sleep(seconds)

    async def open_and_be_late(link: GuestLink, control: socket.socket) -> None:
        await plain(link, control)
        if late:
            asyncio.get_running_loop().call_soon(sleep, link, control, late.pop())

    monkeypatch.setattr(GuestLink, "open", open_and_be_late)
    with SandboxManager(store=":memory:") as manager:
        assert manager.create().exec("1 + 1") == 2
    assert not late


def test_destroy_ends_the_os_process_and_is_idempotent(manager: SandboxManager, shop: Sandbox, told: Told) -> None:
    pid = shop.info().os_pid
    assert manager.destroy("shop") is True and manager.destroy("shop") is False
    shop.destroy()
    assert pid is not None and not alive(pid)
    told.wait(lambda update: update == Removed("shop", 1))
    with pytest.raises(SandboxGone, match="was destroyed; make another one: %sandbox create shop"):
        shop.call("front", "next")
    assert manager.create("shop").id == 2
    assert repr(shop) == f"<Sandbox {shop.id} 'shop' destroyed>"


def test_destroy_removes_the_snapshots(manager: SandboxManager, shop: Sandbox) -> None:
    shop.snapshot("before")
    manager.destroy("shop")
    assert manager.create("shop").snapshots() == []


def test_a_sandbox_whose_snapshots_cannot_be_deleted_is_destroyed_and_told_what_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PATIENCE_S", 0.1)
    with SandboxManager(store=tmp_path / "s.db") as manager:
        sandbox = manager.create("shop", code={"counter.py": COUNTER}, main="counter.Shop")
        sandbox.snapshot("before")
        pid = sandbox.info().os_pid
        with closing(sqlite3.connect(tmp_path / "s.db")) as other:
            other.execute("begin immediate")  # another kernel writes and does not end
            assert manager.destroy("shop") is True and manager.destroy("shop") is False
        assert pid is not None and not Path(f"/proc/{pid}").exists()
        assert "'shop' is destroyed, but its snapshots stay" in caplog.text and "database is locked" in caplog.text
        assert [one.name for one in manager.stored("shop")] == ["before"]


def test_terminate_callbacks_run_when_a_sandbox_is_destroyed(manager: SandboxManager, told: Told) -> None:
    source = """
from jupyter_sandbox.otp import GenServer
class Last(GenServer):
    def init(self, _):
        self.trap_exit(True)
        return 0
    def terminate(self, reason, state):
        print("goodbye", flush=True)
"""
    sandbox = manager.create("last", code={"last.py": source}, main="last.Last")
    manager.destroy("last")
    assert "goodbye" in "".join(getattr(one, "text", "") for one in told.updates)
    assert sandbox.status is SandboxStatus.STOPPING


def test_close_leaves_no_os_process_no_thread_and_no_open_file() -> None:
    threads = set(threading.enumerate())
    with nothing_left() if sys.platform == "linux" else nullcontext():
        manager = SandboxManager(store=":memory:")
        pids = [manager.create().info().os_pid for _ in range(3)]
        manager.close()
        manager.close()
        assert all(pid is not None and not alive(pid) for pid in pids)
        assert set(threading.enumerate()) <= threads
        gc.collect()
    with pytest.raises(SandboxGone, match=r"SandboxManager\(\)"):
        manager.create()


def test_the_kernels_exit_leaves_nothing_running() -> None:
    code = (
        "from jupyter_sandbox.manager.manager import SandboxManager\n"
        "manager = SandboxManager(store=':memory:')\n"
        "print(manager.create().info().os_pid, flush=True)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.returncode == 0, done.stderr
    assert not alive(int(done.stdout)) and done.stderr == ""


def test_an_interrupt_during_create_leaves_nothing(manager: SandboxManager, told: Told) -> None:
    manager.create("first")
    main = threading.get_ident()

    def interrupt() -> None:
        told.wait(lambda update: isinstance(update, InfoChanged) and update.info.name == "shop")
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        manager.create("shop", code={"a.py": "while True: pass"})
    thread.join()
    assert [info.name for info in manager.list()] == ["first"]
    assert manager.create("shop", code={"counter.py": COUNTER}, main="Shop").call("front", "next") == 0


def test_updates_arrive_in_order_on_the_managers_thread(manager: SandboxManager) -> None:
    seen: list[tuple[str, str]] = []
    stop = manager.subscribe(
        lambda update: seen.append(
            (threading.current_thread().name, str(getattr(update, "info", None) and update.info.status))
        )  # type: ignore[union-attr]
    )
    sandbox = manager.create()
    sandbox.pause()
    sandbox.resume()
    stop()
    sandbox.pause()
    assert {thread for thread, _ in seen} == {"jupyter-sandbox-manager"}
    assert list(dict.fromkeys(status for _, status in seen)) == ["starting", "running", "paused"]
    assert seen[-1][1] == "running"


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_an_observer_that_raises_harms_nobody(manager: SandboxManager, told: Told, kind: type[BaseException]) -> None:
    def bad(_: object) -> None:
        raise kind("mine")

    manager.subscribe(bad)
    assert manager.create().status is SandboxStatus.RUNNING
    assert told.updates


def test_many_threads_use_sandboxes_at_once(manager: SandboxManager, shop: Sandbox) -> None:
    results: list[object] = []

    def work(number: int) -> None:
        mine = manager.create(f"mine_{number}", code={"counter.py": COUNTER}, main="Shop")
        results.extend(mine.call("front", "next") for _ in range(10))
        shop.cast("back", 1)
        manager.destroy(mine.name)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == sorted(list(range(10)) * 6)  # type: ignore[type-var]
    assert shop.call("back", "next") == 106
    assert [info.name for info in manager.list()] == ["shop"]


def test_a_stuck_sandbox_delays_no_other(manager: SandboxManager, shop: Sandbox) -> None:
    stuck = manager.create("stuck")
    thread = threading.Thread(target=lambda: _swallow(lambda: stuck.exec("while True: pass")))
    thread.start()
    for _ in range(50):
        shop.call("front", "next")
    stuck.destroy()
    thread.join(60)
    assert not thread.is_alive()


def _swallow(act) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SandboxGone):
        act()


def test_nothing_is_told_of_a_sandbox_after_its_removal(manager: SandboxManager, told: Told) -> None:
    """The watchdog tells once a second of those that it has seen meanwhile."""
    sandbox = manager.create("shop")
    watchdog, unit = manager._watchdog, sandbox._unit
    assert watchdog is not None
    sandbox.destroy()
    watchdog._stirred.add(unit)
    manager._loop.post(watchdog._announce)
    manager.create("other")
    told.wait(lambda update: isinstance(update, InfoChanged) and update.info.name == "other")
    of_shop = [update for update in told.updates if "shop" in (getattr(update, "name", ""), name_in(update))]
    assert isinstance(of_shop[-1], Removed)


def name_in(update: object) -> str:
    return update.info.name if isinstance(update, InfoChanged) else ""
