"""Spares: guests that are ready before they are needed, no sandbox until taken, and gone when nobody is left."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.recheck import verify_from_outside
from jupyter_sandbox.manager import handle
from jupyter_sandbox.manager.handle import GuestHandle
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.spares import SPARES, Spares
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import LaunchFailed, SandboxError
from jupyter_sandbox.model.flavour import Flavour
from jupyter_sandbox.model.protection import Protection

from ..leaving import guests_of
from ..waiting import until
from .conftest import COUNTER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def own() -> Iterator[SandboxManager]:
    """A manager of one test alone."""
    with SandboxManager(store=":memory:") as manager:
        yield manager


def spares_of(manager: SandboxManager) -> Spares:
    assert manager._spares is not None
    return manager._spares


def filled(manager: SandboxManager) -> Spares:
    """The spares, when all are there."""
    until(lambda: spares_of(manager).full)
    return spares_of(manager)


def spare_pids(manager: SandboxManager) -> list[int]:
    return [spare.process.pid for shelf in filled(manager)._shelves.values() for spare in shelf.ready]


def held(manager: SandboxManager) -> list[GuestHandle]:
    """The guests that there are: of sandboxes and spares."""
    of_sandboxes = [unit.guest for unit in manager._units.values() if unit.guest is not None]
    return of_sandboxes + [spare for shelf in spares_of(manager)._shelves.values() for spare in shelf.ready]


def folders_in(scratch: Path) -> list[str]:
    """Of guests. A zygote that rehearses makes files there."""
    return sorted(one.name for one in scratch.iterdir() if one.is_dir())


def children(manager: SandboxManager, flavour: Flavour = Flavour()) -> set[int]:  # noqa: B008 - a frozen value
    """The OS processes that were forked for a flavour and live."""
    zygotes = manager._zygotes
    pid = zygotes.of(flavour).pid if zygotes is not None else None
    return guests_of(pid) if pid else set()


def pid_of(sandbox: Sandbox) -> int:
    pid = sandbox.info().os_pid
    assert pid is not None
    return pid


def lives(pid: int) -> bool:
    """Whether this OS process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_the_next_sandbox_is_a_spare_and_another_spare_takes_its_place(own: SandboxManager) -> None:
    first = own.create("first")
    spares = spare_pids(own)
    assert len(spares) == SPARES == spares_of(own).count
    assert [info.name for info in own.list()] == ["first"], "a spare is no sandbox"
    assert children(own) == {pid_of(first), *spares}
    second = own.create("second")
    assert pid_of(second) == spares[0]
    until(lambda: len(children(own)) == 2 + SPARES)
    assert spares[1] in spare_pids(own) and pid_of(second) not in spare_pids(own)


def test_code_is_tried_in_one_spare_and_lives_in_another(own: SandboxManager) -> None:
    own.create("first")
    spares = spare_pids(own)
    shop = own.create("shop", code={"counter.py": COUNTER}, main="Shop")
    assert shop.call("front", "next") == 0
    assert pid_of(shop) in spares
    until(lambda: len(children(own)) == 2 + SPARES)
    assert not {*spares} - {pid_of(shop)} & children(own), "the guest of a trial ends with it"


def test_a_spare_is_what_its_sandbox_asks_for(own: SandboxManager) -> None:
    look = "import os, random; (self.random.random(), random.random(), os.getcwd() == os.environ['HOME'])"
    fresh = own.create("fresh", seed=11, clock="virtual", allow={"read": ["/tmp"]})
    seen = fresh.exec(look)
    own.create("first")
    spares = spare_pids(own)
    taken = own.create("taken", seed=11, clock="virtual", limits={"max_processes": 7, "max_memory": 10_000_000})
    assert pid_of(taken) in spares
    assert taken.exec(look) == seen
    until(lambda: Path(f"/proc/{pid_of(taken)}/comm").read_text().strip() == "sbx:taken")
    with pytest.raises(SandboxError):
        for _ in range(8):
            taken.exec("self.spawn(lambda self: self.receive())")
    with pytest.raises(SandboxError):
        taken.exec("len(bytearray(15_000_000))")


def test_a_spare_gets_more_memory_or_somebody_else_is_taken(own: SandboxManager) -> None:
    own.create("first")
    filled(own)
    large = own.create("large", limits={"max_memory": 120_000_000})
    assert large.exec("len(bytearray(100_000_000))") == 100_000_000


