"""What all behaviours share: starting with acknowledgement, stopping through terminate, crash reports (``gen``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from types import CoroutineType, coroutine
from typing import Any

from ..model.exits import NORMAL, is_normal
from ..model.ids import Ref
from ..runtime import delivery, lifecycle, names, relations, timers
from ..runtime.context import Context
from ..runtime.crashes import exit_reason, tellable
from ..runtime.exceptions import StartError, Throw
from ..runtime.isolate import ATOMIC
from ..runtime.operations import OP_START, UP, ask
from ..runtime.process import HIBERNATED, Process, Running
from ..runtime.signals import CONTINUE, EXIT, INIT, SYSTEM, TIMEOUT, Caller, Entry
from . import via
from .returns import IGNORE, NO_STATE, After, Continue, Hibernate, Ignore, Ok, Stop, Then
from .status import state_to_report

Outcome = Coroutine[Any, Any, None] | None
SPECIAL = frozenset({CoroutineType, Ok, Ignore, Stop, *NO_STATE})
"""What init may return, or must not, besides a bare state."""
OFFERED = "$last_state"
"""In the process dictionary until init: the last state of the process that this one is to replace."""


@dataclass(frozen=True, slots=True)
class Engine:
    """How one behaviour plugs into gen: functions over the process record, no state."""

    kind: str
    """supervisor · server · statem"""
    dispatch: Callable[[Process, Entry], Running | None]
    init: Callable[[Process, Any], Any]
    """Calls the user's init; returns Ok, Ignore or Stop, maybe from a coroutine."""
    terminate: Callable[[Process, Any], Any]
    code_change: Callable[[Process, Any, Any, Any], Any]
    """(process, context of the new code, old version, extra) -> the new state; raises to refuse."""
    state_type: type = object
    """What a state that replaces the present one has to be."""


Starting = tuple[Any, Any, Any]
"""What the first step of a behaviour handles: its class, the argument of init, the name or None."""


def prepare(child: Process, starting: Starting) -> None:
    """Make a new process one that runs the behaviour."""
    behaviour, _, name = starting
    child.behaviour = behaviour
    child.context = behaviour(child)
    if name is None:
        return
    if type(name) is str:
        names.register(child.node, name, child)
    else:
        via.claim(name, child)


def start(
    ctx: Context, behaviour: Any, argument: Any, *, name: Any, relation: str, timeout_ms: int | None = None
) -> Awaitable[Any]:
    """Start a behaviour and wait for the end of its init: its pid, with the monitor for ``monitor``, or IGNORE.

    Raises StartError with the reason that init gave, ``("already_started", pid)``
    when the name is taken, ``"timeout"`` after ``timeout_ms``.
    """
    if relation == "monitor":
        return _start_watched(ctx._process, behaviour, argument, name, timeout_ms)
    return started(ctx._process, behaviour, argument, name, relation, timeout_ms, IGNORE)


@coroutine
def started(
    process: Process, behaviour: Any, argument: Any, name: Any, relation: str, timeout_ms: int | None,
    ignored: Any = None,
) -> Generator[Any, Any, Any]:  # fmt: skip
    """Like start; ``ignored`` is the result when init says IGNORE. One generator and no more, for speed."""
    result = yield request(process, behaviour, argument, name, relation, timeout_ms)
    return ignored if result is IGNORE else result


def request(
    process: Process, behaviour: Any, argument: Any, name: Any, relation: str, timeout_ms: int | None
) -> tuple[Any, ...]:
    """The operation that starts a behaviour, for a pid or IGNORE. Raises StartError when the name is taken."""
    if name is not None and (type(name) is not str or name in process.node.names):
        via.check_free(process.node, name)
    if type(argument) not in ATOMIC:
        argument = process.node.copy(argument)
    return (OP_START, behaviour.engine.dispatch, (behaviour, argument, name), timeout_ms, (relation, prepare))


