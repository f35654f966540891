"""Takes steps: one step is one process handling one signal or resuming once.

The order is decided by the state of the node alone, never by where a slice is
cut: a process that was woken by a reply, or called while idle, is *next* and
goes before the run queue, for a bounded number of hand-overs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ..model.exits import NOPROC
from ..model.ids import Pid
from . import delivery, lifecycle, storytelling, timers
from .crashes import exit_reason
from .exceptions import CallExit, ForeignAwait, StartError, SystemLimit
from .inputs import OutsideWork, RunResult
from .isolate import ATOMIC
from .operations import OP_CALL, OP_OUTSIDE, OP_RECEIVE, OP_SLEEP, OP_START, OP_YIELD, Raise, Receive
from .process import DEAD, IDLE, READY, RECEIVING, SUSPENDED, WAITING, Process
from .signals import CALL, CAST, MISSING, Caller, Entry, Notify, Request

if TYPE_CHECKING:
    from ..model.views import StepView
    from .node import Node

MAX_HOPS: Final = 64
"""Hand-overs in a row before the run queue gets its turn, so that two processes calling each other starve nobody."""

_PARKED: Final = object()


def run(node: Node, max_steps: int) -> RunResult:
    """Take up to ``max_steps`` steps at the node's present time."""
    before = node.step_number
    node.limit = limit = before + max_steps
    while node.step_number < limit:
        process = _choose(node)
        if process is None:
            return RunResult(node.step_number - before, timers.next_deadline(node), True)
        take_step(node, process)
    idle = node.next is None and not node.ready
    return RunResult(node.step_number - before, timers.next_deadline(node), idle)


def told_step(node: Node) -> StepView | None:
    """Take one step with everything it does written down."""
    node.limit = node.step_number + 1
    process = _choose(node)
    return None if process is None else storytelling.tell(node, process, take_step)


def _choose(node: Node) -> Process | None:
    """The process whose turn it is; fires due timers only once nothing else can run."""
    process = node.next
    if process is not None:
        node.next = None
        if process.status == READY:
            return process
    while True:
        while node.ready:
            process = _from_queue(node)
            if process.status == READY:
                return process
        if not timers.fire_due(node):
            return None


def _from_queue(node: Node) -> Process:
    node.hops = 0
    if node.policy is None:
        return node.ready.popleft()
    index = node.policy.choose(node.ready)
    process = node.ready[index]
    del node.ready[index]
    return process


def take_step(node: Node, process: Process) -> None:
    """One step of a ready process; a call to an idle process goes on with that process's step (see ``_drive``)."""
    node.step_number += 1
    node.hash = hash((node.hash, process.number, node.signals))
    process.steps += 1
    node.current = last = process
    if process.doom is not None:
        lifecycle.exit_process(node, process, process.doom[0])
    elif process.coro is None:
        if process.suspended:
            entry = _pick_signal(process)
        else:
            entry = process.mailbox.popleft()  # type: ignore[union-attr]
        process.message = entry
        process.coro = process.dispatch(process, entry)
        if process.coro is not None:
            last = _drive(node, process, None)
    elif type(process.wait) is Receive:
        value = _scan(process, process.wait)
        if value is MISSING:
            process.status = RECEIVING
        else:
            process.wait, process.token = None, 0
            last = _drive(node, process, value)
    else:
        value, process.resume = process.resume, None
        last = _drive(node, process, value)
    node.current = None
    _settle(node, last)


def _settle(node: Node, process: Process) -> None:
    """Decide who goes next: whom this step woke, else the same process if it has more to do, else the queue."""
    woken = node.woken
    if process.status == READY:
        if process.coro is None and process.doom is None and not _has_work(process):
            process.status = SUSPENDED if process.suspended else IDLE
        elif woken is None and node.next is None and node.hops < MAX_HOPS and node.policy is None:
            node.hops += 1
            node.next = process
        else:
            node.ready.append(process)
    elif process.doom is not None and process.status != DEAD:
        process.status = READY
        node.ready.append(process)
    if woken is not None:
        node.woken = None
        if node.next is None and node.hops < MAX_HOPS:
            node.hops += 1
            node.next = woken
        else:
            node.ready.append(woken)


