"""How inputs enter a node: each is journalled with the step before which it came in, then takes effect."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, assert_never

from ..model.exits import NOPROC
from ..model.ids import OUTSIDE
from . import delivery, lifecycle, plain, timers
from .exceptions import CallExit
from .inputs import Apply, Ask, Input, LoadCode, OutsideDone, SetLimits, Tell, Tick
from .isolate import ATOMIC
from .operations import Raise
from .process import Process
from .signals import CALL, CAST, INFO, Caller, Entry

if TYPE_CHECKING:
    from .node import Node

_LOCAL_REQUEST = -1
"""The request number of run_function; guests count from 1."""


def admit(node: Node, what: Input) -> None:
    """Journal an input and let it take effect."""
    if type(what) is Ask:
        ask(node, what)
    else:
        _admit(node, what)  # type: ignore[arg-type]


def _admit(node: Node, what: Apply | Tell | OutsideDone | Tick | LoadCode | SetLimits) -> None:
    if node.journal is not None:
        _write_down(node, what)
    match what:
        case Apply():
            _start_client(node, what.id, resolve(what.function), what.args)
        case Tell():
            _tell(node, what)
        case OutsideDone():
            process = node.outside_waiting.pop(what.id, None)
            if process is not None and process.token == what.id:
                delivery.wake(node, process, what.value if what.ok else Raise(what.value))
        case Tick():
            node.now_ms = max(node.now_ms, what.now_ms)
            timers.fire_due(node)
        case LoadCode():
            if node.loader is not None:
                node.loader(what.bundle, what.options)
        case SetLimits():
            _set_limits(node, what)
        case _:
            assert_never(what)


def ask(node: Node, what: Ask) -> None:
    """Put a call from outside into the mailbox of who is asked."""
    callee, entry, _ = asked(node, what)
    if callee is not None:
        delivery.deliver(node, callee, entry)


def asked(node: Node, what: Ask) -> tuple[Process | None, Entry, int]:
    """Journal a call from outside: who owes the answer, None when there is nobody, the entry to handle, its tag.

    By the tag ``delivery`` knows whose answer it is.
    """
    target, request = what.target, what.request
    if type(request) not in ATOMIC:  # first: what cannot be copied leaves nothing behind
        request = node.copy(request)
    if node.journal is not None:
        node.journal.append((node.folded + len(node.trail), what))
    callee = delivery.lookup(node, target)
    node.next_tag = tag = node.next_tag + 1
    node.other_tags += 1
    node.asked[tag] = what.id
    if callee is None:
        delivery.ask_failed(node, tag, CallExit(NOPROC, delivery.shown(target)))
    elif callee.callers is None:
        callee.callers = {tag: OUTSIDE}
    else:
        callee.callers[tag] = OUTSIDE
    return callee, (CALL, request, Caller(OUTSIDE, tag)), tag


def _tell(node: Node, what: Tell) -> None:
    process = node.processes.get(what.target)
    message = resolve(what.opener)(what.message) if what.opener else node.copy(what.message)
    node.sent += 1
    if node.trace is not None:
        stranger = Process(node, OUTSIDE.number, plain.run_client)
        node.trace("message_send", stranger, ("cast" if what.cast else "send", what.target, message))
    if process is not None:
        delivery.deliver(node, process, (CAST if what.cast else INFO, message, OUTSIDE))


def _set_limits(node: Node, what: SetLimits) -> None:
    """What is over them already stays."""
    node.max_processes, node.max_mailbox = what.max_processes, what.max_mailbox
    node.longest = min(node.longest, node.max_mailbox)  # above it nobody would look whether a mailbox is too long


def _write_down(node: Node, what: Input) -> None:
    assert node.journal is not None
    journal = node.journal
    if type(what) is Tick and journal and type(journal[-1][1]) is Tick and journal[-1][0] == node.step_number:
        earliest = timers.next_deadline(node)
        if not node.ready and (earliest is None or earliest > what.now_ms):
            journal[-1] = (node.step_number, what)
            return
    journal.append((node.step_number, what))


def tick(node: Node, now_ms: int) -> None:
    """The clock moved on."""
    admit(node, Tick(now_ms))


def resolve(function: str) -> Any:
    """The function that ``module:qualname`` names."""
    module, _, name = function.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _start_client(node: Node, request: int, function: Any, args: tuple[Any, ...]) -> None:
    client = lifecycle.spawn(node, plain.run_client, (request, function, args), parent=None, hidden=True)
    plain.prepare(client, function)
    node.ready.append(client)


def run_function(node: Node, function: Any, args: tuple[Any, ...], until_ms: int | None) -> Any:
    """Run a function as a client in virtual time; see ``Node.run_function``."""
    _start_client(node, _LOCAL_REQUEST, function, args)
    now = node.now_ms
    while True:
        result = node.run(now)
        for answer in [reply for reply in node.answers if reply.id == _LOCAL_REQUEST]:
            node.answers.remove(answer)
            if answer.error is not None:
                raise answer.error
            return answer.value
        if result.next_deadline_ms is None or (until_ms is not None and result.next_deadline_ms > until_ms):
            raise RuntimeError("the function waits for something that can never happen")
        now = result.next_deadline_ms
