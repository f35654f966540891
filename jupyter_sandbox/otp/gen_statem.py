"""GenStatem: a state machine whose events wait, time out, are postponed and inserted. Rules: Erlang's ``gen_statem``.

This file acts; what a return value means is decided in ``statem_plan``. Events
that the machine queues itself stand at the front of its mailbox.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CoroutineType
from typing import Any, ClassVar

from msgspec import UNSET, Struct

from ..model.exits import Crash
from ..model.text import short_text
from ..runtime import delivery, timers
from ..runtime.crashes import exit_reason
from ..runtime.exceptions import Throw
from ..runtime.process import HIBERNATED, Process, Running
from ..runtime.signals import CALL, CAST, CONTINUE, EXIT, INIT, SYSTEM, Entry, Timeout
from . import gen, statem_plan
from .process import MissingCallback, OtpProcess
from .returns import Continue, Error, Ignore, Ok, Stop
from .statem import UPDATE, Call, Cast, Enter, Event, Info, NextState, timer_event
from .statem_plan import BadReturn, Plan

_RECORD = "$statem"


class GenStatem(OtpProcess):
    """Subclass it and define ``init`` and one method per state, or ``handle_event`` for all of them.

    >>> from jupyter_sandbox.otp import Answer, Call, Keep, NextState, Node
    >>> class Switch(GenStatem):
    ...     def init(self, argument):
    ...         return NextState("off", 0)
    ...     def off(self, event, count):
    ...         match event:
    ...             case Call(content="flip", caller=caller):
    ...                 return NextState("on", count + 1, [Answer(caller, "on")])
    ...     def on(self, event, count):
    ...         match event:
    ...             case Call(content="flip", caller=caller):
    ...                 return NextState("off", count, [Answer(caller, f"off after {count}")])
    >>> async def main(self):
    ...     switch = await self.start(Switch)
    ...     return [await self.call(switch, "flip") for _ in range(4)]
    >>> Node().run_function(main)
    ['on', 'off after 1', 'on', 'off after 2']
    """

    mode: ClassVar[str] = "state_functions"
    """``state_functions``: the method named like the state; ``handle_event_function``: ``handle_event``."""
    state_enter: ClassVar[bool] = False
    """Whether each state gets an ``Enter`` event first."""
    restart = "permanent"
    shutdown_ms: int | str | None = 5_000

    def init(self, argument: Any) -> Any:
        """The first state: ``NextState(state, data, actions)``, ``IGNORE`` or ``Stop(reason)``."""
        raise MissingCallback(self, "init", argument)

    def handle_event(self, event: Event, state: Any, data: Any) -> Any:
        """Take an event: ``NextState``, ``KeepState``, ``Keep``, ``RepeatState`` or ``Stop(reason, data, reply)``."""
        raise MissingCallback(self, "handle_event", event)

    def terminate(self, reason: Any, state: Any, data: Any) -> Any:
        """Clean up; called on every stop or crash, and when the parent says so if exits are trapped, never on kill."""

    def code_change(self, old_version: Any, state: Any, data: Any, extra: Any) -> Any:
        """State and data as the new code wants them."""
        return state, data

    @staticmethod
    def state_text(state: Any) -> str:
        """The state and its data in a few words."""
        return f"{short_text(state[0])}, {short_text(state[1])}" if type(state) is tuple else ""


class _Record(Struct):
    """What a machine remembers besides state and data: postponed events, latest last, and timers by their key."""

    postponed: list[Event]
    timers: dict[Any, tuple[Any, Any]]


class _Ended(Struct, frozen=True):
    """The message of a machine's own timer."""

    key: Any


class _Begin(Struct, frozen=True):
    """The first thing that a machine does: init's actions and the enter call."""

    actions: Any


def _record(process: Process) -> _Record:
    found = process.context.dictionary[_RECORD]
    assert isinstance(found, _Record)
    return found


