"""The hot loop: one step is one process handling one signal or resuming once.

The order is decided by the state of the node alone, never by where a slice is
cut. The rule: who is called while idle, is started, or was answered goes next;
a process with more messages goes on; after ``MAX_HOPS`` such hand-overs the
queue gets its turn.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from ..model.exits import NOPROC
from . import delivery, lifecycle, timers, waiting
from .crashes import exit_reason
from .exceptions import CallExit, ForeignAwait
from .isolate import ATOMIC
from .operations import OP_RECEIVE, OP_REPLY, OP_ROW, OP_START, OP_STOP, UP, WAIT_NAMES, Raise, Receive, Reply
from .process import DEAD, FRESH, IDLE, READY, RECEIVING, SUSPENDED, WAITING, Process
from .signals import CAST, INIT, MISSING, SYSTEM, Caller, Entry
from .trail import FOLD, fold
from .waiting import MAX_TAKEN, PARKED

if TYPE_CHECKING:
    from .node import Node

MAX_HOPS: Final = 64
"""Hand-overs before the run queue gets its turn, so that two processes calling each other starve nobody."""


def choose(node: Node) -> Process | None:
    """The process whose turn it is, taken off the queue; fires due timers only once nothing else can run."""
    while True:
        while node.ready:
            index = 0 if node.policy is None else node.policy.choose(node.ready)
            process = node.ready[index]
            del node.ready[index]
            if process.status <= READY:
                return process
        node.current = None
        if not timers.fire_due(node):
            return None


def take_steps(  # noqa: C901
    node: Node, left: int, first: Process | None = None, entry: Entry | None = None, operation: Any = None
) -> None:
    """Take up to ``left`` steps, the first by ``first`` if it is given.

    With an ``entry``, ``first`` has handled that already, with ``operation`` as
    its result: that step is counted, and what the result asks for comes first.

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
    ready, trail, trace = node.ready, node.trail, node.trace
    answered = None if trace is node.sends else trace
    before, after = node.watch
    quick = node.policy is None
    most = MAX_HOPS if quick else 0
    spare = node.spare if quick else 0
    find = node.processes.get
    caller: Process | None = None
    tag = 0
    handled, raising = entry is not None, False
    step = taken = 0
    value: Any
    result: Any
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
                    if process.status == FRESH and len(process.mailbox) == 1 and before is None is after:
                        # --- one message each for those who stand in the queue: a step is one turn of this loop ---
                        taken = len(trail)
                        for _ in repeat(None, left if left < FOLD else FOLD):
                            trail.append(process.number)
                            process.steps += 1
                            node.current = process
                            entry = process.message = process.mailbox.popleft()
                            operation = process.dispatch(process, entry)
                            if operation is not None:
                                if type(operation) is not Reply:
                                    handled = True
                                    break
                                delivery.hand_over(node, entry[2], operation.value)  # type: ignore[arg-type]
                                operation = None
                            if process.status or process.mailbox or node.woken is not None:  # FRESH is 0
                                handled = True
                                break
                            process.status = IDLE
                            if not ready:
                                process = entry = None
                                break
                            process = ready.popleft()
                            if process.status or len(process.mailbox) != 1:
                                entry = None
                                break
                        else:
                            entry = None
                        left -= len(trail) - taken
                        if handled or process is None:
                            continue
                    if process.status > READY:
                        process = None
                        continue
                    if left <= 0:
                        continue
                else:
                    if not (ready or node.timer_heap or node.young):
                        break
                    process = choose(node)
                    if process is None:
                        break
            left -= 1
            trail.append(process.number)
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
                    drain = node.drains.get(process.dispatch) if trace is None and len(box) > 1 and spare else None
                    if drain is not None and not process.suspended:
                        # A burst: the behaviour goes on by itself, one counted step per message, as this loop would.
                        taken = len(trail)
                        operation = drain(process, box, trail, min(left, spare))
                        taken = len(trail) - taken
                        spare -= taken
                        left -= taken
                        entry = process.message
                    else:
                        entry = process.message = _next_entry(process) if process.suspended else box.popleft()
                        if before is not None:
                            before(process, entry)
                        operation = process.dispatch(process, entry)
                else:
                    process.message = entry
                    if before is not None:
                        before(process, entry)
                    operation = process.dispatch(process, entry)
            elif type(process.wait) is Receive:
                value = waiting.scan(process, process.wait)
                if value is MISSING:
                    process.status = RECEIVING
                    coro = None
                else:
                    process.wait, process.token = None, 0
                    raising = type(value) is Raise
            else:
                value = process.resume
                process.resume = None
                raising = type(value) is Raise

        # --- a message was handled: what does the result ask for? ---
        if entry is not None:
            if type(operation) is Reply:
                if (
                    caller is not None
                    and caller.status == WAITING
                    and process.status == FRESH
                    and not process.mailbox
                    and node.woken is None
                ):
                    if answered is not None:
                        answered("reply", process, (caller.pid, operation.value))
                    if after is not None:
                        after(process)
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
                if process.status == FRESH:
                    process.status = READY
            if caller is not None:
                if caller.token == tag:
                    register(node, caller, process)
                caller = None
            entry = None

        # --- drive: resume the callback and do what it asks for, until it waits or ends ---
        following = None
        step = -1
        while coro is not None:
            if operation is None:
                try:
                    if raising:
                        raising = False
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
            try:
                kind, target, request, _, told = operation
            except Exception:  # what somebody else's awaitable yields may do anything when it is taken apart
                value, raising, operation = Raise(ForeignAwait(operation)), True, None
                continue
            if kind <= OP_STOP:
                try:
                    callee = find(target)
                except TypeError:
                    callee = None
                if callee is None:
                    callee = delivery.lookup(node, target)
                    if callee is None:
                        value, raising = Raise(CallExit(NOPROC, delivery.shown(target), WAIT_NAMES[kind])), True
                        operation = None
                        continue
                if type(request) not in ATOMIC and kind != OP_STOP:
                    try:
                        request = node.copy(request)
                    except BaseException as error:  # of the request's own code: for who asks
                        value, raising, operation = Raise(error), True, None
                        continue
                node.next_tag = tag = node.next_tag + 1
                process.token = tag
                process.wait = operation
                process.status = WAITING
                if trace is not None and callee is not process:
                    trace("message_send", process, ("call", target, request))
                entry = (told, request, Caller(process.pid, tag))
                if callee.status == IDLE and node.woken is None and spare:
                    spare -= 1
                    callee.status = FRESH
                    if left < 2 or process.doom is not None:
                        caller, following = process, callee
                        break
                    # --- on the spot: the step of the callee, and that of the caller if it is answered at once ---
                    if after is not None:
                        after(process)
                    left -= 2
                    trail.append(callee.number)
                    callee.steps += 1
                    node.current = callee
                    callee.message = entry
                    if before is not None:
                        before(callee, entry)
                    result = callee.dispatch(callee, entry)
                    if (
                        type(result) is Reply
                        and process.status == WAITING
                        and not (callee.status or callee.mailbox)  # FRESH is 0
                        and node.woken is None
                    ):
                        callee.status = IDLE
                        value = result.value
                        process.token = 0
                        if answered is not None:
                            answered("reply", callee, (process.pid, value))
                        if after is not None:
                            after(callee)
                    elif kind == OP_STOP and callee.status == DEAD and process.status == WAITING and node.woken is None:
                        value = callee.doom
                        process.token = 0
                        if after is not None:
                            after(callee)
                    else:
                        left += 1
                        operation = result
                        handled, caller, process = True, process, callee
                        break
                    trail.append(process.number)
                    process.steps += 1
                    node.current = process
                    process.status = READY
                    operation = entry = None
                    continue
                if callee is process:
                    process.status, process.token = READY, 0
                    node.other_tags += 1
                    value, raising = Raise(CallExit("calling_self", delivery.shown(target), WAIT_NAMES[kind])), True
                    operation = entry = None
                    continue
                spare = most
                register(node, process, callee)
                delivery.deliver(node, callee, entry)
                entry = None
                break
            if kind == OP_START:
                value = waiting.start(node, process, operation)
                if type(value) is not Process:
                    raising, operation = True, None
                    continue
                entry = (INIT, request, None)
                if node.woken is None and spare:
                    spare -= 1
                    begin = node.begins.get(target) if quick else None
                    if begin is None or left < 2 or process.doom is not None:
                        following = value
                        break
                    # --- on the spot: the first step of the child, and that of its starter if it is up at once ---
                    if after is not None:
                        after(process)
                    left -= 2
                    trail.append(value.number)
                    value.steps = 1
                    node.current = value
                    value.message = entry
                    operation = begin(value, request)
                    if (
                        operation is UP
                        and process.status == WAITING
                        and not value.status  # FRESH is 0
                        and value.mailbox is None
                        and node.woken is None
                    ):
                        value.starter = None
                        value.status = IDLE
                        if after is not None:
                            after(value)
                        value = value.pid
                        process.token = 0
                        process.status = READY
                        trail.append(process.number)
                        process.steps += 1
                        node.current = process
                        operation = entry = None
                        continue
                    if operation is UP:
                        lifecycle.acknowledge(node, value, value.pid)
                        operation = None
                    left += 1
                    handled, process = True, value
                    break
                spare = most
                value.mailbox = delivery.new_box(entry)
                ready.append(value)
                entry = None
                break
            if kind == OP_RECEIVE:
                if len(trail) != step:
                    step, taken = len(trail), 0
                if target is None and process.mailbox:  # any message will do, and there is one
                    kind, value, told = process.mailbox.popleft()
                    if kind and (kind <= CAST or kind == SYSTEM):
                        value = waiting.visible((kind, value, told))
                else:
                    value = waiting.receive(node, process, operation)
                    if value is PARKED:
                        break
                    raising = type(value) is Raise
                taken += 1
                if taken > MAX_TAKEN:
                    raising = False
                    waiting.let_others_go(node, process, value)
                    break
            elif kind == OP_ROW:
                value = UP
                if quick and trace is None and node.woken is None and process.doom is None:
                    begun, child, operation = target.start(process, min(left // 2, spare))
                    left -= 2 * begun
                    spare -= begun
                    if child is not None:
                        if operation is UP:
                            lifecycle.acknowledge(node, child, child.pid)
                            operation = None
                        left -= 1
                        spare -= 1
                        entry = child.message
                        handled, process = True, child
                        break
            elif kind >= OP_REPLY:
                process.coro = None
                node.drivers.append(coro)
                if kind == OP_REPLY:
                    delivery.hand_over(node, process.message[2], target.value)
                break
            else:
                value = waiting.OPERATIONS[kind](node, process, operation)
                if value is PARKED:
                    break
                raising = type(value) is Raise
            operation = None
        if handled:
            continue

        # --- settle: who goes next? ---
        if after is not None:
            after(process)
        woken = node.woken
        if process.status <= READY:
            if process.coro is not None:
                pass  # it let the others go first and stands in the queue already
            elif process.doom is not None:
                ready.append(process)
            elif not process.mailbox:
                process.status = SUSPENDED if process.suspended else IDLE
            elif process.suspended and _signal(process) is None:
                process.status = SUSPENDED
            elif woken is None and spare:
                spare -= 1
                following = process
            else:
                spare = most
                ready.append(process)
        elif process.doom is not None and process.status != DEAD:
            process.status = READY
            ready.append(process)
        if woken is not None:
            node.woken = None
            following = woken
        process = following
    node.spare = spare
    if process is not None:
        _put_back(node, process, entry, caller)


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