def test_run_time_and_memory_count_from_when_it_became_a_sandbox(own: SandboxManager) -> None:
    own.create("first")
    for shelf in filled(own)._shelves.values():
        for spare in shelf.ready:
            spare.lookout.ready_ns -= 3_600 * 10**9  # the age that a spare must not be charged with
    begin_ns = time.monotonic_ns()
    taken = own.create("taken")
    guest, now_ns = taken._unit.guest, time.monotonic_ns()
    assert guest is not None and guest.lookout.reading(now_ns).runtime_ms <= (now_ns - begin_ns) / 1e6
    assert taken.exec("1 + 1") == 2
    assert taken.info().memory < 3_000_000


def test_two_sandboxes_draw_different_numbers(own: SandboxManager) -> None:
    draw = "import random, uuid; (random.random(), self.random.random(), str(uuid.uuid4()), hash('text'))"
    own.create("first")
    filled(own)
    one, two = (own.create().exec(draw) for _ in range(2))
    assert isinstance(one, tuple) and isinstance(two, tuple)
    assert not {*one[:3]} & {*two[:3]}
    assert one[3] == two[3], "the order of sets is the same everywhere, so that a replay meets it again"


def has_let_go(handle: GuestHandle) -> bool:
    """Whether the kernel holds nothing of a guest any more: no file, no mapping, no folder."""
    process = handle.process
    files = (
        process.pidfd,
        handle.stdout.fileno(),
        handle.stderr.fileno(),
        process.control.fileno(),
        process.heartbeat.fd,
    )
    return set(files) == {-1} and process.heartbeat._map is None and not os.path.exists(process.scratch)


def test_a_spare_that_died_is_not_handed_out(own: SandboxManager) -> None:
    own.create("first")
    dead = spare_pids(own)
    handles = [spare for shelf in filled(own)._shelves.values() for spare in shelf.ready]
    scratch = Path(f"/proc/{dead[0]}/cwd").resolve().parent
    before = folders_in(scratch)
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(lives, dead)))
    made = own.create("made")
    assert made.exec("1 + 1") == 2 and pid_of(made) not in dead
    assert not set(spare_pids(own)) & {*dead, pid_of(made)}
    own.destroy("made")
    until(
        lambda: all(map(has_let_go, handles)) and len(folders_in(scratch)) == len(before),
        lambda: (
            f"{before} has become {folders_in(scratch)}, let go: {[has_let_go(one) for one in handles]}, "
            f"sandboxes and spares work in {[one.process.scratch for one in held(own)]}"
        ),
    )


def test_each_profile_in_use_has_its_spares_and_they_go_with_its_last_sandbox(own: SandboxManager) -> None:
    own.create("first")
    own.create("open", profile="basic")
    assert len(spare_pids(own)) == 2 * SPARES
    basic = own.create("basic", profile="basic").info().protection
    assert basic is not None and basic.profile == "basic"
    default = own.create("default").info().protection
    assert default is not None and default.profile != "basic"
    own.destroy("open")
    own.destroy("basic")
    until(lambda: len(children(own)) == 2 + SPARES and len(spare_pids(own)) == SPARES)


def test_what_is_opened_by_name_is_no_spares_business(own: SandboxManager) -> None:
    own.create("open", allow={"read": ["/tmp"]})
    assert spares_of(own).full and spares_of(own).count == 0


def test_nothing_is_left_when_the_last_sandbox_is_gone_nor_after_the_end(own: SandboxManager) -> None:
    own.create("first")
    pids = spare_pids(own)
    own.destroy("first")
    until(lambda: not children(own) and not any(map(lives, pids)))
    own.create("again")
    pids = [*spare_pids(own), *children(own)]
    own.close()
    assert not any(map(lives, pids))


def test_a_guest_that_ends_while_it_is_looked_at_is_told_so_and_not_that_the_machine_lacks_something(
    own: SandboxManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(pid: int, protection: Protection, boot: Boot) -> Protection:
        os.kill(pid, signal.SIGKILL)
        until(lambda: not os.path.exists(f"/proc/{pid}/fd/0"))  # it has let go of everything
        return verify_from_outside(1 << 22, protection, boot)  # and its number is nobody's

    monkeypatch.setattr(handle, "verify_from_outside", looked)
    with pytest.raises(LaunchFailed, match=r"did not become ready: its OS process ended with signal 9 .*try again"):
        own.create("shop", profile="basic")
    assert [info.name for info in own.list()] == []
