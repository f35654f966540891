"""GenServer: a process that answers calls, casts and messages with plain callbacks over an explicit state.

Rules: Erlang's ``gen_server`` manual page.
"""

from __future__ import annotations

from collections import deque
from types import CoroutineType
from typing import Any, Final

from msgspec import UNSET

from ..model.text import short_text
from ..runtime import delivery
from ..runtime.crashes import exit_reason
from ..runtime.exceptions import Throw
from ..runtime.generic import Generic, TypeVar
from ..runtime.isolate import ATOMIC
from ..runtime.operations import drive
from ..runtime.process import Process, Running
from ..runtime.signals import CALL, CAST, CONTINUE, EXIT, INIT, SYSTEM, TIMEOUT, Caller, Entry
from . import gen, sys
from .hints import CallResult, CastResult, InitResult, Maybe
from .process import MissingCallback, OtpProcess
from .returns import NO_STATE, Error, Ignore, NoReply, Ok, Reply, Stop
from .returns import TIMEOUT as TIMEOUT_MESSAGE

State = TypeVar("State", default=Any)
Request = TypeVar("Request", default=Any)
Answer = TypeVar("Answer", default=Any)
Order = TypeVar("Order", default=Any)


class GenServer(OtpProcess, Generic[State, Request, Answer, Order]):
    """Subclass it and define ``init`` and the ``handle_`` callbacks you need. State is what they return.

    >>> from jupyter_sandbox.otp import Node
    >>> class Stack(GenServer):
    ...     def init(self, items):
    ...         return items
    ...     def handle_call(self, request, caller, items):
    ...         return Reply(items[-1], items[:-1])
    ...     def handle_cast(self, request, items):
    ...         return NoReply([*items, request])
    >>> async def main(self):
    ...     stack = await self.start(Stack, ["a"])
    ...     self.cast(stack, "b")
    ...     return await self.call(stack, "pop")
    >>> Node().run_function(main)
    'b'

    For a checker ``GenServer[list[str], str, str, str]`` gives the types of the state, of
    requests, of their answers and of casts, as far as you want to give them.

    A plain ``def`` callback is one atomic step. One that must wait is ``async
    def`` and awaits ``self.call``, ``self.receive``, ``self.outside`` and so on.
    """

    restart = "permanent"
    shutdown_ms: int | str | None = 5_000

    def init(self, argument: Any) -> Maybe[InitResult[State]]:
        """The first state: return it, or ``Ok(state, then=...)``, ``IGNORE``, ``Stop(reason)``."""
        return argument  # type: ignore[no-any-return]

    def handle_call(self, request: Request, caller: Caller[Answer], state: State) -> Maybe[CallResult[Answer, State]]:
        """Answer a call: ``Reply(value, state)``, ``NoReply(state)`` to answer later, or ``Stop(...)``."""
        raise MissingCallback(self, "handle_call", request)

    def handle_cast(self, request: Order, state: State) -> Maybe[CastResult[State]]:
        """Take a cast: ``NoReply(state)`` or ``Stop(...)``."""
        raise MissingCallback(self, "handle_cast", request)

    def handle_info(self, message: Any, state: State) -> Maybe[CastResult[State]]:
        """Take any other message; by default it is logged and dropped."""
        self.log("error", f"{self!r} got an unexpected message: {short_text(message)}")
        return NoReply(state)

    def handle_continue(self, argument: Any, state: State) -> Maybe[CastResult[State]]:
        """Go on after ``then=Continue(argument)``."""
        raise MissingCallback(self, "handle_continue", argument)

    def terminate(self, reason: Any, state: State) -> Any:
        """Clean up; called on every stop or crash, and when the parent says so if exits are trapped, never on kill."""

    def code_change(self, old_version: Any, state: Any, extra: Any) -> Maybe[State | Ok[State] | Error]:
        """The state as the new code wants it, ``Ok(None)`` for None; ``Error(reason)`` keeps the old code."""
        return state  # type: ignore[no-any-return]


def dispatch(process: Process, entry: Entry) -> Any:  # noqa: C901 (the hot path: a table of functions would cost a call)
    """Handle one mailbox entry."""
    kind, payload, source = entry
    if process.timer is not None and kind != SYSTEM:
        if kind == TIMEOUT:
            if payload != process.timer:
                return None
            payload = TIMEOUT_MESSAGE
        process.timer = None
    try:
        if kind == CALL:
            result = process.context.handle_call(payload, source, process.state)
            if type(result) is Reply and result.then is None:
                process.state = result.state
                if type(result.value) in ATOMIC:
                    return result  # the scheduler passes the value on
                return Reply(process.node.copy(result.value), None)
            if type(result) is CoroutineType:
                return drive(process, result, _ended, source)
        elif kind == CAST:
            result = process.context.handle_cast(payload, process.state)
        elif kind == INIT:
            return gen.begin(process, payload)
        elif kind == SYSTEM:
            return sys.handle(process, payload, source)  # type: ignore[arg-type]
        elif kind == EXIT and delivery.is_parent(process, source):
            return gen.stop(process, payload.reason)  # type: ignore[attr-defined]
        elif kind == CONTINUE:
            result = process.context.handle_continue(payload, process.state)
        elif kind == TIMEOUT and payload is not TIMEOUT_MESSAGE:
            return None
        else:
            result = process.context.handle_info(payload, process.state)
        if type(result) is NoReply and result.then is None:
            process.state = result.state
            return None
    except BaseException as error:  # a callback may raise anything: the process crashes with it
        return _raised(process, error, source if kind == CALL else None)
    caller = source if kind == CALL else None
    return drive(process, result, _ended, caller) if type(result) is CoroutineType else _obey(process, result, caller)  # type: ignore[arg-type]


