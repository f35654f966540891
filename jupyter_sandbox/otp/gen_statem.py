"""GenStatem: a process that is a state machine. Each event is one step. Rules: Erlang's ``gen_statem``.

This file acts; what an event amounts to is decided in ``machine``. The next
event that the machine has for itself stands at the front of its mailbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import CoroutineType
from typing import Any, ClassVar, Final

from msgspec import UNSET, Struct

from ..model.exits import Crash
from ..model.ids import Ref
from ..model.text import short_text
from ..runtime import delivery, timers
from ..runtime.crashes import exit_reason
from ..runtime.exceptions import Throw
from ..runtime.generic import Generic, TypeVar
from ..runtime.operations import Reply
from ..runtime.process import HIBERNATED, Process, Running
from ..runtime.signals import CALL, CAST, CONTINUE, EXIT, INIT, SYSTEM, Caller, Entry, Value
from . import debug, gen
from .hints import EventResult, Maybe
from .machine import Armed, Bad, Cancel, Machine, Turn, differs, only_answer
from .process import MissingCallback, OtpProcess
from .returns import Continue, Error, Ignore, Ok, Stop
from .statem_actions import Answer
from .statem_events import Call, Cast, Enter, Event, Info, Internal, Request
from .statem_returns import Keep, NextState, StopAndReply
from .sys import SysError

State = TypeVar("State", default=Any)
Data = TypeVar("Data", default=Any)
MODES: Final = ("state_functions", "handle_event_function")
_MACHINE: Final = "$statem"
"""Where the process dictionary has the Machine: it is nothing that ``sys.get_state`` should show."""


class _Expired(Struct, frozen=True):
    """The message of a machine's own timer."""

    of_the_machine: ClassVar[bool] = True
    """For ``debug``: what counts is the event that it becomes."""
    ref: Ref


class _Begin(Struct, frozen=True):
    """What a machine does first: init's actions and the enter call."""

    actions: Any


class GenStatem(OtpProcess, Generic[State, Data, Request, Value]):
    """Subclass it and define ``init`` and one method per state, called with the event and the data.

    >>> from jupyter_sandbox.otp import KEEP, Answer, Call, Keep, NextState, Node, SetStateTimeout, StateTimeout
    >>> class Door(GenStatem):
    ...     def init(self, code):
    ...         return NextState("locked", code)
    ...     def locked(self, event, code):
    ...         match event:
    ...             case Call(entered, caller) if entered == code:
    ...                 return NextState("unlocked", code, [Answer(caller, "come in"), SetStateTimeout(3_000)])
    ...             case Call(_, caller):
    ...                 return Keep(Answer(caller, "wrong code"))
    ...     def unlocked(self, event, code):
    ...         match event:
    ...             case StateTimeout():
    ...                 return NextState("locked")
    ...             case Call(_, caller):
    ...                 return Keep(Answer(caller, "it is open"))
    >>> async def main(self):
    ...     door = await self.start(Door, 42)
    ...     said = [await self.call(door, code) for code in (1, 42, 1)]
    ...     await self.sleep(3_000)
    ...     return [*said, await self.call(door, 1)]
    >>> Node().run_function(main)
    ['wrong code', 'come in', 'it is open', 'wrong code']

    With ``mode = "handle_event_function"`` all events go to ``handle_event(event,
    state, data)``, and a state may be any value. Its state for ``sys`` is the tuple ``(state, data)``.

    For a checker: ``GenStatem[State, Data, Request, Answer]``, each optional.
    """

    mode: ClassVar[str] = "state_functions"
    """``state_functions``: the method named like the state; ``handle_event_function``: ``handle_event``."""
    state_enter: ClassVar[bool] = False
    """Whether each state gets an ``Enter`` event first."""
    restart = "permanent"
    shutdown_ms: int | str | None = 5_000

    def init(self, argument: Any) -> Maybe[NextState[State, Data] | Ignore | Stop[Data]]:
        """The first state: ``NextState(state, data, actions)``, ``IGNORE`` or ``Stop(reason)``."""
        raise MissingCallback(self, "init", argument)

    def handle_event(self, event: Event[Request, Value], state: State, data: Data) -> Maybe[EventResult[State, Data]]:
        """Take an event: ``NextState``, ``KeepState``, ``KEEP``, ``RepeatState``, ``Stop`` or ``StopAndReply``."""
        raise MissingCallback(self, "handle_event", event)

    def terminate(self, reason: Any, state: State, data: Data) -> Any:
        """Clean up; called on every stop or crash, and when the parent says so if exits are trapped, never on kill."""

    def code_change(self, old_version: Any, state: Any, data: Any, extra: Any) -> Any:
        """State and data as the new code wants them, as a tuple; ``Error(reason)`` keeps the old code."""
        return state, data

    @staticmethod
    def state_text(pair: Any) -> str:
        """State and data in a few words."""
        if not (isinstance(pair, tuple) and len(pair) == 2):
            return short_text(pair)
        shown = pair[0] if isinstance(pair[0], str) else short_text(pair[0])
        return shown if pair[1] is None else f"{shown}, {short_text(pair[1])}"


