"""The facts of a process, under Erlang's names, for ``self.process_info`` and for people who look. Changes nothing."""

from __future__ import annotations

from typing import Any

from ..model.anatomy import name_of
from ..model.ids import FIRST_CLIENT, Pid, Ref
from . import relations
from .process import HIBERNATED, STATUS_NAMES, Process


def info(process: Process) -> dict[str, Any]:
    """The facts of a process, under Erlang's names."""
    return {
        "registered_name": process.name,
        "initial_call": initial_call(process),
        "status": STATUS_NAMES[process.status],
        "links": list(process.links or ()),
        "monitors": [_watched(process, ref, target) for ref, target in (process.monitors or {}).items()],
        "monitored_by": [watcher for watcher, _ in (process.monitored_by or {}).values()],
        "message_queue_len": len(process.mailbox or ()),
        "messages": process.node.copy([payload for _, payload, _ in process.mailbox or ()]),
        "trap_exit": process.trap_exit,
        "parent": process.parent,
        "ancestors": ancestors(process),
        "application": process.group,
        "hibernated": process.timer == HIBERNATED,
        "label": process.label,
        "dictionary": dict(process.dictionary or {}),
        "reductions": process.steps,
    }


def initial_call(process: Process) -> str:
    """What it runs, ``module.Class`` or ``module.function``: ``proc_lib:initial_call`` in Python's words."""
    return name_of(process.behaviour)


def ancestors(process: Process) -> tuple[Any, ...]:
    """Who started it, and who started that one, up to the first; who asked from outside the node is none of them."""
    return tuple(one for one in process.ancestors if not (type(one) is Pid and one.number >= FIRST_CLIENT))


def _watched(process: Process, ref: Ref, target: Any) -> Any:
    """What a monitor was set on: a pid, or the name if it was a name."""
    other = process.node.processes.get(target)
    by = None if other is None or other.monitored_by is None else other.monitored_by.get(ref)
    watched = target if by is None else by[1]
    return watched.target if type(watched) is relations.Tagged else watched