def _has_work(process: Process) -> bool:
    if not process.mailbox:
        return False
    return not process.suspended or any(delivery.is_signal(process, entry) for entry in process.mailbox)


def _pick_signal(process: Process) -> Entry:
    box = process.mailbox
    assert box is not None
    for index, entry in enumerate(box):
        if delivery.is_signal(process, entry):
            del box[index]
            return entry
    raise AssertionError("a suspended process was ready without a signal")


def _drive(node: Node, process: Process, value: Any) -> Process:
    """Resume a callback and perform what it awaits until it is parked or done; returns who took the last step.

    A call to an idle process is followed at once: the callee's step, and the
    caller's next one if the callee has answered, are taken right here. They
    are the steps that the run queue would have taken next, without the queue.
    """
    while True:
        try:
            if type(value) is Raise:
                operation = process.coro.throw(value.error)  # type: ignore[union-attr]
            else:
                operation = process.coro.send(value)  # type: ignore[union-attr]
        except StopIteration:
            process.coro = None
            return process
        except BaseException as error:  # a process dies of any exception: that is what its supervisor is for
            process.coro = None
            lifecycle.exit_process(node, process, exit_reason(error))
            return process
        if type(operation) is not tuple:
            value = Raise(ForeignAwait(operation))
            continue
        if operation[0] != OP_CALL:
            value = _OPERATIONS[operation[0]](node, process, operation)
            if value is _PARKED:
                return process
            continue
        _, target, request, timeout_ms, kind = operation
        callee = node.processes.get(target) if type(target) is Pid else delivery.lookup(node, target)
        if callee is None or callee is process:
            value = Raise(CallExit(NOPROC if callee is None else "calling_self", _shown(target)))
            continue
        if type(request) not in ATOMIC:
            try:
                request = node.copy(request)
            except TypeError as error:
                value = Raise(error)
                continue
        node.next_tag = tag = node.next_tag + 1
        process.token = tag
        process.wait = operation
        process.status = WAITING
        node.messages_sent += 1
        node.timer_seq = seq = node.timer_seq + 1
        entry = (kind, request, Caller(process.pid, tag))
        if (
            callee.status != IDLE
            or kind != CALL
            or node.hops + 2 > MAX_HOPS
            or node.step_number + 2 > node.limit
            or node.next is not None
            or node.woken is not None
            or node.policy is not None
            or process.doom is not None
        ):
            _register(node, process, callee, tag, seq, timeout_ms)
            _enqueue(node, callee, entry, kind)
            return process
        caller = process
        node.hops += 2
        node.signals += 1
        node.step_number += 1
        node.hash = hash((node.hash, callee.number, node.signals))
        callee.steps += 1
        callee.status = READY
        callee.message = entry
        node.current = callee
        callee.coro = callee.dispatch(callee, entry)
        if callee.coro is not None:
            node.hops -= 1
            _register(node, caller, callee, tag, seq, timeout_ms)
            process, value = callee, None
            continue
        if node.woken is not caller or callee.status != READY or callee.mailbox or callee.doom is not None:
            node.hops -= 1
            if caller.token == tag:
                _register(node, caller, callee, tag, seq, timeout_ms)
            return callee
        node.woken = None
        callee.status = IDLE
        node.step_number += 1
        node.hash = hash((node.hash, caller.number, node.signals))
        caller.steps += 1
        node.current = caller
        value, caller.resume = caller.resume, None


def _register(node: Node, caller: Process, callee: Process, tag: int, seq: int, timeout_ms: int | None) -> None:
    """A call that is not answered yet: note who waits, and until when."""
    if callee.status == DEAD:
        assert callee.doom is not None
        delivery.call_failed(node, caller.pid, tag, callee.doom[0], callee.name or repr(callee.pid))
        return
    if callee.callers is None:
        callee.callers = {tag: caller.pid}
    else:
        callee.callers[tag] = caller.pid
    if timeout_ms is not None:
        timers.arm_call(node, caller, timeout_ms, seq)
    if node.trace is not None:
        assert type(caller.wait) is tuple
        node.trace("message_send", caller, ("call", caller.wait[1], caller.wait[2]))