def dispatch(process: Process, entry: Entry) -> Any:
    """Handle one mailbox entry; a CONTINUE is an event that waited inside the machine."""
    kind, payload, source = entry
    if kind == CALL:
        assert type(source) is Caller
        return _handle_call(process, Call(payload, source))
    if kind == CAST:
        return _handle(process, Cast(payload))
    if kind in (INIT, SYSTEM) or (kind == EXIT and delivery.is_parent(process, source)):
        return gen.control(process, entry)
    if kind == CONTINUE:
        return _begin(process, payload) if type(payload) is _Begin else _handle_own(process, payload)
    if type(payload) is _Expired:
        event = machine_of(process).expired(payload.ref)
        return None if event is None else _handle_own(process, event)
    return _handle(process, Info(payload))


def machine_of(process: Process) -> Machine:
    """The waiting events and the timeouts of a state machine."""
    assert process.dictionary is not None
    machine: Machine = process.dictionary[_MACHINE]
    return machine


def _begin(process: Process, first: _Begin) -> Running | None:
    """Carry out init's actions and enter the first state."""
    mode = process.context.mode
    if mode not in MODES:
        return _failed(process, ("bad_return_from_callback_mode", mode))
    state, data = process.state
    turn = Turn(Internal("init_state"), state, data, enter=True)
    try:
        turn.act(first.actions)
    except Bad as bad:
        return _failed(process, bad.reason)
    turn.postpone = False
    return _follow(process, turn)


# --- one event --------------------------------------------------------------------------------------------------------


def _handle(process: Process, event: Any) -> Running | None:
    state, data = process.state
    return _call(process, Turn(event, state, data), event)


def _handle_call(process: Process, event: Call) -> Any:
    """A call that just came in. If it is answered at once, in a machine where nothing waits, it needs no turn."""
    context, (state, data) = process.context, process.state
    try:
        result = _callback(context, event, state, data)
        if not context.state_enter and machine_of(process).idle:
            answer = only_answer(result, event.caller)
            if answer is not None:
                value = process.node.copy(answer.value)
                state = result.state if type(result) is NextState else state
                process.state = state, data if type(result) is Keep or result.data is UNSET else result.data
                process.timer = None
                return Reply(value, None)
    except Throw as thrown:
        result = thrown.value
    except BaseException as error:  # a callback may raise anything: the machine crashes with it
        return gen.stop(process, exit_reason(error))
    turn = Turn(event, state, data)
    return _await(process, turn, result) if type(result) is CoroutineType else _obey(process, turn, result)


def _handle_own(process: Process, event: Any) -> Running | None:
    """An event of the machine's own making: for ``sys`` it comes in like any other."""
    if process.debug is not None:
        debug.note(process, debug.In(event, None))
    return _handle(process, event)


def _call(process: Process, turn: Turn, event: Event) -> Running | None:
    """Call back with an event, in the turn's state."""
    try:
        result = _callback(process.context, event, turn.state, turn.data)
    except Throw as thrown:
        result = thrown.value
    except BaseException as error:  # a callback may raise anything: the machine crashes with it
        return gen.stop(process, exit_reason(error))
    if type(result) is CoroutineType:
        return _await(process, turn, result)
    return _obey(process, turn, result)


def _callback(context: Any, event: Event, state: Any, data: Any) -> Any:
    if context.mode == "handle_event_function":
        return context.handle_event(event, state, data)
    function = None if not isinstance(state, str) or hasattr(GenStatem, state) else getattr(context, state, None)
    if function is None:  # also for a state called like something that every process can do
        raise MissingCallback(context, f"method for the state {short_text(state)}", event)
    return function(event, data)


async def _await(process: Process, turn: Turn, coro: Any) -> None:
    """Finish an ``async def`` callback."""
    try:
        result = await coro
    except Throw as thrown:
        result = thrown.value
    except GeneratorExit:
        raise
    except BaseException as error:
        going_on = gen.stop(process, exit_reason(error))
    else:
        going_on = None
    if process.alive and going_on is None:
        going_on = _obey(process, turn, result)
    if going_on is not None:
        await going_on
    elif process.upgrade is not None and process.alive:
        process.upgrade(process)


