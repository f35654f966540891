"""Who waits for whom in a node, since when, and which of them wait for each other. Looking takes no step."""

from __future__ import annotations

from typing import Any

from ..model.ids import Pid, Ref
from ..model.text import short_text
from ..model.views import WaitView
from ..runtime import Node, delivery
from ..runtime.operations import OP_CALL, OP_OUTSIDE, OP_SLEEP, OP_START, OP_STOP, Receive
from ..runtime.process import READY, RECEIVING, SUSPENDED, WAITING, Process
from ..runtime.storytelling import who
from .inspect import waiting_for

_WHAT = {OP_CALL: "call", OP_STOP: "end", OP_START: "start", OP_SLEEP: "sleep", OP_OUTSIDE: "outside"}


def waits(node: Node) -> tuple[WaitView, ...]:
    """Every process that waits in the middle of a callback, by age; a client that asks from outside is one, too.

    >>> from jupyter_sandbox.otp import GenServer, Node, Reply
    >>> class Shy(GenServer):
    ...     async def handle_call(self, request, caller, friend):
    ...         return Reply(await self.call(friend, "you"), friend)
    >>> async def main(self):
    ...     await self.start(Shy, "right", name="left")
    ...     await self.start(Shy, "left", name="right")
    ...     self.send_request("left", "who goes first?")
    ...     await self.sleep(20)
    ...     return [view.line() for view in waits(self._process.node) if view.cycle]
    >>> for line in Node().run_function(main):
    ...     print(line)
    left waits for a reply from right to 'you' since t = 0.000 s, until t = 5.000 s · deadlock: left → right → left
    right waits for a reply from left to 'you' since t = 0.000 s, until t = 5.000 s · deadlock: right → left → right
    """
    waiting = [process for process in node.processes.values() if process.status in (WAITING, RECEIVING)]
    edges = {process.pid: target for process in waiting if (target := _target(node, process)) is not None}
    views = [_view(node, process, edges) for process in waiting]
    return tuple(view for process, view in zip(waiting, views, strict=True) if view.target or not process.hidden)


def deadlocks(node: Node) -> tuple[tuple[str, ...], ...]:
    """The names of the processes of each deadlock, once per deadlock."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for view in waits(node):
        if view.cycle:
            found.setdefault(frozenset(view.cycle), view.cycle)
    return tuple(found.values())


def _target(node: Node, process: Process) -> Pid | None:
    """Whom a waiting process needs; None when that could be anybody, or nobody of this node."""
    wait = process.wait
    if type(wait) is Receive:
        if isinstance(linked := getattr(wait.match, "target", None), Pid):
            return linked if linked in node.processes else None
        ref = wait.match if isinstance(wait.match, Ref) else getattr(wait.match, "ref", None)
        watched = (process.monitors or {}).get(ref) if isinstance(ref, Ref) else None
        return watched if isinstance(watched, Pid) else None
    if wait[0] not in (OP_CALL, OP_STOP, OP_START):
        return None
    found = delivery.lookup(node, wait[1])
    return None if found is None else found.pid


def _view(node: Node, process: Process, edges: dict[Pid, Pid]) -> WaitView:
    wait, target = process.wait, edges.get(process.pid)
    receiving = type(wait) is Receive
    what = ("message" if target is None else "end") if receiving else _WHAT[wait[0]]
    limit = None if receiving else _limit(wait)
    return WaitView(
        pid=repr(process.pid),
        name=who(node, process.pid),
        what=what,
        target="" if target is None else who(node, target),
        target_pid="" if target is None else repr(target),
        message=short_text(wait[2]) if what == "call" else "",
        since_ms=process.since,
        until_ms=None if limit is None else process.since + limit,
        target_does="" if target is None else _doing(node, node.processes[target]),
        cycle=tuple(who(node, pid) for pid in _cycle(process.pid, edges)),
    )


def _limit(wait: tuple[Any, ...]) -> int | None:
    """After how many milliseconds a wait ends by itself."""
    if wait[0] in (OP_CALL, OP_STOP):
        return wait[3]  # type: ignore[no-any-return]
    return wait[1] if wait[0] == OP_SLEEP else None


def _cycle(start: Pid, edges: dict[Pid, Pid]) -> list[Pid]:
    """The way from a process back to itself, empty when there is none."""
    way, seen, at = [start], {start}, edges.get(start)
    while at is not None and at not in seen:
        way.append(at)
        seen.add(at)
        at = edges.get(at)
    return way if at == start else []


def _doing(node: Node, process: Process) -> str:
    if process.suspended or process.status == SUSPENDED:
        return "is suspended"
    waiting = waiting_for(node, process)
    if waiting:
        return f"waits for {waiting}"
    return "is running" if process.status <= READY else "has not answered yet"