async def _start_watched(process: Process, behaviour: Any, argument: Any, name: Any, timeout_ms: int | None) -> Any:
    node = process.node
    if name is not None:
        via.check_free(node, name)
    refs: list[Ref] = []

    def watched(child: Process, starting: Starting) -> None:
        refs.append(relations.monitor(node, process, child.pid))  # it is set before init runs
        child.parent = process.pid  # as in gen: who starts with a monitor is the parent, without a link
        prepare(child, starting)

    first = (behaviour, node.copy(argument), name)
    try:
        result = await ask((OP_START, behaviour.engine.dispatch, first, timeout_ms, ("monitor", watched)))
    except StartError:
        for ref in refs:  # none when there was no room for a process
            relations.demonitor(node, process, ref, flush=True)
        raise
    if isinstance(result, Ignore):
        relations.demonitor(node, process, refs[0], flush=True)
        return result
    return result, refs[0]


def control(process: Process, entry: Entry) -> Running | None:
    """The entries that every behaviour treats alike: start, sys requests, the parent's exit, continue, timeouts."""
    kind, payload, source = entry
    if kind == INIT:
        return begin(process, payload)
    if kind == SYSTEM:
        from . import sys  # sys needs the engines

        assert type(source) is Caller
        return sys.handle(process, payload, source)
    if kind == EXIT and delivery.is_parent(process, source):
        return stop(process, payload.reason)  # type: ignore[attr-defined]
    raise AssertionError(f"a {type(process.context).__name__} cannot handle an entry of kind {kind}")


def begin(process: Process, starting: Any) -> Running | None:
    """Run init and tell the starter."""
    operation: Running | None = try_begin(process, starting)
    if operation is not UP:
        return operation
    if not process.mailbox:
        process.mailbox = None
    lifecycle.acknowledge(process.node, process, process.pid)
    return None


def try_begin(process: Process, starting: Starting) -> Any:
    """Run init. UP when it returned a bare state, as most do; else the starter is told, now or by the coroutine."""
    try:
        result = process.behaviour.engine.init(process, starting[1])
    except BaseException as error:  # a failing init is a failed start, whatever it raised
        return init_raised(process, error)
    if type(result) in SPECIAL:
        return init_returned(process, result)
    process.state = result
    process.message = None  # what there is per idle process, the cyclic collector visits
    return UP


def init_raised(process: Process, error: BaseException) -> None:
    """What follows when init raised."""
    if isinstance(error, Throw):
        _init_thrown(process, error.value)
    else:
        _init_failed(process, exit_reason(error))


def init_returned(process: Process, result: Any) -> Running | None:
    """What follows when init returned something of SPECIAL."""
    if type(result) is CoroutineType:
        return _begin_async(process, result)
    _begun(process, result)
    return None


async def _begin_async(process: Process, coro: Any) -> None:
    try:
        result = await coro
    except Throw as thrown:
        _init_thrown(process, thrown.value)
        return
    except GeneratorExit:
        raise
    except BaseException as error:
        _init_failed(process, exit_reason(error))
        return
    _begun(process, result)


def initial(process: Process, argument: Any) -> Any:
    """Call init, or ``init_from`` where the state of a predecessor is on offer (``Child(..., keep_state=True)``)."""
    if process.dictionary is None or OFFERED not in process.dictionary:
        return process.context.init(argument)
    return process.context.init_from(argument, process.dictionary.pop(OFFERED))


def _begun(process: Process, result: Any) -> None:
    node = process.node
    kind = type(result)
    if kind is Stop:
        _init_failed(process, result.reason)
        return
    if kind is Ignore:
        lifecycle.decline(node, process, IGNORE)
        return
    if kind is Ok:
        if not is_then(result.then):
            _init_failed(process, ("bad_return_value", result))
            return
        process.state = result.state
    elif kind in NO_STATE:
        _init_failed(process, ("bad_return_value", result))
        return
    else:
        process.state = result
    if not process.mailbox:
        process.mailbox = None  # a queue that only held the order to start: most processes idle without one
    lifecycle.acknowledge(node, process, process.pid)
    if kind is Ok and result.then is not None:
        then(process, result.then)


