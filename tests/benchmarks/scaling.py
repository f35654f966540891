"""How the work per child grows with the number of children: it must not. Times are CPU time of this OS process."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from jupyter_sandbox.guest import snapshot
from jupyter_sandbox.guest.code_server import CodeServer
from jupyter_sandbox.otp import (
    Child,
    DynamicSupervisor,
    GenServer,
    Node,
    OtpContext,
    Registry,
    Spec,
    Supervisor,
    count_children,
    delete_child,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)

from .measure import now

SIZES = (1_000, 3_000, 10_000, 30_000)
Case = Callable[[OtpContext, int], Awaitable[float]]


class Worker(GenServer):
    """Any child."""

    def handle_cast(self, request: Any, state: Any) -> Any:
        raise RuntimeError("crash")


class Top(Supervisor):
    def init(self, argument: tuple[str, int]) -> Any:
        strategy, size = argument
        return Spec([Child(Worker, n, id=n, name=f"w{n}") for n in range(size)], strategy, intensity=10**9)


async def start(self: OtpContext, size: int) -> float:
    """A supervisor with its children in its list."""
    begun = now()
    await self.start(Top, ("one_for_one", size))
    return now() - begun


async def stop(self: OtpContext, size: int) -> float:
    """The same is stopped."""
    top = await self.start(Top, ("one_for_one", size))
    begun = now()
    await self.stop(top, "shutdown")
    return now() - begun


async def restart_each(self: OtpContext, size: int) -> float:
    """Every child crashes and is restarted."""
    await self.start(Top, ("one_for_one", size))
    begun = now()
    for n in range(size):
        self.cast(f"w{n}", "crash")
    await self.sleep(1)
    spent = now() - begun
    assert self._process.node.restarts == size
    return spent


async def restart_all(self: OtpContext, size: int) -> float:
    """One crash restarts all: one_for_all."""
    return await _group(self, size, "one_for_all", 0)


async def restart_rest(self: OtpContext, size: int) -> float:
    """One crash restarts the rest: rest_for_one, the first child."""
    return await _group(self, size, "rest_for_one", 0)


async def _group(self: OtpContext, size: int, strategy: str, which: int) -> float:
    await self.start(Top, (strategy, size))
    begun = now()
    self.cast(f"w{which}", "crash")
    await self.sleep(1)
    return now() - begun


async def start_dynamic(self: OtpContext, size: int) -> float:
    """start_child of a DynamicSupervisor."""
    top = await self.start(DynamicSupervisor)
    begun = now()
    for n in range(size):
        await start_child(self, top, Child(Worker, n, restart="temporary"))
    return now() - begun


async def stop_dynamic(self: OtpContext, size: int) -> float:
    """A DynamicSupervisor stops all its children at once."""
    top = await self.start(DynamicSupervisor)
    for n in range(size):
        await start_child(self, top, Child(Worker, n, restart="temporary"))
    begun = now()
    await self.stop(top, "shutdown")
    return now() - begun


async def terminate_dynamic(self: OtpContext, size: int) -> float:
    """terminate_child of each child of a DynamicSupervisor."""
    top = await self.start(DynamicSupervisor)
    pids = [await start_child(self, top, Child(Worker, n, restart="temporary")) for n in range(size)]
    begun = now()
    for pid in pids:
        await terminate_child(self, top, pid)
    return now() - begun


async def child_functions(self: OtpContext, size: int) -> float:
    """start_child, terminate_child, restart_child, terminate_child and delete_child by id."""
    top = await self.start(Top, ("one_for_one", 0))
    begun = now()
    for n in range(size):
        await start_child(self, top, Child(Worker, n, id=n))
    for n in range(size):
        await terminate_child(self, top, n)
        await restart_child(self, top, n)
        await terminate_child(self, top, n)
    for n in reversed(range(size)):
        await delete_child(self, top, n)
    return now() - begun


async def look(self: OtpContext, size: int) -> float:
    """which_children and count_children, once."""
    top = await self.start(Top, ("one_for_one", size))
    begun = now()
    await which_children(self, top)
    await count_children(self, top)
    return now() - begun


async def monitors(self: OtpContext, size: int) -> float:
    """One process monitors and links with many that die one after the other."""
    self.trap_exit()
    pids = [await self.start(Worker, n) for n in range(size)]
    begun = now()
    for pid in pids:
        assert pid is not None
        self.monitor(pid)
        self.link(pid)
    for pid in pids:
        self.exit_signal(pid, "kill")
    for _ in range(2 * size):
        await self.receive()
    return now() - begun


async def registered(self: OtpContext, size: int) -> float:
    """Servers under via names of a registry start, are called and killed."""
    await Registry.start_link(self, "keys")
    begun = now()
    for n in range(size):
        await self.start(Worker, n, name=Registry.via("keys", n))
    for n in range(size):
        self.exit_signal(Registry.lookup(self, "keys", n)[0][0], "kill")
    await self.sleep(1)
    assert Registry.count(self, "keys") == 0
    return now() - begun


async def tables(self: OtpContext, size: int) -> float:
    """Processes with a table and a timer each die."""

    async def owner(self: OtpContext) -> None:
        self.ets.new("t")
        self.send_after(1_000_000, self.pid, "late")
        await self.receive()

    pids = [self.spawn(owner) for _ in range(size)]
    await self.sleep(1)
    begun = now()
    for pid in pids:
        self.send(pid, "end")
    await self.sleep(1)
    return now() - begun


async def _many(self: OtpContext, size: int) -> None:
    await self.start(Top, ("one_for_one", size))


def _system(size: int) -> tuple[Node, CodeServer]:
    node = Node(journal=False)
    node.run_function(_many, size)
    return node, CodeServer(node)


def snapshot_taken(size: int) -> float:
    """A snapshot of a supervisor with its children."""
    system = _system(size)
    gc.collect()
    begun = now()
    snapshot.take(*system, None)
    return now() - begun


def snapshot_restored(size: int) -> float:
    """A fresh node is filled from it."""
    blob, fresh = snapshot.take(*_system(size), None).blob, Node()
    code = CodeServer(fresh)
    gc.collect()
    begun = now()
    snapshot.restore(fresh, code, snapshot.opened(blob))
    return now() - begun


OF_A_NODE: dict[str, Callable[[int], float]] = {case.__name__: case for case in (snapshot_taken, snapshot_restored)}
"""What is not done by a process of the node."""
CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        start, stop, restart_each, restart_all, restart_rest, start_dynamic, stop_dynamic, terminate_dynamic,
        child_functions, look, monitors, registered, tables,
    )
}  # fmt: skip


def report(names: list[str], sizes: tuple[int, ...] = SIZES) -> Iterator[str]:
    """Microseconds per child for each size, and how often the largest is the smallest."""
    yield f"{'case':<20}" + "".join(f"{size:>12,}" for size in sizes) + f"{'growth':>9}   µs per child"
    for name in names or (*CASES, *OF_A_NODE):
        per_child = [measure(name, size) * 1e6 for size in sizes]
        figures = "".join(f"{figure:>12,.2f}" for figure in per_child)
        yield f"{name:<20}{figures}{per_child[-1] / per_child[0]:>8.2f}x"


def measure(name: str, size: int) -> float:
    """CPU seconds per child: the better of two runs, for the machine is never quite alone."""
    return min(_once(name, size) for _ in range(2))


def _once(name: str, size: int) -> float:
    gc.collect()
    if name in OF_A_NODE:
        return OF_A_NODE[name](size) / size
    spent: float = Node(journal=False).run_function(CASES[name], size)
    return spent / size


def idle(size: int = 100_000) -> Iterator[str]:
    """Many idle processes in one node: what it takes to start one, to call one of them, and to stop all."""

    async def main(self: OtpContext) -> tuple[float, float, float]:
        begun = now()
        pids = [await self.start(Worker, 0) for _ in range(size)]
        started = now() - begun
        begun = now()
        for pid in pids[:: size // 1_000]:
            self.send(pid, "unexpected")
        await self.sleep(1)
        asked = now() - begun
        begun = now()
        for pid in pids:
            assert pid is not None
            self.exit_signal(pid, "shutdown")
        await self.sleep(1)
        assert len(self._process.node.processes) == 1
        return started, asked, now() - begun

    started, asked, stopped = Node(journal=False).run_function(main)
    yield (
        f"{size:,} idle processes: started in {started:.2f} s, 1,000 of them took a message in "
        f"{asked * 1e3:.1f} ms, all stopped in {stopped:.2f} s"
    )
