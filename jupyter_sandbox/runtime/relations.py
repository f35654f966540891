"""Links and monitors: who is told of whose death, and how."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model.exits import NOPROC
from ..model.ids import Pid, Ref
from . import delivery
from .isolate import ATOMIC
from .names import KEPT, drop_alias, make_alias
from .process import Process
from .signals import DOWN, EXIT, MISSING, Down

if TYPE_CHECKING:
    from .node import Node

_new_tuple: Any = tuple.__new__


class Tagged(NamedTuple):
    """What a monitor with a tag of its own watches."""

    tag: Any
    target: object


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


def flush_exit(process: Process, target: Pid) -> None:
    """Drop the exit message that came by a link, if there is one; it is among the last that came."""
    box = process.mailbox or deque()
    for back, (kind, _, source) in enumerate(reversed(box), 1):
        if kind == EXIT and source == target:
            del box[-back]
            break


def monitor(node: Node, process: Process, target: Any, *, alias: str | None = None, tag: Any = MISSING) -> Ref:
    """One Down message when ``target`` dies; at once, with ``noproc``, when it is not there.

    ``alias`` says what ends the alias that the reference becomes; with a ``tag`` the message is ``(tag, Down(...))``.
    """
    ref = node.new_ref()
    other = delivery.lookup(node, target)
    if alias is not None:
        make_alias(node, process, ref, alias)
    watched = target if tag is MISSING else Tagged(tag, target)
    if other is not None:
        watch(process, other, ref, watched)
        return ref
    if process.monitors is None:
        process.monitors = {}
    process.monitors[ref] = target
    fire(node, ref, process.pid, watched, NOPROC)
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


def _is_for(message: Any, ref: Ref) -> bool:
    return bool((message if type(message) is Down else message[1]).ref == ref)


def fire(node: Node, ref: Ref, watcher: Pid, watched: object, reason: Any) -> None:
    """A monitor ends with the death it waited for: its watcher gets the Down message."""
    process = node.processes.get(watcher)
    if process is None or process.monitors is None or ref not in process.monitors:
        return
    if type(reason) not in ATOMIC:
        reason = node.copy(reason)  # which may raise, so before anything is changed
    del process.monitors[ref]
    if process.aliases is not None and process.aliases.get(ref, KEPT) != KEPT:
        drop_alias(node, process, ref)
    if type(watched) is Tagged:
        message: Any = (watched.tag, Down(ref, watched.target, reason))
    else:
        # Not Down(...): a NamedTuple's own constructor takes twice as long, and there is one for every death.
        message = _new_tuple(Down, (ref, watched, reason))
    delivery.deliver(node, process, (DOWN, message, None))
