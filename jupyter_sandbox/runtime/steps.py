"""The hot loop: one step is one process handling one signal or resuming once.

The order is decided by the state of the node alone, never by where a slice is
cut. The rule: who is called while idle, is started, or was answered goes next;
a process with more messages goes on; after ``MAX_HOPS`` such hand-overs the
queue gets its turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..model.exits import NOPROC
from . import delivery, lifecycle, timers, waiting
from .crashes import exit_reason
from .exceptions import CallExit, ForeignAwait
from .isolate import ATOMIC
from .operations import DONE, OP_START, OP_STOP, UP, WAIT_NAMES, Raise, Receive, Reply
from .process import DEAD, IDLE, READY, RECEIVING, SUSPENDED, WAITING, Process
from .signals import INIT, MISSING, Caller, Entry
from .waiting import PARKED

if TYPE_CHECKING:
    from .node import Node

MAX_HOPS: Final = 64
"""Hand-overs before the run queue gets its turn, so that two processes calling each other starve nobody."""
FOLD: Final = 4_096
"""Steps that the rolling hash takes in at once. It is part of what the hash is: changing it changes every hash."""


def choose(node: Node) -> Process | None:
    """The process whose turn it is, taken off the queue; fires due timers only once nothing else can run."""
    while True:
        while node.ready:
            index = 0 if node.policy is None else node.policy.choose(node.ready)
            process = node.ready[index]
            del node.ready[index]
            if process.status == READY:
                return process
        node.current = None
        if not timers.fire_due(node):
            return None


def take_steps(node: Node, left: int, first: Process | None = None) -> None:  # noqa: C901
    """Take up to ``left`` steps, the first by ``first`` if it is given.

    This is the hot loop, hence one long function over local variables. From
    round to round ``process`` is who goes next, None for whoever the queue
    says; ``entry`` is what it is to handle, None for what its mailbox says;
    ``caller`` waits for the answer to ``entry`` and is written down as waiting
    only if the answer does not come at once; ``tag`` is the number of that call.

    Three things are done on the spot while ``quick``, because nearly every step
    is one of them: a single message from the queue, a call of an idle process,
    a start. Each counts and orders its steps as the long way would; what it
    cannot finish it leaves with ``handled`` set: the entry was dispatched, its
    result is still to be looked at.
    """
    ready, trail, hops, trace = node.ready, node.trail, node.hops, node.trace
    quick = node.policy is None
    most = MAX_HOPS if quick else -1
    note, find = trail.append, node.processes.get
    entry: Entry | None = None
    caller: Process | None = None
    tag = 0
    handled = False
    operation: Any = None
    value: Any
    process: Any = first
    while True:  # not ``while left``: CPython 3.11 speeds a running function up at unconditional jumps back alone
        coro = value = None
        if handled:
            handled = False
        else:
            if left <= 0:
                break
            if process is None:
                if len(trail) >= FOLD:
                    fold(node)
                if quick and ready:
                    process = ready.popleft()
                    if process.status != READY:
                        process = None
                        continue
                    if (
                        process.coro is None
                        and process.doom is None
                        and not process.suspended
                        and len(process.mailbox) == 1
                    ):
                        # --- one message each for those who stand in the queue: a step is one turn of this loop ---
                        burst = left if left < FOLD else FOLD
                        left -= burst
                        while True:
                            burst -= 1
                            note(process.number)
                            process.steps += 1
                            node.current = process
                            entry = process.message = process.mailbox.popleft()
                            operation = process.dispatch(process, entry)
                            if operation is not None and type(operation) is Reply:
                                delivery.hand_over(node, entry[2], operation.value)  # type: ignore[arg-type]
                                operation = None
                            if (
                                operation is not None
                                or node.woken is not None
                                or process.mailbox
                                or process.status != READY
                                or process.doom is not None
                                or process.suspended
                            ):
                                handled = True
                                break
                            process.status = IDLE
                            process = entry = None
                            if not ready:
                                break
                            process = ready.popleft()
                            if process.status != READY:
                                process = None
                                break
                            if burst == 0 or process.coro is not None or process.doom is not None:
                                break
                            if process.suspended or len(process.mailbox) != 1:
                                break
                        left += burst
                        if handled or process is None or left <= 0:
                            continue
                else:
                    if not (ready or node.timer_heap or node.young):
                        break
                    process = choose(node)
                    if process is None:
                        break
            left -= 1
            note(process.number)
            process.steps += 1
            node.current = process
            coro = process.coro
            operation = None

            # --- begin: what is this step? ---
            if process.doom is not None:
                coro = None
                lifecycle.exit_process(node, process, process.doom[0])
            elif coro is None:
                if entry is None:
                    box = process.mailbox
                    assert box is not None
                    drain = (
                        node.drains.get(process.dispatch) if trace is None and len(box) > 1 and hops < most else None
                    )
                    if drain is not None and not process.suspended:
                        # A burst: the behaviour goes on by itself, one counted step per message, as this loop would.
                        taken = len(trail)
                        operation = drain(process, box, trail, min(left, most - hops))
                        taken = len(trail) - taken
                        hops += taken
                        left -= taken
                        entry = process.message
                    else:
                        entry = _next_entry(process) if process.suspended else box.popleft()
                        process.message = entry
                        operation = process.dispatch(process, entry)
                else:
                    process.message = entry
                    operation = process.dispatch(process, entry)
            elif type(process.wait) is Receive:
                value = waiting.scan(process, process.wait)
                if value is MISSING:
                    process.status = RECEIVING
                    coro = None
                else:
                    process.wait, process.token = None, 0
            else:
                value = process.resume
                process.resume = None

        # --- a message was handled: what does the result ask for? ---
        if entry is not None:
            if type(operation) is Reply:
                if (
                    caller is not None
                    and caller.token == tag
                    and caller.doom is None
                    and node.woken is None
                    and process.doom is None
                    and not process.mailbox
                ):
                    if trace is not None:
                        trace("reply", process, (caller.pid, operation.value))
                    process.status = IDLE
                    caller.token = 0
                    caller.status = READY
                    caller.resume = operation.value
                    process, caller, entry = caller, None, None
                    continue
                delivery.hand_over(node, entry[2], operation.value)  # type: ignore[arg-type]
                operation = None
            elif operation is not None:
                coro = process.coro
                if coro is None:
                    coro = process.coro = operation
                    operation = None
            if caller is not None:
                if caller.token == tag:
                    register(node, caller, process)
                caller = None
            entry = None

        # --- drive: resume the callback and do what it asks for, until it waits or ends ---
        following = None
        while coro is not None:
            if operation is None:
                try:
                    if type(value) is Raise:
                        operation = coro.throw(value.error)
                    else:
                        operation = coro.send(value)
                except StopIteration:
                    process.coro = None
                    break
                except BaseException as error:  # a process dies of any exception: that is what its supervisor is for
                    process.coro = None
                    lifecycle.exit_process(node, process, exit_reason(error))
                    break
            if type(operation) is not tuple:
                if operation is DONE:
                    process.coro = None
                    node.drivers.append(coro)
                    break
                if type(operation) is Reply:
                    process.coro = None
                    node.drivers.append(coro)
                    delivery.hand_over(node, process.message[2], operation.value)
                    break
                value = Raise(ForeignAwait(operation))
            elif operation[0] <= OP_STOP:
                kind, target, request, _, told = operation
                try:
                    callee = find(target)
                except TypeError:
                    callee = None
                if callee is None:
                    callee = delivery.lookup(node, target)
                if callee is None or callee is process:
                    reason = NOPROC if callee is None else "calling_self"
                    value = Raise(CallExit(reason, _shown(target), WAIT_NAMES[kind]))
                    operation = None
                    continue
                if type(request) not in ATOMIC and kind != OP_STOP:
                    try:
                        request = node.copy(request)
                    except TypeError as error:
                        value, operation = Raise(error), None
                        continue
                node.next_tag = tag = node.next_tag + 1
                node.messages_sent += 1
                process.token = tag
                process.wait = operation
                process.status = WAITING
                if trace is not None:
                    trace("message_send", process, ("call", target, request))
                entry = (told, request, Caller(process.pid, tag))
                if callee.status == IDLE and node.woken is None and hops < most:
                    hops += 1
                    callee.status = READY
                    if not quick or left < 2 or process.doom is not None:
                        caller, following = process, callee
                        break
                    # --- on the spot: the step of the callee, and that of the caller if it is answered at once ---
                    left -= 1
                    note(callee.number)
                    callee.steps += 1
                    node.current = callee
                    callee.message = entry
                    operation = callee.dispatch(callee, entry)
                    if (
                        type(operation) is Reply
                        and process.token == tag
                        and process.doom is None
                        and node.woken is None
                        and callee.doom is None
                        and not callee.mailbox
                    ):
                        callee.status = IDLE
                        value = operation.value
                        process.token = 0
                        if trace is not None:
                            trace("reply", callee, (process.pid, value))
                    elif (
                        kind == OP_STOP
                        and callee.status == DEAD
                        and process.token == tag
                        and process.doom is None
                        and node.woken is None
                    ):
                        value = callee.doom
                        process.token = 0
                    else:
                        handled, caller, process = True, process, callee
                        break
                    left -= 1
                    note(process.number)
                    process.steps += 1
                    node.current = process
                    process.status = READY
                    operation = entry = None
                    continue
                hops = 0
                register(node, process, callee)
                delivery.deliver(node, callee, entry)
                entry = None
                break
            elif operation[0] == OP_START:
                value = waiting.start(node, process, operation)
                if type(value) is not Process:
                    operation = None
                    continue
                entry = (INIT, operation[2], None)
                if node.woken is None and hops < most:
                    hops += 1
                    begin = node.begins.get(operation[1]) if quick else None
                    if begin is None or left < 2 or process.doom is not None:
                        following = value
                        break
                    # --- on the spot: the first step of the child, and that of its starter if it is up at once ---
                    left -= 1
                    note(value.number)
                    value.steps = 1
                    node.current = value
                    value.message = entry
                    operation = begin(value, operation[2])
                    if (
                        operation is UP
                        and process.token
                        and node.woken is None
                        and process.doom is None
                        and value.doom is None
                        and value.mailbox is None
                    ):
                        value.starter = None
                        value.status = IDLE
                        value = value.pid
                        process.token = 0
                        process.status = READY
                        left -= 1
                        note(process.number)
                        process.steps += 1
                        node.current = process
                        operation = entry = None
                        continue
                    if operation is UP:
                        lifecycle.acknowledge(node, value, value.pid)
                        operation = None
                    handled, process = True, value
                    break
                hops = 0
                value.mailbox = delivery.new_box(entry)
                ready.append(value)
                entry = None
                break
            else:
                value = waiting.OPERATIONS[operation[0]](node, process, operation)
                if value is PARKED:
                    break
            operation = None
        if handled:
            continue

        # --- settle: who goes next? ---
        woken = node.woken
        if process.status == READY:
            if process.coro is not None:
                pass  # it let the others go first and stands in the queue already
            elif process.doom is not None:
                ready.append(process)
            elif not process.mailbox:
                process.status = SUSPENDED if process.suspended else IDLE
            elif process.suspended and _signal(process) is None:
                process.status = SUSPENDED
            elif woken is None and hops < most:
                hops += 1
                following = process
            else:
                hops = 0
                ready.append(process)
        elif process.doom is not None and process.status != DEAD:
            process.status = READY
            ready.append(process)
        if woken is not None:
            node.woken = None
            following = woken
        process = following
    node.hops = hops
    if process is not None:
        _put_back(node, process, entry, caller)


def fold(node: Node) -> None:
    """Take whole lots of steps into the digest; where a slice was cut makes no difference."""
    trail = node.trail
    while len(trail) >= FOLD:
        node.digest = hash((node.digest, *trail[:FOLD]))
        node.folded += FOLD
        del trail[:FOLD]


def _put_back(node: Node, process: Process, entry: Entry | None, caller: Process | None) -> None:
    """The slice ends here: what the loop knew about the next step goes to where the next slice finds it."""
    if caller is not None:
        register(node, caller, process)
    if entry is not None:
        if process.mailbox is None:
            process.mailbox = delivery.new_box(entry)
        else:
            process.mailbox.append(entry)
    node.ready.appendleft(process)


def register(node: Node, caller: Process, callee: Process) -> None:
    """A call that is not answered at once: note who waits, and until when."""
    if callee.status == DEAD:
        assert callee.doom is not None
        delivery.call_failed(node, caller.pid, caller.token, callee.doom[0], callee.name or repr(callee.pid))
        return
    if callee.callers is None:
        callee.callers = {caller.token: caller.pid}
    else:
        callee.callers[caller.token] = caller.pid
    caller.since = node.now_ms
    timeout_ms = caller.wait[3]
    if timeout_ms is not None:
        timers.arm_call(node, caller, timeout_ms, caller.token)


def _signal(process: Process) -> int | None:
    """Where in the mailbox of a suspended process the first entry is that it handles all the same."""
    for index, entry in enumerate(process.mailbox or ()):
        if delivery.is_signal(process, entry):
            return index
    return None


def _next_entry(process: Process) -> Entry:
    index, box = _signal(process), process.mailbox
    assert index is not None and box is not None
    entry = box[index]
    del box[index]
    return entry


def _shown(target: Any) -> str:
    return target if type(target) is str else repr(target)
