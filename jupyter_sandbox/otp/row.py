"""The first start of a supervisor's children, many in a row: the very steps that one start after another would take.

A start by itself passes through the scheduler, the supervisor's coroutines and
its decisions. Here all that is looked up once, for as long as each child is a
plain one and comes up at once. Whoever is not is left to the usual way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..runtime import lifecycle
from ..runtime.context import Context, set_process
from ..runtime.isolate import ATOMIC
from ..runtime.operations import OP_START, UP
from ..runtime.process import FRESH, IDLE, READY, WAITING, Process
from ..runtime.signals import INIT
from .gen import Starting
from .restart import Entry, State, note_started

_new_object: Final = object.__new__


class Row:
    """Children to be started in order, from number ``at`` on."""

    __slots__ = ("at", "entries", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.entries: Sequence[Entry] = list(state.entries.values())
        self.at = 0

    def start(self, process: Process, most: int) -> tuple[int, Process | None, Any]:
        """Start up to ``most`` of them, while all goes well.

        How many have come up, and, if one is not up after its first step: that
        one, and what its dispatch gave.
        """
        node, entries = process.node, self.entries
        now_s, began = node.now_ms // 1000, self.at
        ancestors = process.lineage or lifecycle.lineage(process)
        process.status, process.since = WAITING, node.now_ms
        for entry in entries[began : began + most]:
            starting = self._plain(process, entry)
            if starting is None:
                break
            child = lifecycle.create(node, entry.child.module.engine.dispatch, parent=process)
            pid = child.pid
            child.behaviour, _, name = starting
            child.context = context = _new_object(child.behaviour)
            set_process(context, child)
            if name is not None:
                node.names[name] = pid
                child.name = name
            child.ancestors = ancestors
            child.parent = process.pid
            lifecycle.join(process, child)
            node.next_tag = process.token = tag = node.next_tag + 1
            child.starter = (process.pid, tag)
            if node.sink is not None:
                node.sink("process_spawn", child, process.pid)
            node.trail.append(child.number)
            child.steps = 1
            node.current = child
            child.message = (INIT, starting, None)
            self.at += 1
            result = node.begins[child.dispatch](child, starting)
            if (
                result is not UP
                or process.status != WAITING
                or child.status != FRESH
                or child.mailbox is not None
                or node.woken is not None
            ):
                process.wait = (OP_START, pid)
                return self.at - began - 1, child, result
            child.starter = None
            child.status = IDLE
            node.trail.append(process.number)
            process.steps += 1
            note_started(self.state, entry, pid, now_s)
        node.current = process
        process.token = 0
        process.status = READY
        return self.at - began, None, None

    def _plain(self, process: Process, entry: Entry) -> Starting | None:
        """What a child begins with, if nothing about its start is out of the ordinary."""
        child, node = entry.child, process.node
        module, name, argument = child.module, child.name, child.argument
        if child.start is not None or child.keep_state or child.extra or child.timeout_ms is not None:
            return None
        if module.engine.dispatch not in node.begins or module.__init__ is not Context.__init__:
            return None
        if name is not None and (type(name) is not str or name in node.names or name in lifecycle.NO_NAMES):
            return None
        if len(node.processes) >= node.max_processes:
            return None
        if type(argument) not in ATOMIC:
            try:
                argument = node.copy(argument)
            except TypeError:
                return None
        return module, argument, name
