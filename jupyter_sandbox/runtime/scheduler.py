"""Runs a node: takes steps until there is no more to do, and contains what a behaviour itself raises.

Which step is next and what it does is in ``steps``; nothing here decides that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import delivery, entrance, lifecycle, storytelling, timers
from .crashes import exit_reason
from .inputs import Reply as Answer
from .inputs import RunResult
from .operations import OP_STOP, Reply
from .process import DEAD, FRESH, IDLE, WAITING, Process
from .steps import MAX_HOPS, choose, register, take_steps
from .trail import FOLD, fold

if TYPE_CHECKING:
    from ..model.views import StepView
    from .inputs import Ask
    from .node import Node

FOREVER: Final = 1_000_000_000_000
"""More steps than anybody takes."""


def run(node: Node, max_steps: int) -> RunResult:
    """Take up to ``max_steps`` steps at the node's present time."""
    trail = node.trail
    before = node.folded + len(trail)
    try:
        take_steps(node, max_steps)
    except BaseException as error:  # from outside any callback, as of a message's own code: one process ends, no node
        _go_on(node, error, before + max_steps)
    finally:
        node.current = None
    due = timers.next_deadline(node) if node.timer_heap or node.young else None
    return RunResult(node.folded + len(trail) - before, due, not node.ready)


def ask(node: Node, what: Ask) -> Answer | None:
    """Let a call from outside in and take the steps that follow; the answer, unless it comes later.

    Who is idle while nobody stands in the queue answers on the spot, in the very
    step that would be taken by way of the queue.
    """
    if len(node.trail) >= FOLD:
        fold(node)
    callee, entry, tag = entrance.asked(node, what)
    if callee is None or callee.status != IDLE or node.ready or node.policy is not None or node.trace is not None:
        if callee is not None:
            delivery.deliver(node, callee, entry)
        run(node, FOREVER)
        return _answer_to(node, what.id)
    callee.status = FRESH
    node.trail.append(callee.number)
    callee.steps += 1
    node.current = callee
    callee.message = entry
    answer: Answer | None = None
    try:
        operation: Any = callee.dispatch(callee, entry)
        if type(operation) is Reply and callee.status == FRESH and not callee.mailbox and node.woken is None:
            callee.status = IDLE
            assert callee.callers is not None
            del callee.callers[tag], node.asked[tag]
            answer = Answer(what.id, True, operation.value)
            if node.ready or node.timer_heap or node.young:
                take_steps(node, FOREVER)
        else:
            take_steps(node, FOREVER, callee, entry, operation)
    except BaseException as error:  # as in run
        _go_on(node, error, FOREVER)
    finally:
        node.current = None
    return answer or _answer_to(node, what.id)


def _answer_to(node: Node, number: int) -> Answer | None:
    for index, answer in enumerate(node.answers):
        if answer.id == number:
            return node.answers.pop(index)
    return None


def _go_on(node: Node, error: BaseException, until: int) -> None:
    """Contain an error, and take the steps that are left."""
    while True:
        _contain(node, error)
        try:
            take_steps(node, until - node.step_number)
        except BaseException as another:
            error = another
        else:
            return


def told_step(node: Node) -> StepView | None:
    """Take one step with everything it does written down."""
    process = choose(node)
    return None if process is None else storytelling.tell(node, process, _take_one)


def _take_one(node: Node, process: Process) -> None:
    try:
        take_steps(node, 1, process)
    except BaseException as error:
        _contain(node, error)
    finally:
        node.current = None


def _contain(node: Node, error: BaseException) -> None:
    """The process at work ends with what escaped from it; everybody else goes on as after any exit.

    What the loop knew is lost, so who was handed over to it is found again. The
    same at every slicing: hand-overs are counted anew. Raises what no process did.
    """
    process = node.current
    if process is None:
        raise error
    node.spare = MAX_HOPS
    for caller in _handed_over(node):
        register(node, caller, process)
    reason = exit_reason(error)
    if process.status == DEAD:
        node.emit("log", process, ("error", f"after its end: {reason!r}"))
    else:
        try:
            node.emit("crash", process, ("main", reason))
        finally:
            lifecycle.exit_process(node, process, reason)
    woken, node.woken = node.woken, None
    if woken is not None:
        node.ready.appendleft(woken)


def _handed_over(node: Node) -> list[Process]:
    """Who waits for an answer that nobody is noted to owe: the loop kept in mind that who was at work does."""
    calling = [one for one in node.processes.values() if one.status == WAITING and one.token and _calls(one.wait)]
    owed = {tag for one in node.processes.values() for tag in one.callers or ()} if calling else ()
    return [one for one in calling if one.token not in owed]


def _calls(wait: Any) -> bool:
    return type(wait) is tuple and wait[0] <= OP_STOP
