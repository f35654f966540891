"""What a person at a notebook waits for: a sandbox, a call, a reload, a step. ``python -m tests.benchmarks.sandboxes``.

All kinds are measured in turn, a sample of each per round, so that a slow
moment of the machine hits all of them alike; medians count.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jupyter_sandbox.code.sources import CellSource
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.widgets.story import Steps

CELL: Final = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Counter(GenServer):
    def init(self, start):
        return start
    def handle_call(self, request, caller, n):
        return Reply(n, n + 1)
    def handle_cast(self, message, n):
        return NoReply(n + message)

class Shop(Supervisor):
    def init(self, count):
        return [Child(Counter, 0, id=f"c{n}", name=f"c{n}") for n in range(count or 1)]
"""
FIRST: Final = """
import json, time
begun = time.perf_counter()
from jupyter_sandbox import SandboxManager
from tests.benchmarks.sandboxes import CELL
with SandboxManager(store=":memory:") as manager:
    began = time.perf_counter()
    assert manager.create("first", code={"cell.py": CELL}, main="Shop").call("c0", "next") == 0
    took = time.perf_counter() - began
print(json.dumps(took))
"""
PROCESSES: Final = 100


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure means and what it has to reach. ``at_most`` in milliseconds."""

    text: str
    at_most: float


GOALS: Final = {
    "first": Goal("create to first answer, the first sandbox of a kernel", 500),
    "create": Goal("create to first answer, later ones", 20),
    "call": Goal("a call from the notebook and back", 2),
    "reload": Goal(f"a changed cell with {PROCESSES} processes: run to new code serving", 50),
    "step": Goal("a paused step taken, told and shown", 5),
}
TIMES_FASTER: Final = 30
"""A later sandbox against the start of a Jupyter kernel."""


class Bench:
    """One manager with sandboxes to measure on."""

    def __init__(self) -> None:
        self.manager = SandboxManager(store=":memory:")
        self._names = (f"bench_{number}" for number in itertools.count())
        self._many = self._shop(PROCESSES)
        self._paused = self._shop(1)
        self._shop(1)  # a first one has warmed up what the later ones share
        self._paused.pause()
        self._edits = itertools.count(2)

    def _shop(self, count: int) -> Sandbox:
        return self.manager.create(
            next(self._names), code=self._cell(1), main="Shop", args=(count,), limits={"max_processes": 2 * PROCESSES}
        )  # fmt: skip

    def _cell(self, version: int) -> CellSource:
        return CellSource("cell", CELL.replace("n + 1", f"n + {version}"), f"<cell {version}>")

    def create(self) -> float:
        """A sandbox with a supervised server, to its first answer."""
        name = next(self._names)
        spent = _timed(lambda: self.manager.create(name, code={"cell.py": CELL}, main="Shop").call("c0", "next"))
        self.manager.destroy(name)
        return spent

    def call(self) -> float:
        """Fifty calls; one of them."""
        return _timed(lambda: [self._many.call("c7", "next") for _ in range(50)]) / 50

    def reload(self) -> float:
        """Load a changed module and get an answer of the new code."""
        cell = self._cell(next(self._edits))

        def act() -> None:
            assert self._many.load(cell).moved > PROCESSES
            self._many.call("c7", "next")

        return _timed(act)

    def step(self) -> float:
        """One step, told in a text."""
        self._paused.cast("c0", 1)

        def act() -> str:
            stepped = self._paused.step(1)
            return str(Steps(stepped.steps, stepped.step))

        return _timed(act)

    def close(self) -> None:
        self.manager.close()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def first() -> float:
    """The first sandbox in a fresh Python, milliseconds."""
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True, timeout=60)
    return float(json.loads(done.stdout)) * 1000


def kernel() -> float:
    """A Jupyter kernel from its start to its first answer, milliseconds."""
    from jupyter_client.manager import KernelManager

    def act() -> None:
        manager.start_kernel()
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            client.execute_interactive("1 + 1", timeout=60, output_hook=lambda message: None)
        finally:
            client.stop_channels()

    manager: Any = KernelManager()
    try:
        return _timed(act)
    finally:
        manager.shutdown_kernel(now=True)


def measure(rounds: int) -> dict[str, float]:
    """The median of every kind and of ``kernel``, in milliseconds."""
    bench = Bench()
    kinds: dict[str, Callable[[], float]] = {
        "first": first, "create": bench.create, "kernel": kernel, "call": bench.call, "reload": bench.reload,
        "step": bench.step,
    }  # fmt: skip
    try:
        return medians(kinds, rounds, seldom=("first", "kernel"))
    finally:
        bench.close()


def medians(kinds: dict[str, Callable[[], float]], rounds: int, *, seldom: tuple[str, ...]) -> dict[str, float]:
    """The median of every kind, from a sample of each per round; what takes long is taken ``seldom``.

    Each round has an order of its own: what comes after a kernel's start finds the processor's caches full of that.
    """
    found: dict[str, list[float]] = {name: [] for name in kinds}
    gc.collect()
    for number in range(rounds):
        for name, take in random.Random(number).sample(list(kinds.items()), len(kinds)):
            if name not in seldom or number < max(3, rounds // 5):
                found[name].append(take())
    return {name: statistics.median(values) for name, values in found.items()}


def report(figures: dict[str, float]) -> Iterator[str]:
    """One line per figure."""
    for name, goal in GOALS.items():
        yield f"{name:<8}{figures[name]:>9.2f} ms   at most {goal.at_most:g} ms   {goal.text}"
    ratio = figures["kernel"] / figures["create"]
    yield f"kernel  {figures['kernel']:>9.2f} ms   a later sandbox is {ratio:.0f} times faster, {TIMES_FASTER} wanted"


if __name__ == "__main__":
    print("\n".join(report(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 15))))
