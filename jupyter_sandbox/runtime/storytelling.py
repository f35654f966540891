"""Tells one step: who handled what from whom, the state before and after, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from ..model.anatomy import isinstance_of, lookup, own_name
from ..model.ids import FIRST_CLIENT, Pid
from ..model.listed import DEEDS
from ..model.text import short_text
from ..model.views import StepView
from .operations import WAIT_NAMES
from .process import Process
from .signals import INIT, KIND_NAMES, SYSTEM, Caller, Entry

if TYPE_CHECKING:
    from .node import Node

Step = Callable[["Node", Process], None]
_OURS: Final = __name__.partition("runtime.")[0]


def tell(node: Node, process: Process, take_step: Step) -> StepView:
    """Take the step with a trace on, and put it into words."""
    did: list[str] = []
    more = 0
    outer = node.trace

    def note(kind: str, actor: Process, data: Any) -> None:
        nonlocal more
        if process.hidden and kind == "exit":
            pass
        elif len(did) < DEEDS:
            did.append(_deed(node, kind, actor, data))
        else:
            more += 1
        if outer is not None:
            outer(kind, actor, data)

    kind, message, sender = _what(node, process)
    name, before = who(node, process.pid), state_text(process)
    node.trace = note
    try:
        take_step(node, process)
    finally:
        node.trace = outer
    if more:
        did.append(f"and {more} more")
    after = state_text(process) if process.alive else ("gone" if before else "")
    return StepView(
        node.step_number, repr(process.pid), name, kind, message, sender, before, after,
        tuple(did), node.now_ms,
    )  # fmt: skip


def state_text(process: Process) -> str:
    """The state of a behaviour in a few words; a plain process has none."""
    if process.steps == 0 or not isinstance(process.behaviour, type):
        return ""
    text = own_words(process)
    return text(process.state) if text is not None else short_text(process.state)


def own_words(process: Process) -> Callable[[Any], str] | None:
    """How a behaviour of ours puts its state into words, None for most.

    A method of the user's that happens to have that name is none of it, and looking must run nothing of the user's.
    """
    behaviour = process.behaviour
    found = lookup(behaviour, "state_text") if isinstance_of(behaviour, type) else None
    words = found.__func__ if type(found) is staticmethod else None
    return words if type(words) is FunctionType and words.__globals__.get("__name__", "").startswith(_OURS) else None


def who(node: Node, target: Any) -> str:
    """A process in the words people know it by."""
    if not isinstance(target, Pid):
        return str(target)
    if target.number >= FIRST_CLIENT:
        return "outside"
    process = node.processes.get(target)
    if process is None:
        return node.dead_names.get(target, repr(target))
    if process.hidden:
        return f"application {process.group}"
    if process.name:
        return process.name
    if process.label is not None:
        return f"{short_text(process.label, 40)} {target!r}"
    if isinstance(process.behaviour, type):
        return f"{own_name(process.behaviour) or 'process'} {target!r}"
    return repr(target)


def _what(node: Node, process: Process) -> tuple[str, str, str]:
    if process.doom is not None:
        return "exit", f"exit signal {short_text(process.doom[0])}", ""
    if process.coro is not None:
        return "resume", _resumed(process), ""
    entry = process.mailbox[0] if process.mailbox else None
    return ("start", "", "") if entry is None else describe(node, entry)


def _resumed(process: Process) -> str:
    wait = process.wait
    return f"after {WAIT_NAMES[wait[0]]}" if type(wait) is tuple else "after receive"


def describe(node: Node, entry: Entry) -> tuple[str, str, str]:
    """Kind, message and sender of a mailbox entry, in words."""
    kind, payload, source = entry
    sender = source.pid if type(source) is Caller else Pid.of(source) if type(source) is int else source
    told = who(node, sender) if sender is not None else ""
    if kind == INIT:
        return "start", "init", ""
    if kind == SYSTEM:
        return "system", str(payload[0]) if type(payload) is tuple else str(payload), told
    return KIND_NAMES[kind], short_text(payload), told


def _deed(node: Node, kind: str, actor: Process, data: Any) -> str:
    if kind == "message_send":
        how, target, message = data
        verb = {"call": "called", "cast": "cast to", "send": "sent to"}[how]
        return f"{verb} {who(node, target)}: {short_text(message)}"
    if kind == "reply":
        return f"replied {short_text(data[1])} to {who(node, data[0])}"
    if kind == "spawn":
        return f"spawned {who(node, data.pid)}"
    if kind == "exit":
        return f"exited: {short_text(data)}"
    return f"{kind} {short_text(data)}"