def dispatch(process: Process, entry: Entry) -> Running | None:
    """Handle one mailbox entry."""
    kind, payload, source = entry
    if process.timer is not None and kind != SYSTEM:
        process.timer = None
    if kind in (INIT, SYSTEM) or (kind == EXIT and source == process.parent):
        return gen.control(process, entry)
    if kind == CALL:
        return _handle(process, Call(payload, source))  # type: ignore[arg-type]
    if kind == CAST:
        return _handle(process, Cast(payload))
    if type(payload) is _Begin:
        return _begin(process, payload.actions)
    if type(payload) is Timeout and type(payload.message) is _Ended:
        return _timed_out(process, payload)
    return _handle(process, payload if kind == CONTINUE else Info(payload))  # type: ignore[arg-type]


def _timed_out(process: Process, message: Timeout) -> Running | None:
    key = message.message.key  # type: ignore[attr-defined]
    known = _record(process).timers
    if key not in known or known[key][0] != message.ref:
        return None
    return _handle(process, timer_event(key, known.pop(key)[1]))


# --- callbacks --------------------------------------------------------------------------------------------------------


def _handle(process: Process, event: Event) -> Running | None:
    def then(result: Any) -> Running | None:
        if type(result) is Stop:
            return _stop(process, result, event)
        state, data = process.state
        return _go(process, event, statem_plan.handled(state, data, result))

    return _callback(process, event, then)


def _begin(process: Process, actions: Any) -> Running | None:
    try:
        state, data = process.state
        return _go(process, None, statem_plan.begun(state, data, actions))
    except BadReturn as bad:
        return _bad(process, bad)


def _go(process: Process, event: Event | None, plan: Plan) -> Running | None:
    """Take a transition: first its answers, then the enter call of the new state, then everything else."""
    _answer(process, plan)
    process.state = (plan.state, plan.data)
    if not (plan.enter and process.behaviour.state_enter):
        _arrive(process, event, plan)
        return None

    def then(result: Any) -> Running | None:
        if type(result) is Stop:
            return _stop(process, result, event)
        statem_plan.entered(plan, result)
        _answer(process, plan)
        process.state = (plan.state, plan.data)
        _arrive(process, event, plan)
        return None

    return _callback(process, Enter(plan.old), then)


def _callback(process: Process, event: Event, then: Callable[[Any], Running | None]) -> Running | None:
    """Call the state's callback with an event and go on with what it returns."""
    context, (state, data) = process.context, process.state
    try:
        if process.behaviour.mode == "handle_event_function":
            result = context.handle_event(event, state, data)
        else:
            result = _state_function(context, state, event)(event, data)
        if type(result) is not CoroutineType:
            return then(result)
    except Throw as thrown:
        return _returned(process, thrown.value, then)
    except BadReturn as bad:
        return _bad(process, bad)
    except BaseException as error:  # a callback may raise anything: the machine crashes with it
        return gen.stop(process, exit_reason(error))
    return _later(process, result, then)


def _state_function(context: Any, state: Any, event: Event) -> Any:
    function = getattr(context, state, None) if isinstance(state, str) else None
    if function is None:
        raise MissingCallback(context, f"state {state!r}", event)
    return function


async def _later(process: Process, coro: Any, then: Callable[[Any], Running | None]) -> None:
    """Finish an ``async def`` callback."""
    try:
        result = await coro
    except Throw as thrown:
        result = thrown.value
    except GeneratorExit:
        raise
    except BaseException as error:
        running = gen.stop(process, exit_reason(error))
    else:
        running = None
    if process.alive and running is None:
        running = _returned(process, result, then)
    if running is not None:
        await running
    elif process.upgrade is not None and process.alive:
        process.upgrade(process)


def _returned(process: Process, result: Any, then: Callable[[Any], Running | None]) -> Running | None:
    try:
        return then(result)
    except BadReturn as bad:
        return _bad(process, bad)


def _bad(process: Process, bad: BadReturn) -> Running | None:
    return gen.stop(process, Crash("BadReturn", short_text(bad.reason, 400), bad.reason))