def _obey(process: Process, turn: Turn, result: Any) -> Running | None:
    """Do what a callback's result says."""
    if type(result) is Stop or type(result) is StopAndReply:
        return _stop(process, turn, result)
    try:
        turn.take(result)
    except Bad as bad:
        process.state = turn.state, turn.data
        problem = _answer(process, turn.answers)
        return _failed(process, bad.reason) if problem is None else gen.stop(process, exit_reason(problem))
    return _follow(process, turn)


def _follow(process: Process, turn: Turn) -> Running | None:
    """Make the enter call if one is due, else end the turn."""
    if turn.answers:
        problem = _answer(process, turn.answers)
        turn.answers.clear()
        if problem is not None:
            return gen.stop(process, exit_reason(problem))
    if turn.enter and process.context.state_enter:
        turn.enter, turn.entering = False, True
        return _call(process, turn, Enter(process.state[0]))
    machine = machine_of(process)
    changed = differs(turn.state, process.state[0])
    process.state = turn.state, turn.data
    process.timer = HIBERNATED if turn.hibernate else None
    for order in machine.settle(turn, changed):
        if type(order) is Cancel:
            timers.cancel(process.node, order.ref)
        else:
            _start_timer(process, machine, *order)
    event = machine.next()
    if event is not None:
        gen.then(process, Continue(event))
    return None


def _start_timer(process: Process, machine: Machine, key: Any, ms: int, content: Any, absolute: bool) -> None:
    node = process.node
    ref = node.new_ref()
    left = max(0, ms - node.now_ms) if absolute else ms
    timers.send_after(node, left, process.pid, _Expired(ref), ref)
    machine.timers[key] = Armed(ref, content)


def _answer(process: Process, answers: Iterable[Answer]) -> BaseException | None:
    """Send answers, up to one whose value cannot leave this process: that is a crash."""
    try:
        for answer in answers:
            delivery.reply(process.node, answer.caller, answer.value)
    except BaseException as error:  # of the value's own code for copying
        return error
    return None


def _stop(process: Process, turn: Turn, result: Stop | StopAndReply) -> Running | None:
    """Unlike a GenServer, a machine answers before terminate runs."""
    replies: Any = ()
    if type(result) is StopAndReply:
        data, replies = result.data, result.replies
    else:
        assert type(result) is Stop
        data = result.state
        if result.reply is not UNSET and type(turn.event) is Call:
            replies = Answer(turn.event.caller, result.reply)
    process.state = turn.state, turn.data if data is UNSET else data
    for reply in replies if isinstance(replies, (list, tuple)) else (replies,):
        if type(reply) is not Answer or type(reply.caller) is not Caller:
            return _failed(process, ("bad_reply_action_from_state_function", reply))
        problem = _answer(process, (reply,))
        if problem is not None:
            return gen.stop(process, exit_reason(problem))
    return gen.stop(process, result.reason)


def _failed(process: Process, reason: tuple[str, Any]) -> Running | None:
    return gen.stop(process, Crash(reason[0], short_text(reason[1], 400), reason))


# --- init, terminate, code change -------------------------------------------------------------------------------------


def _init(process: Process, argument: Any) -> Any:
    try:
        result = gen.initial(process, argument)
    except Throw as thrown:
        result = thrown.value
    return _init_async(process, result) if type(result) is CoroutineType else _first(process, result)


async def _init_async(process: Process, coro: Any) -> Any:
    try:
        result = await coro
    except Throw as thrown:
        result = thrown.value
    return _first(process, result)


def _first(process: Process, result: Any) -> Any:
    if type(result) is Stop or type(result) is Ignore:
        return result
    if type(result) is not NextState:
        return Stop(("bad_return_from_init", result))
    process.context.dictionary[_MACHINE] = Machine()
    data = None if result.data is UNSET else result.data
    return Ok((result.state, data), Continue(_Begin(result.actions)))


def _terminate(process: Process, reason: Any) -> Any:
    return process.context.terminate(reason, *process.state)


def _code_change(process: Process, context: Any, old_version: Any, extra: Any) -> Any:
    result = context.code_change(old_version, *process.state, extra)
    if isinstance(result, Error) or (type(result) is tuple and len(result) == 2):
        return result
    raise SysError("code_change", result)


GenStatem.engine = gen.Engine("statem", dispatch, _init, _terminate, _code_change)