def drain(process: Process, box: deque[Entry], trail: list[int], more: int) -> Any:
    """Handle the casts that wait in a row: the step that has begun and up to ``more``, each noted in ``trail``.

    It ends early at any entry that is no cast and after any result that is
    more than a new state. What it returns is what dispatch returns for the last entry.
    """
    entry = box.popleft()
    process.message = entry
    if entry[0] != CAST or process.timer is not None:
        return dispatch(process, entry)
    node, number, handle_cast = process.node, process.number, process.context.handle_cast
    try:
        while True:
            result = handle_cast(entry[1], process.state)
            if type(result) is not NoReply or result.then is not None:
                break
            process.state = result.state
            if more == 0 or not box or box[0][0] != CAST or node.woken is not None or process.doom is not None:
                process.message = entry
                return None
            more -= 1
            trail.append(number)
            process.steps += 1
            entry = box.popleft()
    except BaseException as error:  # as in dispatch
        process.message = entry
        return _raised(process, error, None)
    process.message = entry
    return _returned(process, result, None)


def _raised(process: Process, error: BaseException, caller: Any) -> Any:
    """A callback raised: a throw counts as its result, anything else ends the process."""
    if type(error) is Throw:
        return _returned(process, error.value, caller)
    return gen.stop(process, exit_reason(error))


def _returned(process: Process, result: Any, caller: Any) -> Any:
    """A callback returned something else than a new state."""
    if type(result) is CoroutineType:
        return drive(process, result, _ended, caller)
    return _obey(process, result, caller)


def _ended(process: Process, result: Any, error: BaseException | None, caller: Any) -> Any:
    """An ``async def`` callback has ended; maybe a coroutine of terminate is to follow."""
    if error is None:
        stopping = _obey(process, result, caller)
    elif type(error) is Throw:
        stopping = _obey(process, error.value, caller)
    else:
        stopping = gen.stop(process, exit_reason(error))
    if stopping is not None:
        return process, stopping, _stopped, None
    if process.upgrade is not None and process.alive:
        process.upgrade(process)
    return None


def _stopped(process: Process, result: Any, error: BaseException | None, detail: Any) -> None:
    """The coroutine that stops a process is done; it raises nothing that is not a bug of ours."""
    if error is not None:
        raise error


def _obey(process: Process, result: Any, caller: Caller | None) -> Running | None:
    """Do what a callback's return value says."""
    kind = type(result)
    if (kind is Reply or kind is NoReply) and not gen.is_then(result.then):
        return gen.stop(process, ("bad_return_value", result))
    if kind is Reply and caller is not None:
        process.state = result.state
        try:
            delivery.reply(process.node, caller, result.value)
        except BaseException as error:  # of the reply's own code for copying
            return gen.stop(process, exit_reason(error))
        gen.then(process, result.then)
        return None
    if kind is NoReply:
        process.state = result.state
        gen.then(process, result.then)
        return None
    if kind is Stop and (caller is not None or result.reply is UNSET):
        return _stop(process, result, caller)
    return gen.stop(process, ("bad_return_value", result))


def _stop(process: Process, stop: Stop, caller: Caller | None) -> Running | None:
    if stop.state is not UNSET:
        process.state = stop.state
    if caller is None or stop.reply is UNSET:
        return gen.stop(process, stop.reason)
    try:
        answer = process.node.copy(stop.reply)
    except BaseException as error:
        return gen.stop(process, exit_reason(error))
    return gen.stop(process, stop.reason, caller, answer)


_NO_CHANGE: Final = (CoroutineType, Ok, Ignore, Stop, *(kind for kind in NO_STATE if kind is not Error))
"""What code_change cannot mean as a state. A None mostly means that its ``return`` was forgotten."""


def _terminate(process: Process, reason: Any) -> Any:
    return process.context.terminate(reason, process.state)


def _code_change(process: Process, context: Any, old_version: Any, extra: Any) -> Any:
    result = context.code_change(old_version, process.state, extra)
    if type(result) is Ok and result.then is None:
        return result.state
    if isinstance(result, _NO_CHANGE) or (result is None and process.state is not None):
        if isinstance(result, CoroutineType):
            result.close()
        raise TypeError(
            f"code_change returned {short_text(result)}: it returns the new state (one that is None as Ok(None)), or "
            "Error(reason)"
        )
    return result


GenServer.engine = gen.Engine("server", dispatch, gen.initial, _terminate, _code_change)
