"""The last state of a crashed child, offered to the one that takes its place. Beyond OTP: off unless a child asks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from ..model.ids import Pid
from ..runtime.lifecycle import KEEPS_STATE, LAST_STATES
from ..runtime.operations import OP_START, ask
from ..runtime.process import Process
from . import gen, via
from .child import Child

Last = tuple[Any, ...]
"""A one-tuple with the state, or nothing."""


def wanted(child: Child) -> bool:
    """Whether a child's last state is kept: its specification says so, and its class can begin from one."""
    return child.keep_state is True and child.start is None and hasattr(child.module, "init_from")


def start(process: Process, child: Child, argument: Any, last: Last) -> Awaitable[Any]:
    """Start a child whose state is kept, linked; its pid, or IGNORE. Raises StartError."""
    if child.name is not None:
        via.check_free(process.node, child.name)

    def prepare(heir: Process, starting: gen.Starting) -> None:
        heir.dictionary = {KEEPS_STATE: True}
        if last:
            heir.dictionary[gen.OFFERED] = last[0]  # where ``gen.initial`` looks for it
        gen.prepare(heir, starting)

    first = (child.module, process.node.copy(argument), child.name)
    return ask((OP_START, child.module.engine.dispatch, first, child.timeout_ms, ("link", prepare)))


def left(supervisor: Process, child: Pid) -> Last:
    """What a dead child has left to its supervisor; asking takes it away."""
    states = None if supervisor.dictionary is None else supervisor.dictionary.get(LAST_STATES)
    return (states.pop(child),) if states and child in states else ()
