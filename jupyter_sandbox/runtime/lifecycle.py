"""Birth, death and the relations in between: spawn, exit, links, monitors, names, aliases."""

from __future__ import annotations

from collections import deque
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model.exits import NOPROC
from ..model.ids import Pid, Ref
from . import delivery
from .exceptions import StartError, SystemLimit
from .isolate import ATOMIC
from .operations import Raise
from .process import DEAD, READY, Dispatch, Process
from .signals import DOWN, INFO, INIT, Down

if TYPE_CHECKING:
    from .node import Node

_NO_ENTRY = object()
"""Tells a key that is absent from one whose value is None."""
KEPT = "explicit_unalias"
ALIAS_ENDS = (KEPT, "demonitor", delivery.REPLY_DEMONITOR)
_REMEMBERED = 256
NO_NAMES = frozenset({"", "undefined"})
"""What nobody can be called."""
KEEPS_STATE = "$keeps_state"
"""In its process dictionary: the last state of this process is left to its supervisor, should it die by itself."""
LAST_STATES = "$last_states"
"""In a supervisor's process dictionary: what such children have left, by pid."""
_new_tuple: Any = tuple.__new__


class Tagged(NamedTuple):
    """What a monitor with a tag of its own watches."""

    tag: Any
    target: object


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
    """End a process. Its name and tables are gone before any link or monitor tells of its death."""
    if process.status == DEAD:
        return
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
    if node.tables.owned:
        node.tables.owner_died(node, process)
    if process.dictionary is not None and KEEPS_STATE in process.dictionary:
        _leave_state(node, process)
    if process.coro is not None:
        _close_callback(node, process)
    if not process.hidden:
        node.process_exits += 1
        if node.sink is not None:
            node.sink("process_exit", process, reason)
    if node.trace is not None:
        node.trace("exit", process, reason)
    if (
        process.links is not None
        or process.monitored_by is not None
        or process.callers is not None
        or process.monitors is not None
        or process.starter is not None
    ):
        _tell(node, process, reason)
    process.mailbox = None


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
        node.emit("log", process, ("warning", f"a callback did not let itself be closed: {error!r}"))


def _is_running(coro: Any) -> bool:
    """Whether it is the code of this very callback that ends the process."""
    return bool(coro.cr_running if type(coro) is CoroutineType else coro.gi_running)


def _tell(node: Node, process: Process, reason: Any) -> None:
    pid = process.pid
    starter = process.starter
    if starter is not None:
        process.starter = None
        _nack(node, process, starter, reason)
    if process.links is not None:
        for other in process.links:
            linked = node.processes.get(other)
            if linked is not None and linked.links is not None and linked.links.pop(pid, _NO_ENTRY) is None:
                delivery.link_signal(node, pid, linked, reason)
    if process.monitored_by is not None:
        for ref, (watcher, watched) in process.monitored_by.items():
            _down(node, ref, watcher, watched, reason)
    if process.callers is not None:
        for tag, caller in process.callers.items():
            delivery.call_failed(node, caller, tag, reason, process.name or repr(pid))
    if process.monitors is not None:
        for ref, target in process.monitors.items():
            watched_process = node.processes.get(target)
            if watched_process is not None and watched_process.monitored_by is not None:
                watched_process.monitored_by.pop(ref, None)


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


def _called(process: Process) -> str:
    """A process that has not come up, in the words of its author."""
    return process.name or str(getattr(process.behaviour, "__name__", process.pid))


def _down(node: Node, ref: Ref, watcher: Pid, watched: object, reason: Any) -> None:
    process = node.processes.get(watcher)
    if process is None or process.monitors is None or ref not in process.monitors:
        return
    del process.monitors[ref]
    if process.aliases is not None and process.aliases.get(ref, KEPT) != KEPT:
        drop_alias(node, process, ref)
    if type(watched) is Tagged:
        down: Any = (watched.tag, Down(ref, watched.target, node.copy(reason)))
    else:
        # Not Down(...): a NamedTuple's own constructor takes twice as long, and there is one for every death.
        down = _new_tuple(Down, (ref, watched, reason if type(reason) in ATOMIC else node.copy(reason)))
    delivery.deliver(node, process, (DOWN, down, None))


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
    if waiting is None or waiting.token != starter[1]:
        return
    waiting.token = 0
    waiting.resume = value
    waiting.status = READY
    if node.woken is None and node.policy is None:
        node.woken = waiting
    else:
        node.ready.append(waiting)