def _enqueue(node: Node, callee: Process, entry: Entry, kind: int) -> None:
    """A call by way of the mailbox: an idle callee is next while hand-overs are left."""
    next_up = callee.status == IDLE and kind == CALL and node.next is None and node.policy is None
    if not next_up or node.hops >= MAX_HOPS:
        delivery.deliver(node, callee, entry)
        return
    node.signals += 1
    if callee.mailbox is None:
        callee.mailbox = delivery.new_box(entry)
    else:
        callee.mailbox.append(entry)
    callee.status = READY
    node.hops += 1
    node.next = callee


def _shown(target: Any) -> str:
    return target if type(target) is str else repr(target)


def _receive(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    _, match, timeout_ms, default = operation
    wait = Receive(match, default)
    process.scanned = 0
    value = _scan(process, wait)
    if value is not MISSING:
        return value
    if timeout_ms == 0:
        process.wait = wait
        value = delivery.timed_out(process)
        process.wait = None
        return value
    _park(node, process, wait, timeout_ms)
    process.status = RECEIVING
    return _PARKED


def _scan(process: Process, wait: Receive) -> Any:
    """Take the first message that matches; each message is looked at once per receive."""
    box = process.mailbox
    if not box:
        return MISSING
    match = wait.match
    for index in range(process.scanned, len(box)):
        message = _visible(box[index])
        if match is None or match(message):
            del box[index]
            process.scanned = 0
            return message
    process.scanned = len(box)
    return MISSING


def _visible(entry: Entry) -> Any:
    """A mailbox entry as a plain process sees it."""
    kind, payload, source = entry
    if kind == CALL:
        assert type(source) is Caller
        return Request(source, payload)
    return Notify(payload) if kind == CAST else payload


def _park(node: Node, process: Process, wait: Any, timeout_ms: int | None) -> None:
    node.next_tag = process.token = node.next_tag + 1
    process.wait = wait
    process.status = WAITING
    if timeout_ms is not None:
        timers.arm_wait(node, process, timeout_ms)


def _sleep(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    _park(node, process, operation, operation[1])
    return _PARKED


def _start(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    """Create a process and wait for its start acknowledgement; it is next."""
    _, dispatch, first, relation, timeout_ms, prepare = operation
    try:
        child = lifecycle.spawn(node, dispatch, first, parent=process)
    except SystemLimit as error:
        return Raise(StartError(exit_reason(error)))
    prepare(child)
    child.ancestors = (process.name or process.pid, *process.ancestors)
    if relation == "link":
        child.parent = process.pid
        lifecycle.join(process, child)
    _park(node, process, (OP_START, child.pid), timeout_ms)
    child.starter = (process.pid, process.token)
    if not child.hidden:
        node.emit("process_spawn", child, process.pid)
    if node.trace is not None:
        node.trace("spawn", process, child)
    if node.next is None and node.policy is None and node.hops < MAX_HOPS:
        node.hops += 1
        node.next = child
    else:
        node.ready.append(child)
    return _PARKED


def _outside(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    _park(node, process, operation, None)
    node.outside.append(OutsideWork(process.token, operation[1]))
    node.outside_waiting[process.token] = process
    return _PARKED


def _yield(node: Node, process: Process, operation: tuple[Any, ...]) -> Any:
    process.resume = None
    process.wait = None
    node.ready.append(process)
    return _PARKED


_OPERATIONS: Final[dict[int, Callable[[Node, Process, tuple[Any, ...]], Any]]] = {
    OP_RECEIVE: _receive,
    OP_SLEEP: _sleep,
    OP_START: _start,
    OP_OUTSIDE: _outside,
    OP_YIELD: _yield,
}