def _init_thrown(process: Process, value: Any) -> None:
    """A thrown value is taken for init's return value, but never for a bare state."""
    if type(value) in (Ok, Ignore, Stop):
        _begun(process, value)
    else:
        _init_failed(process, ("bad_return_value", value))


def _init_failed(process: Process, reason: Any) -> None:
    reason = report(process, reason)
    if process.doom is None:  # the end by an exit signal is not told, it is heard of
        lifecycle.refuse(process.node, process, reason)
    lifecycle.exit_process(process.node, process, reason)


def is_then(what: Any) -> bool:
    """Whether a return value may have this as its ``then``."""
    if type(what) is After:
        return type(what.ms) is int and what.ms >= 0
    return what is None or type(what) is Continue or type(what) is Hibernate


def then(process: Process, what: Then) -> None:
    """Carry out the ``then`` of a return value."""
    if type(what) is Continue:
        box = process.mailbox
        entry = (CONTINUE, what.argument, None)
        if box is None:
            process.mailbox = delivery.new_box(entry)
        else:
            box.appendleft(entry)
    elif type(what) is After:
        _arm(process, what.ms)
    elif type(what) is Hibernate:
        process.timer = HIBERNATED


def _arm(process: Process, ms: int) -> None:
    """The behaviour's timeout: any message cancels it, and one that waits already beats a timeout of 0."""
    node = process.node
    token = process.timer = node.new_ref()
    if ms == 0:
        if not process.mailbox:
            process.mailbox = delivery.new_box((TIMEOUT, token, None))
    else:
        timers.arm_server(node, process, ms, token)


def stop(process: Process, reason: Any, caller: Caller | None = None, answer: Any = None) -> Running | None:
    """Run terminate, answer the caller if there is one, exit. If terminate raises, that becomes the reason."""
    if process.doom is not None:  # its own exit signal ended it: like any untrapped one, that runs no terminate
        lifecycle.exit_process(process.node, process, process.doom[0])
        return None
    engine: Engine = process.behaviour.engine
    try:
        result = engine.terminate(process, reason)
    except Throw:
        result = None
    except BaseException as error:  # the documented rule: the failure of terminate replaces the reason
        reason, result = exit_reason(error), None
    if type(result) is CoroutineType:
        return _stop_async(process, reason, result, caller, answer)
    if caller is None and type(reason) is str and reason == NORMAL:  # as _stopped would, for most stops
        lifecycle.exit_process(process.node, process, NORMAL)
    else:
        _stopped(process, reason, caller, answer)
    return None


async def _stop_async(process: Process, reason: Any, coro: Any, caller: Caller | None, answer: Any) -> None:
    try:
        await coro
    except GeneratorExit:
        raise
    except Throw:
        pass
    except BaseException as error:
        reason = exit_reason(error)
    _stopped(process, reason, caller, answer)


def _stopped(process: Process, reason: Any, caller: Caller | None, answer: Any) -> None:
    if process.doom is not None:  # terminate sent its own process an exit signal
        lifecycle.exit_process(process.node, process, process.doom[0])
        return
    if type(reason) is not str or reason != NORMAL:
        reason = report(process, reason)
    if caller is not None:
        delivery.reply(process.node, caller, answer)
    lifecycle.exit_process(process.node, process, reason)


def report(process: Process, reason: Any) -> Any:
    """A crash report, unless the exit is a normal one (``normal``, ``shutdown``, ``{shutdown, _}``).

    Returns the reason as all will be told it, see ``tellable``.
    """
    reason = tellable(process.node.copy, reason)
    if not is_normal(reason):
        process.node.emit("crash", process, (process.message, reason, state_to_report(process)))
    return reason
