"""The first start of a supervisor's children, many in a row: the very steps that one start after another would take.

A start by itself passes through the scheduler, the supervisor's coroutines and
its decisions. Here all that is looked up once, for as long as each child is a
plain one and comes up at once. Whoever is not is left to the usual way. This
is a hot loop, hence one long function over local variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..runtime import lifecycle
from ..runtime.context import Context, set_process
from ..runtime.isolate import ATOMIC
from ..runtime.names import NO_NAMES
from ..runtime.operations import OP_START, UP
from ..runtime.process import FRESH, IDLE, READY, WAITING, Process
from ..runtime.signals import INIT
from . import gen
from .child_keys import key_of
from .restart import Entry, State

_new: Final = object.__new__
NOT_COPYABLE: Final = object()


class Row:
    """Children to be started in order, from number ``at`` on."""

    __slots__ = ("at", "entries", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.entries: Sequence[Entry] = list(state.entries.values())
        self.at = 0

    def start(self, process: Process, most: int) -> tuple[int, Process | None, Any]:  # noqa: C901
        """Start up to ``most`` of them, while all goes well.

        How many have come up, and, if one is not up after its first step: that
        one, and what its dispatch gave.
        """
        node, by_pid = process.node, self.state.by_pid
        trail, names, processes, sink = node.trail, node.names, node.processes, node.sink
        now_s, parent, group = node.now_ms // 1000, process.pid, process.group
        ancestors = process.lineage or lifecycle.lineage(process)
        if process.links is None:
            process.links = {}
        links = process.links
        process.status, process.since = WAITING, node.now_ms
        limit, no_names = node.max_processes, NO_NAMES
        behaviour: Any = None
        dispatch: Any = None
        begun, child, result = 0, None, UP
        special = gen.SPECIAL
        for entry in self.entries[self.at : self.at + most]:
            spec = entry.child
            if spec.module is not behaviour:
                if not _is_plain(process, spec.module):
                    break
                behaviour = spec.module
                dispatch = behaviour.engine.dispatch
            name, argument = spec.name, spec.argument
            if type(argument) not in ATOMIC:
                argument = _copied(process, argument)
            if (
                spec.start is not None
                or spec.keep_state
                or spec.extra
                or spec.timeout_ms is not None
                or argument is NOT_COPYABLE
                or (name is not None and (type(name) is not str or name in names or name in no_names))
                or len(processes) >= limit
            ):
                break
            # --- as lifecycle.create, gen.prepare and waiting.start would ---
            node.next_number = (number := node.next_number) + 1
            child = Process(node, number, dispatch)
            processes[pid := child.pid] = child
            child.behaviour = behaviour
            child.context = context = _new(behaviour)
            set_process(context, child)
            if name is not None:
                names[name] = pid
                child.name = name
            if group is not None:
                child.group = group
            child.ancestors = ancestors
            child.parent = parent
            child.links = {parent: None}
            links[pid] = None
            node.next_tag = process.token = tag = node.next_tag + 1
            child.starter = (parent, tag)
            if sink is not None:
                sink("process_spawn", child, parent)
            # --- the first step of the child ---
            trail.append(number)
            child.steps = 1
            node.current = child
            try:
                state = context.init(argument)
            except BaseException as error:  # a failing init is a failed start, whatever it raised
                child.message = (INIT, (behaviour, argument, name), None)
                gen.init_raised(child, error)
                result = None
            else:
                if type(state) in special:
                    child.message = (INIT, (behaviour, argument, name), None)
                    result = gen.init_returned(child, state)
                else:
                    child.state = state
            if (
                result is not UP
                or process.status != WAITING
                or child.status != FRESH
                or child.mailbox is not None
                or node.woken is not None
            ):
                process.wait = (OP_START, pid)
                break
            # --- that of the supervisor ---
            node.current = process
            child.starter = None
            child.status = IDLE
            begun += 1
            trail.append(process.number)
            process.steps += 1
            by_pid[pid] = id if type(id := spec.id) is str else key_of(id)
            entry.pid = pid
            if spec.backoff is not None:
                entry.started_s = now_s
            child = None
        if child is None:
            process.token = 0
            process.status = READY
        tried = begun if child is None else begun + 1
        node.process_spawns += tried
        node.other_tags += tried
        self.at += tried
        return begun, child, result


def _is_plain(process: Process, behaviour: Any) -> bool:
    """Whether processes of this behaviour begin with no more than their init."""
    engine = getattr(behaviour, "engine", None)  # None: the child has a start function instead
    return (
        engine is not None
        and engine.dispatch in process.node.begins
        and engine.init is gen.initial
        and behaviour.__init__ is Context.__init__
    )


def _copied(process: Process, argument: Any) -> Any:
    """The argument as the child gets it; what cannot be copied is told on the usual way."""
    try:
        return process.node.copy(argument)
    except TypeError:
        return NOT_COPYABLE
