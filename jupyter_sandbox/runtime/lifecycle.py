"""Birth and death of processes: spawning and coming up, exiting and telling of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ..model.anatomy import own_name
from ..model.exits import NORMAL
from ..model.ids import Pid
from . import delivery
from .crashes import exit_reason, tellable
from .exceptions import StartError, SystemLimit
from .isolate import ATOMIC
from .operations import Raise
from .process import DEAD, Dispatch, Process
from .relations import fire, unlink
from .signals import INFO, INIT

if TYPE_CHECKING:
    from .node import Node

_NO_ENTRY = object()
"""Tells a key that is absent from one whose value is None."""
_REMEMBERED = 256
KEEPS_STATE = "$keeps_state"
"""In its process dictionary: the last state of this process is left to its supervisor, should it die by itself."""
LAST_STATES = "$last_states"
"""In a supervisor's process dictionary: what such children have left, by pid."""


def spawn(node: Node, dispatch: Dispatch, first: Any, *, parent: Process | None, hidden: bool = False) -> Process:
    """Create a process whose first step handles ``(INIT, first, None)``; it stands in no queue yet.

    Raises SystemLimit when the node is full. Hidden processes, the clients of
    requests from outside, do not count.
    """
    process = create(node, dispatch, parent=parent, hidden=hidden)
    process.mailbox = deque(((INIT, first, None),))
    return process


def create(node: Node, dispatch: Dispatch, *, parent: Process | None, hidden: bool = False) -> Process:
    """Like spawn, for a caller that hands over the first entry by itself."""
    if not hidden and len(node.processes) >= node.max_processes and _counted(node) >= node.max_processes:
        node.emit("limit", parent or Process(node, 0, dispatch), ("process_limit", node.max_processes))
        raise SystemLimit(node.max_processes)
    if hidden:
        number = node.next_client
        node.next_client = number + 1
    else:
        number = node.next_number
        node.next_number = number + 1
        node.process_spawns += 1
    process = Process(node, number, dispatch)
    if hidden:
        process.hidden = True
    if parent is not None and parent.group is not None:
        process.group = parent.group
    node.processes[process.pid] = process
    return process


def lineage(process: Process) -> tuple[Any, ...]:
    """What a child that is started now has as ancestors (proc_lib's ``$ancestors``), by name where there is one."""
    process.lineage = (process.name or process.pid, *process.ancestors)
    return process.lineage


def _counted(node: Node) -> int:
    return sum(not process.hidden for process in node.processes.values())


def exit_process(node: Node, process: Process, reason: Any) -> None:
    """End a process. Its name and tables are gone before any link or monitor tells of its death.

    Whatever of the user's runs on the way may raise or be interrupted, and the end is a whole one all the same.
    """
    if process.status == DEAD:
        return
    if type(reason) not in ATOMIC:
        reason = tellable(node.copy, reason)
    process.status = DEAD
    process.doom = (reason,)
    process.token = 0
    del node.processes[process.pid]
    if process.name is not None:
        del node.names[process.name]
        _remember(node, process)
    if process.aliases is not None:
        for ref in process.aliases:
            node.aliases.pop(ref, None)
    try:
        if node.tables.owned:
            node.tables.owner_died(node, process)
        if process.dictionary is not None and KEEPS_STATE in process.dictionary:
            _leave_state(node, process)
        if process.coro is not None:
            _close_callback(node, process)
        if not process.hidden:
            living = node.living
            if living > node.most_processes:
                node.most_processes = living
            node.process_exits += 1
            if node.sink is not None:
                node.sink("process_exit", process, reason)
        if node.trace is not None:
            node.trace("exit", process, reason)
    finally:
        if (
            process.links is not None
            or process.monitored_by is not None
            or process.callers is not None
            or process.monitors is not None
            or process.starter is not None
        ):
            _tell(node, process, reason)
        # Its record and its context hold each other until the collector comes: what it had must not wait for that.
        process.mailbox = process.state = process.message = process.resume = process.wait = process.dictionary = None


def _leave_state(node: Node, process: Process) -> None:
    """To the supervisor, unless it has cut the link: then it stops the process itself and wants nothing of it."""
    assert process.parent is not None
    supervisor = node.processes.get(process.parent)
    if supervisor is None or supervisor.links is None or process.pid not in supervisor.links:
        return
    if supervisor.dictionary is None:
        supervisor.dictionary = {}
    supervisor.dictionary.setdefault(LAST_STATES, {})[process.pid] = process.state


def _remember(node: Node, process: Process) -> None:
    """Who a dead pid was, for the people who read steps and events."""
    if len(node.dead_names) >= _REMEMBERED:
        del node.dead_names[next(iter(node.dead_names))]
    assert process.name is not None
    node.dead_names[process.pid] = process.name


