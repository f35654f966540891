"""What each thing that is on by default costs: the same calls with it and without it, in turn, in one OS process."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_sandbox.guest.capture import Capture
from jupyter_sandbox.model.views import CAPTURED_KINDS
from jupyter_sandbox.otp import GenServer, Node, Reply
from jupyter_sandbox.replay import record, replay
from jupyter_sandbox.runtime import Apply
from jupyter_sandbox.trace import EventLog

from .measure import collect_as_a_guest_does, now
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


def _captured(*kinds: str) -> Callable[[], Node]:
    """A node with the events that somebody asked for, as a guest has them."""

    def make() -> Node:
        log = EventLog(wanted=frozenset(kinds))
        node = Node(sink=log)
        Capture(kinds, node, log)
        return node

    return make


CASES: dict[str, tuple[Any, Callable[[], Node], Callable[[], Node]]] = {
    "small dict: isolated / shared": (_dicts, Node, lambda: Node(isolation="share")),
    "integer: isolated / shared": (_atoms, Node, lambda: Node(isolation="share")),
    "journal on / off": (_atoms, Node, lambda: Node(journal=False)),
    "event log attached, nothing traced / none": (_atoms, lambda: Node(sink=EventLog()), Node),
    "every message an event / none": (_atoms, _captured("message_send"), Node),
    "messages and states before and after / none": (_atoms, _captured("message_send", "state_change"), Node),
    "all that can be captured / none": (_atoms, _captured(*CAPTURED_KINDS), Node),
}


def report(rounds: int) -> Iterator[str]:
    """One line per case: nanoseconds of a call with and without, and the ratio of the medians."""
    collect_as_a_guest_does()
    yield f"{'case':<46}{'with ns':>10}{'without':>10}{'ratio':>8}"
    for case, (workload, with_it, without) in CASES.items():
        yield _line(case, [(_ns(with_it(), workload), _ns(without(), workload)) for _ in range(rounds + 1)])
    yield _line("a replay / the run that it repeats", [replayed() for _ in range(rounds + 1)])


def _line(case: str, pairs: list[tuple[float, float]]) -> str:
    """The first pair warms up."""
    on, off = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
    return f"{case:<46}{on:>10,.0f}{off:>10,.0f}{on / off:>8.2f}"


def replayed() -> tuple[float, float]:
    """Nanoseconds of a call in a replay, and in the run that it repeats."""
    live, again = Node(), Node()
    begun = now()
    live.admit(Apply(1, f"{__name__}:_atoms", (_CALLS,)))
    live.run(0)
    ran = now() - begun
    recording = record(live)
    gc.collect()
    begun = now()
    replay(recording, again)
    return (now() - begun) / _CALLS * 1e9, ran / _CALLS * 1e9


def _ns(node: Node, workload: Any) -> float:
    gc.collect()
    spent: float = node.run_function(workload, _CALLS)
    return spent / _CALLS * 1e9
