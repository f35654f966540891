"""What it takes to have another sandbox: time to its first answer, memory, and all of it against a Jupyter kernel.

Everything is strict where the machine has it, asked for through the API that
users have, from another thread than the manager's. ``spare``: one was ready,
and nothing happened for a moment before. ``row``: one was ready for each of
several, so all but the first find the processor awake. ``zygote``: none was, so
an OS process is forked and confined first.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from jupyter_sandbox.manager import spares
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox

from ..waiting import until
from .bare import Bare
from .sandboxes import CELL, kernel, medians

MANY: Final = 50
ROW: Final = 10
Answer = Callable[[Sandbox], object]
GOALS: Final[dict[str, tuple[str, float]]] = {
    "spare, tree": ("an empty sandbox to its tree, from a spare", 1),
    "spare, cell": ("an empty sandbox to the value of a cell, from a spare", 1),
    "row, tree": (f"the same as one of {ROW} in a row, each from a spare", 1),
    "row, cell": (f"the same as one of {ROW} in a row, each from a spare", 1),
    "spare, code": ("a cell loaded, its supervisor started, its server called, from spares", 20),
    "zygote, tree": ("an empty sandbox to its tree, without a spare", 10),
    "zygote, cell": ("an empty sandbox to the value of a cell, without a spare", 10),
    "many": (f"{MANY} empty sandboxes, one after another", 500),
}
"""What is measured, and at most how many milliseconds it is to take."""


class Bench:
    """A manager with a sandbox that keeps its flavour in use."""

    def __init__(self) -> None:
        self.manager = SandboxManager(store=":memory:")
        self.manager.create("keeper", limits={"max_runtime": 3_600_000})
        self._names = (f"made_{number}" for number in itertools.count())

    def spare(self, answer: Answer, **options: Any) -> float:
        """Milliseconds to the first answer with all spares there."""
        until(lambda: self.manager._spares.full)  # type: ignore[union-attr]
        return self._to_answers(1, answer, options)[0]

    def row(self, answer: Answer) -> float:
        """Milliseconds to the first answer of each of several with a spare for each, the median."""
        with spares_kept(self.manager, ROW):
            until(lambda: self.manager._spares.full)  # type: ignore[union-attr]
            return statistics.median(self._to_answers(ROW, answer, {}))

    def zygote(self, answer: Answer) -> float:
        """Milliseconds to the first answer without a spare."""
        with spares_kept(self.manager, 0):
            until(lambda: not self.manager._spares.count)  # type: ignore[union-attr]
            time.sleep(0.1)  # until those that were are cleaned up
            return self._to_answers(1, answer, {})[0]

    def many(self) -> float:
        """Milliseconds for many, with the spares that happen to be there."""
        return sum(self._to_answers(MANY, lambda made: None, {}))

    def _to_answers(self, count: int, answer: Answer, options: dict[str, Any]) -> list[float]:
        names = [next(self._names) for _ in range(count)]
        times = [time.perf_counter()]
        for name in names:
            answer(self.manager.create(name, **options))
            times.append(time.perf_counter())
        for name in names:
            self.manager.destroy(name)
        return [(after - before) * 1000 for before, after in itertools.pairwise(times)]

    def memory(self) -> tuple[float, float]:
        """Proportional and private megabytes per empty sandbox among many, the medians."""
        made = [self.manager.create(next(self._names)) for _ in range(MANY)]
        for one in made:
            one.tree()
        found = [_megabytes(one.info().os_pid) for one in made]
        for one in made:
            one.destroy()
        proportional, private = (statistics.median(column) for column in zip(*found, strict=True))
        return proportional, private

    def close(self) -> None:
        self.manager.close()


@contextmanager
def spares_kept(manager: SandboxManager, count: int) -> Iterator[None]:
    """Within it so many are made ready; with 0 those that were are ended."""
    shelves = list(manager._spares._shelves.values())  # type: ignore[union-attr]
    kept, spares.SPARES = spares.SPARES, count
    try:
        for shelf in shelves:
            manager._loop.post(shelf.refill_soon if count else shelf.clear)
        yield
    finally:
        spares.SPARES = kept
        for shelf in shelves:
            manager._loop.post(shelf.refill_soon)


def _megabytes(pid: int | None) -> tuple[float, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    size = {name: int(value.split()[0]) * 1024 / 1e6 for name, _, value in (line.partition(":") for line in lines)}
    return size["Pss"], size["Private_Clean"] + size["Private_Dirty"]


def measure(rounds: int) -> dict[str, float]:
    """The median of every kind and of what stands beside them in milliseconds; ``pss`` and ``uss`` in megabytes."""
    bare, bench = Bare(), Bench()
    answers: dict[str, Answer] = {"tree": lambda made: made.tree(), "cell": lambda made: made.exec("1 + 1")}
    code = {"code": {"cell.py": CELL}, "main": "Shop"}
    kinds: dict[str, Callable[[], float]] = {
        "spare, tree": lambda: bench.spare(answers["tree"]),
        "spare, cell": lambda: bench.spare(answers["cell"]),
        "row, tree": lambda: bench.row(answers["tree"]),
        "row, cell": lambda: bench.row(answers["cell"]),
        "spare, code": lambda: bench.spare(lambda made: made.call("c0", "next"), **code),
        "zygote, tree": lambda: bench.zygote(answers["tree"]),
        "zygote, cell": lambda: bench.zygote(answers["cell"]),
        "many": bench.many,
        "bare": bare.answer,
        "rested": bare.rested,
        "kernel": kernel,
    }
    try:
        found = medians(kinds, rounds, seldom=("kernel", "many"))
        pss, uss = bench.memory()
    finally:
        bench.close()
        bare.close()
    return found | {"pss": pss, "uss": uss}


def report(figures: dict[str, float]) -> Iterator[str]:
    """One line per figure."""
    started = figures["kernel"]
    for name, (text, most) in GOALS.items():
        times = f"{started / figures[name]:>6.0f} x" if name != "many" else " " * 8
        yield f"{name:<14}{figures[name]:>9.2f} ms   at most {most:<5g} {times}   {text}"
    text = "the hand-overs of a spare's alone, after a rest, between threads and to an OS process that echoes"
    yield f"{'bare':<14}{figures['bare']:>9.2f} ms   {'':<22}   {text}"
    text = "1,000 pages of memory looked at again after a rest; an answer from a spare looks at 2,000"
    yield f"{'rested':<14}{figures['rested']:>9.2f} ms   {'':<22}   {text}"
    yield f"{'kernel':<14}{started:>9.2f} ms   {'':<22}   a Jupyter kernel to its first answer; x: times faster"
    yield f"{'memory':<14}{figures['pss']:>9.2f} MB   {'at most 4':<22}   proportional, each of {MANY} empty sandboxes"
    yield f"{'':<14}{figures['uss']:>9.2f} MB   {'':<22}   of these private"