def _acknowledge_again(node: Node, process: Process, value: Any) -> None:
    """One acknowledgement too many is a message to the nearest ancestor, as in Erlang."""
    parent = delivery.lookup(node, process.ancestors[0]) if process.ancestors else None
    if parent is not None:
        told = ("ok", value) if value == process.pid else node.copy(value)
        delivery.deliver(node, parent, (INFO, ("ack", process.pid, told), process.number))


def link(node: Node, process: Process, target: Pid) -> bool:
    """Link both ways, once. To a dead process: False, or an exit message ``noproc`` when exits are trapped."""
    if target == process.pid:
        return True
    other = node.processes.get(target)
    if other is None:
        if not process.trap_exit:
            return False
        delivery.link_signal(node, target, process, NOPROC)
        return True
    join(process, other)
    return True


def join(one: Process, other: Process) -> None:
    """Note a link on both sides."""
    if one.links is None:
        one.links = {other.pid: None}
    else:
        one.links[other.pid] = None
    if other.links is None:
        other.links = {one.pid: None}
    else:
        other.links[one.pid] = None


def unlink(node: Node, process: Process, target: Pid) -> None:
    """Take a link away, if there is one; no exit signal of it arrives afterwards."""
    if process.links is not None:
        process.links.pop(target, None)
    other = node.processes.get(target)
    if other is not None and other.links is not None:
        other.links.pop(process.pid, None)


def monitor(node: Node, process: Process, target: Any, *, alias: str | None = None, tag: Any = _NO_ENTRY) -> Ref:
    """One Down message when ``target`` dies; at once, with ``noproc``, when it is not there.

    ``alias`` says what ends the alias that the reference becomes; with a ``tag`` the message is ``(tag, Down(...))``.
    """
    ref = node.new_ref()
    other = delivery.lookup(node, target)
    if alias is not None:
        make_alias(node, process, ref, alias)
    watched = target if tag is _NO_ENTRY else Tagged(tag, target)
    if other is not None:
        watch(process, other, ref, watched)
        return ref
    if process.monitors is None:
        process.monitors = {}
    process.monitors[ref] = target
    _down(node, ref, process.pid, watched, NOPROC)
    return ref


def watch(process: Process, other: Process, ref: Ref, watched: Any) -> None:
    """Note a monitor on both sides; nobody hears of their own death."""
    if other is process:
        return
    if process.monitors is None:
        process.monitors = {ref: other.pid}
    else:
        process.monitors[ref] = other.pid
    if other.monitored_by is None:
        other.monitored_by = {ref: (process.pid, watched)}
    else:
        other.monitored_by[ref] = (process.pid, watched)


def demonitor(node: Node, process: Process, ref: Ref, *, flush: bool = False) -> bool:
    """Take a monitor away; with ``flush`` also its Down message, should it have arrived. False if it was gone."""
    target = process.monitors.pop(ref, None) if process.monitors is not None else None
    if target is not None:
        other = node.processes.get(target)
        if other is not None and other.monitored_by is not None:
            other.monitored_by.pop(ref, None)
        if process.aliases is not None and process.aliases.get(ref, KEPT) != KEPT:
            drop_alias(node, process, ref)
    elif flush and process.mailbox is not None:
        kept = [entry for entry in process.mailbox if not (entry[0] == DOWN and _is_for(entry[1], ref))]
        process.mailbox = deque(kept)
    return target is not None


def _is_for(down: Any, ref: Ref) -> bool:
    return bool((down if type(down) is Down else down[1]).ref == ref)


def make_alias(node: Node, process: Process, ref: Ref, until: str = KEPT) -> None:
    """From now on messages to ``ref`` reach the process, ``until`` it is taken away, the monitor ends, or one came."""
    if process.aliases is None:
        process.aliases = {}
    process.aliases[ref] = until
    node.aliases[ref] = process.pid


def drop_alias(node: Node, process: Process, ref: Ref) -> bool:
    """Messages to ``ref`` are dropped from now on."""
    if process.aliases is None or process.aliases.pop(ref, None) is None:
        return False
    node.aliases.pop(ref, None)
    return True


def register(node: Node, name: str, process: Process) -> str | None:
    """Give a process a name. None, or why it cannot be (``erlang:register`` says badarg)."""
    if name in node.names:
        return f"the name {name!r} is taken by {node.names[name]}"
    if process.name is not None:
        return f"{process.pid} is registered as {process.name!r} already"
    if name in NO_NAMES:
        return f"{name!r} cannot be a name"
    node.names[name] = process.pid
    process.name = name
    process.lineage = None
    return None


def unregister(node: Node, name: str) -> bool:
    """Take a name away; False when nobody has it."""
    pid = node.names.pop(name, None)
    if pid is None:
        return False
    process = node.processes[pid]
    process.name = process.lineage = None
    return True