def _close_callback(node: Node, process: Process) -> None:
    coro, process.coro = process.coro, None
    if coro is None or _is_running(coro):
        return
    try:
        coro.close()
    except BaseException as error:  # a `finally` of the user's may raise anything; the process is dead all the same
        text = f"a callback did not let itself be closed: {exit_reason(error)!r}"
        node.emit("log", process, ("warning", text))


def _is_running(coro: Any) -> bool:
    """Whether it is the code of this very callback that ends the process."""
    return bool(coro.cr_running if type(coro) is CoroutineType else coro.gi_running)


def _tell(node: Node, process: Process, reason: Any) -> None:
    pid = process.pid
    starter = process.starter
    if starter is not None and not _learns_nothing(node, process, starter[0], reason):
        refuse(node, process, reason)
    if process.links is not None:
        for other in process.links:
            linked = node.processes.get(other)
            if linked is not None and linked.links is not None and linked.links.pop(pid, _NO_ENTRY) is None:
                reason = _passed_on(reason, partial(delivery.link_signal, node, pid, linked))
    if process.monitored_by is not None:
        for ref, (watcher, watched) in process.monitored_by.items():
            reason = _passed_on(reason, partial(fire, node, ref, watcher, watched))
    if process.callers is not None:
        for tag, caller in process.callers.items():
            failed = partial(delivery.call_failed, node, caller, tag, target=process.name or repr(pid))
            reason = _passed_on(reason, failed)
    if process.monitors is not None:
        for ref, target in process.monitors.items():
            watched_process = node.processes.get(target)
            if watched_process is not None and watched_process.monitored_by is not None:
                watched_process.monitored_by.pop(ref, None)


def _passed_on(reason: Any, tell: Callable[[Any], None]) -> Any:
    """Tell one more of an end: the reason, or why it cannot be copied once more. Returns what the next is to hear."""
    try:
        tell(reason)
    except BaseException as error:  # of the user's code for copying: nothing has been told yet
        reason = exit_reason(error)
        tell(reason)
    return reason


def refuse(node: Node, process: Process, reason: Any) -> None:
    """The start has failed: the starter's wait ends with the reason."""
    starter, process.starter = process.starter, None
    if starter is not None:
        _nack(node, process, starter, reason)


def _nack(node: Node, process: Process, starter: tuple[Pid, int], reason: Any) -> None:
    """The starter learns that the start failed; a starter that traps exits gets no exit message on top (OTP 26)."""
    waiting = node.processes.get(starter[0])
    if waiting is None:
        return
    if waiting.trap_exit and waiting.links is not None and process.links is not None:
        waiting.links.pop(process.pid, None)
        process.links.pop(waiting.pid, None)
    if waiting.token == starter[1]:
        delivery.wake(node, waiting, Raise(StartError(reason, _called(process))))


def _learns_nothing(node: Node, process: Process, starter: Pid, reason: Any) -> bool:
    """Who starts with a link hears of an end before the acknowledgement by that link alone (``proc_lib``)."""
    waiting = node.processes.get(starter)
    if waiting is None:
        return True
    watched = process.monitored_by is not None and waiting.pid in [who for who, _ in process.monitored_by.values()]
    if process.parent != waiting.pid or watched:
        return False
    linked = process.links is not None and waiting.pid in process.links
    return not linked or (type(reason) is str and reason == NORMAL and not waiting.trap_exit)


def _called(process: Process) -> str:
    """A process that has not come up, in the words of its author."""
    return process.name or own_name(process.behaviour) or repr(process.pid)


def decline(node: Node, process: Process, value: Any) -> None:
    """End a process that does not want to run; its starter gets ``value`` and no exit signal (init's ``ignore``)."""
    starter, process.starter = process.starter, None
    if starter is not None and starter[0] in node.processes:
        unlink(node, process, starter[0])
    exit_process(node, process, "normal")
    process.starter = starter
    acknowledge(node, process, value)


def acknowledge(node: Node, process: Process, value: Any) -> None:
    """The start acknowledgement: the starter's wait ends with ``value``. Any other is only a message."""
    starter, process.starter = process.starter, None
    if starter is None:
        _acknowledge_again(node, process, value)
        return
    waiting = node.processes.get(starter[0])
    if waiting is not None and waiting.token == starter[1]:
        delivery.go_on(node, waiting, value)


def _acknowledge_again(node: Node, process: Process, value: Any) -> None:
    """One acknowledgement too many is a message to the nearest ancestor, as in Erlang."""
    parent = delivery.lookup(node, process.ancestors[0]) if process.ancestors else None
    if parent is not None:
        told = ("ok", value) if type(value) is Pid and value == process.pid else node.copy(value)
        delivery.deliver(node, parent, (INFO, ("ack", process.pid, told), process.number))
