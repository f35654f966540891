"""What each thing that is on by default costs: the same calls with it and without it, in turn, in one OS process."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_sandbox.otp import GenServer, Node, Reply
from jupyter_sandbox.trace import EventLog

from .measure import now
from .node_engine import Counter

_CALLS = 40_000


class Desk(GenServer):
    """Answers a small dict with a small dict."""

    def init(self, start: int) -> int:
        return start

    def handle_call(self, request: Any, caller: Any, n: int) -> Any:
        return Reply({"id": n, "name": "answer", "total": 1.5}, n + 1)


_ORDER = {"id": 7, "name": "order", "items": 3, "price": 9.5}


async def _atoms(self: Any, size: int) -> float:
    server = await self.start(Counter, 0)
    begun = now()
    for _ in range(size):
        await self.call(server, 7)
    return now() - begun


async def _dicts(self: Any, size: int) -> float:
    server = await self.start(Desk, 0)
    begun = now()
    for _ in range(size):
        await self.call(server, _ORDER)
    return now() - begun


def _events() -> Node:
    log = EventLog()
    node = Node(sink=log)
    node.trace = log.message
    return node


CASES: dict[str, tuple[Any, Callable[[], Node], Callable[[], Node]]] = {
    "small dict: isolated / shared": (_dicts, Node, lambda: Node(isolation="share")),
    "integer: isolated / shared": (_atoms, Node, lambda: Node(isolation="share")),
    "journal on / off": (_atoms, Node, lambda: Node(journal=False)),
    "event log attached, nothing traced / none": (_atoms, lambda: Node(sink=EventLog()), Node),
    "every message an event / none": (_atoms, _events, Node),
}


def report(rounds: int) -> Iterator[str]:
    """One line per case: nanoseconds of a call with and without, and the ratio of the medians."""
    yield f"{'case':<46}{'with ns':>10}{'without':>10}{'ratio':>8}"
    for case, (workload, with_it, without) in CASES.items():
        pairs = [(_ns(with_it(), workload), _ns(without(), workload)) for _ in range(rounds + 1)][1:]
        on, off = (statistics.median(column) for column in zip(*pairs, strict=True))
        yield f"{case:<46}{on:>10,.0f}{off:>10,.0f}{on / off:>8.2f}"


def _ns(node: Node, workload: Any) -> float:
    gc.collect()
    spent: float = node.run_function(workload, _CALLS)
    return spent / _CALLS * 1e9
