"""Runs one workload in this OS process and prints one line of JSON. Engines end with ``main({...})``.

A rate workload takes ``n`` and returns the CPU seconds of its timed region; it
is calibrated until that region is long enough to trust. A fixed workload takes
its own size and is repeated, and its median counts. Memory is bytes, no time.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

now = time.process_time
"""CPU seconds of this OS process: what others do on the machine does not count."""

ENOUGH_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Workload:
    """How a workload is sized, and what its figure means: a rate is better when higher, all else when lower."""

    unit: str
    size: int
    text: str


WORKLOADS: Final = {
    "call": Workload("rate", 2_000, "one client calls one server, plain callback"),
    "async_call": Workload("rate", 2_000, "the same, the callback is an async def that does not wait"),
    "outside_call": Workload("rate", 500, "a coroutine of asyncio calls a server of the node and awaits the answer"),
    "cast": Workload("rate", 5_000, "bursts of casts to one server, a call after each"),
    "ring": Workload("rate", 2_000, "1,000 servers in a ring pass one token by cast"),
    "fan": Workload("rate", 2_000, "one client asks 1,000 servers and collects 1,000 answers"),
    "start_stop": Workload("ms", 10_000, "start 10,000 servers, stop each and wait for it"),
    "tree1k": Workload("ms", 1_000, "start one supervisor with 1,000 named children"),
    "tree10k": Workload("ms", 10_000, "start one supervisor with 10,000 named children"),
    "storm": Workload("ms", 1_000, "1,000 children killed at once; all replaced and answering"),
    "replaced": Workload("us", 500, "one child killed; its replacement answers"),
    "memory": Workload("bytes", 10_000, "memory per idle server"),
}


BURST: Final = 100_000
"""Casts before each call: far fewer than a mailbox may hold."""


def bursts(size: int) -> list[int]:
    """So many casts, cut into bursts.

    >>> bursts(250_000)
    [100000, 100000, 50000]
    """
    return [min(BURST, size - begin) for begin in range(0, size, BURST)]


def rate(run: Callable[[int], float], first: int) -> float:
    """Operations per CPU second, from one run that is long enough."""
    size = first
    while True:
        gc.collect()
        spent = run(size)
        if spent >= ENOUGH_S:
            return size / spent
        size = int(size * min(30.0, max(2.0, 1.4 * ENOUGH_S / max(spent, 1e-6))))


def typical(run: Callable[[int], float], size: int) -> float:
    """CPU seconds of the median run, over enough runs."""
    spent: list[float] = []
    while len(spent) < 3 or (sum(spent) < ENOUGH_S and len(spent) < 50):
        gc.collect()
        spent.append(run(size))
    return statistics.median(spent)


def figure(name: str, run: Callable[[int], float]) -> float:
    """The figure of a workload in its unit."""
    workload = WORKLOADS[name]
    match workload.unit:
        case "rate":
            return rate(run, workload.size)
        case "ms":
            return typical(run, workload.size) * 1e3
        case "us":
            return typical(run, workload.size) * 1e6 / workload.size
        case _:
            return run(workload.size)


def resident() -> int:
    """Bytes of this OS process that are in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def collect_as_a_guest_does() -> None:
    """Set the cyclic collector as it is in a sandbox."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def main(engine: dict[str, Callable[[int], float]]) -> None:
    """Run the workload named on the command line, with the cyclic collector set as it is in a guest."""
    collect_as_a_guest_does()
    name = sys.argv[1]
    value = figure(name, engine[name]) if name in engine else None
    print(json.dumps({"workload": name, "figure": value}))
