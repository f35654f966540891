"""What each awaited operation but the call does: it ends at once with a value, or parks its process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ..model.anatomy import own_name
from ..model.ids import Ref
from ..model.text import short_text
from . import delivery, lifecycle, relations, timers
from .crashes import exit_reason
from .exceptions import StartError, SystemLimit
from .inputs import OutsideWork
from .operations import OP_OUTSIDE, OP_SLEEP, OP_START, OP_YIELD, Raise, Receive
from .process import RECEIVING, WAITING, Process
from .signals import CALL, CAST, DOWN, MISSING, SYSTEM, Caller, Down, Entry, Notify, Request, SystemRequest

if TYPE_CHECKING:
    from .node import Node

PARKED: Final = object()
"""The result of an operation whose process now waits."""
MAX_TAKEN: Final = 100
"""Receives in one step that need not wait, before the others get their turn."""


def receive(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    """Take a message that is there already, or wait for one."""
    _, match, default, timeout_ms, _ = operation
    wait = Receive(match, default)
    process.scanned = 0
    if process.mailbox:
        value = scan(process, wait)
        if value is not MISSING:
            return value
    if timeout_ms == 0:
        process.wait = wait
        value = delivery.timed_out(process)
        process.wait = None
        return value
    node.other_tags += 1
    node.next_tag = process.token = node.next_tag + 1  # as _park would, for the most frequent wait but the call
    process.wait = wait
    process.since = node.now_ms
    process.status = RECEIVING
    if timeout_ms is not None:
        timers.arm_wait(node, process, timeout_ms)
    return PARKED


def let_others_go(node: Node, process: Process, value: Any) -> None:
    """Put a process that need not wait at the end of the queue: a loop of receives would starve the others."""
    process.status = WAITING
    delivery.wake(node, process, value)


def scan(process: Process, wait: Receive) -> Any:
    """Take the first message that matches; each message is looked at once per receive."""
    box = process.mailbox
    if not box:
        return MISSING
    match = wait.match
    if isinstance(match, Ref):
        return _scan_down(process, box, match)
    try:
        for index in range(process.scanned, len(box)):
            message = visible(box[index])
            if match is None or match(message):
                del box[index]
                process.scanned = 0
                return message
    except BaseException as error:  # a predicate of the user's raised: that is for its callback
        return Raise(error)
    process.scanned = len(box)
    return MISSING


def _scan_down(process: Process, box: deque[Entry], ref: Ref) -> Any:
    """The message of one monitor."""
    for index in range(process.scanned, len(box)):
        kind, down, _ = box[index]
        if kind == DOWN and type(down) is Down and down.ref == ref:
            del box[index]
            process.scanned = 0
            return down
    process.scanned = len(box)
    return MISSING


def visible(entry: Entry) -> Any:
    """A mailbox entry as a plain process sees it."""
    kind, payload, source = entry
    if kind == CALL:
        assert type(source) is Caller
        return Request(source, payload)
    if kind == SYSTEM:
        assert type(source) is Caller
        return SystemRequest(source, payload)  # type: ignore[arg-type]
    return Notify(payload) if kind == CAST else payload


def _park(node: Node, process: Process, wait: Any, timeout_ms: int | None) -> None:
    node.other_tags += 1
    node.next_tag = process.token = node.next_tag + 1
    process.wait = wait
    process.since = node.now_ms
    process.status = WAITING
    if timeout_ms is not None:
        timers.arm_wait(node, process, timeout_ms)


def _sleep(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    _park(node, process, operation, operation[1])
    return PARKED


def start(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    """Create a process and wait until it says that it is up. The result is the process, or a Raise."""
    _, dispatch, first, timeout_ms, (relation, prepare) = operation
    if timeout_ms == 0:  # as in Erlang: it would be killed before its first step
        return Raise(StartError("timeout"))
    try:
        child = lifecycle.create(node, dispatch, parent=process)
    except SystemLimit as error:
        return Raise(StartError(exit_reason(error)))
    try:
        prepare(child, first)
    except BaseException as error:  # the constructor of a user's class may raise anything: a failed start
        reason = exit_reason(error)
        lifecycle.exit_process(node, child, reason)
        return Raise(
            error
            if isinstance(error, StartError)
            else StartError(reason, own_name(child.behaviour) or short_text(child.behaviour))
        )
    child.ancestors = process.lineage or lifecycle.lineage(process)
    if relation == "link":
        child.parent = process.pid
        relations.join(process, child)
    node.other_tags += 1
    node.next_tag = process.token = tag = node.next_tag + 1
    process.wait = (OP_START, child.pid)
    process.since = node.now_ms
    process.status = WAITING
    if timeout_ms is not None:
        timers.arm_wait(node, process, timeout_ms)
    child.starter = (process.pid, tag)
    if node.sink is not None and not child.hidden:
        node.sink("process_spawn", child, process.pid)
    if node.trace is not None:
        node.trace("spawn", process, child)
    return child


def _outside(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    _park(node, process, operation, None)
    node.outside.append(OutsideWork(process.token, operation[1]))
    node.outside_waiting[process.token] = process
    return PARKED


def _yield(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    """To the back of the queue, without waiting for anything."""
    process.resume = None
    process.wait = None
    process.status = WAITING
    delivery.wake(node, process, None)
    return PARKED


OPERATIONS: Final[dict[int, Callable[[Node, Process, tuple[Any, ...]], Any]]] = {
    OP_SLEEP: _sleep,
    OP_OUTSIDE: _outside,
    OP_YIELD: _yield,
}