def _stop(process: Process, stop: Stop, event: Event | None) -> Running | None:
    """Unlike a GenServer, a machine answers before terminate runs."""
    state, data = process.state
    process.state = (state, data if stop.state is UNSET else stop.state)
    if stop.reply is not UNSET and type(event) is Call:
        delivery.reply(process.node, event.caller, stop.reply)
    return gen.stop(process, stop.reason)


# --- transitions ------------------------------------------------------------------------------------------------------


def _answer(process: Process, plan: Plan) -> None:
    for answer in plan.answers:
        delivery.reply(process.node, answer.caller, answer.value)
    plan.answers.clear()


def _arrive(process: Process, event: Event | None, plan: Plan) -> None:
    """The rest of a transition: postponed events, timers, inserted events."""
    record = _record(process)
    if plan.postpone and event is not None:
        record.postponed.append(event)
    queue = list(plan.next_events)
    _cancel(process, record, "timeout")
    if plan.state != plan.old:
        queue += record.postponed
        record.postponed = []
        _cancel(process, record, "state_timeout")
    _enqueue(process, queue)
    for key, timer in plan.timers.items():
        _set_timer(process, record, key, timer)
    if plan.hibernate and not process.mailbox:
        process.timer = HIBERNATED


def _cancel(process: Process, record: _Record, key: Any) -> None:
    known = record.timers.pop(key, None)
    if known is not None:
        timers.cancel(process.node, known[0])


def _set_timer(process: Process, record: _Record, key: Any, timer: Any) -> None:
    if timer.ms is UPDATE and key in record.timers:
        record.timers[key] = (record.timers[key][0], timer.content)
        return
    _cancel(process, record, key)
    if timer.ms is None:
        return
    if timer.ms is UPDATE or timer.ms == 0:
        _end_at_once(process, key, timer.content)
        return
    node = process.node
    ref = node.new_ref()
    timers.send_after(node, timer.ms, process.pid, Timeout(ref, _Ended(key)), ref)
    record.timers[key] = (ref, timer.content)


def _end_at_once(process: Process, key: Any, content: Any) -> None:
    """A time of 0: behind the queued events, before those not received; an event timeout only if none is queued."""
    box = process.mailbox
    queued = 0
    if box is not None:
        while queued < len(box) and box[queued][0] == CONTINUE:
            queued += 1
    if key == "timeout" and queued:
        return
    entry = (CONTINUE, timer_event(key, content), None)
    if box is None:
        process.mailbox = delivery.new_box(entry)
    else:
        box.insert(queued, entry)


def _enqueue(process: Process, events: list[Event]) -> None:
    """Put events in front of all that wait, in their order."""
    for event in reversed(events):
        entry = (CONTINUE, event, None)
        if process.mailbox is None:
            process.mailbox = delivery.new_box(entry)
        else:
            process.mailbox.appendleft(entry)


# --- the engine -------------------------------------------------------------------------------------------------------


def _init(process: Process, argument: Any) -> Any:
    process.context.dictionary[_RECORD] = _Record([], {})
    try:
        result = process.context.init(argument)
    except Throw as thrown:
        result = thrown.value
    return _started_later(result) if type(result) is CoroutineType else _started(result)


async def _started_later(coro: Any) -> Any:
    try:
        return _started(await coro)
    except Throw as thrown:
        return _started(thrown.value)


def _started(result: Any) -> Any:
    if type(result) in (Stop, Ignore):
        return result
    if type(result) is not NextState:
        return Stop(("bad_return_from_init", result))
    return Ok((result.state, result.data), then=Continue(_Begin(result.actions)))


def _terminate(process: Process, reason: Any) -> Any:
    return process.context.terminate(reason, *process.state)


def _code_change(process: Process, context: Any, old_version: Any, extra: Any) -> Any:
    state, data = process.state
    found = context.code_change(old_version, state, data, extra)
    if isinstance(found, Error) or (type(found) is tuple and len(found) == 2):
        return found
    return Error(("bad_return", found))


GenStatem.engine = gen.Engine("statem", dispatch, _init, _terminate, _code_change)
