"""sys: look into and steer a behaviour from outside. Every behaviour answers; system messages come before others
while it is suspended. Rules: Erlang's ``sys`` manual page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from types import coroutine
from typing import Any

from ..model.errors import ProcessError, UsageError
from ..model.reasons import said
from ..model.text import short_text
from ..runtime import delivery, requests
from ..runtime.context import Context, check_duration
from ..runtime.crashes import exit_reason, tellable
from ..runtime.exceptions import CallExit, ProcessExit, Throw, WaitInPlainCallback
from ..runtime.isolate import ATOMIC
from ..runtime.operations import OP_STOP, call
from ..runtime.process import READY, Process, Running
from ..runtime.signals import SYSTEM, Caller
from . import debug, gen
from .returns import Error, Ok
from .status import status_of

DEFAULT_TIMEOUT_MS = 5_000
DONE = debug.DONE


class SysError(ProcessError):
    """A sys request was answered with an error; ``reason`` is it."""

    kind = "sys_error"

    def __init__(self, what: str, reason: Any) -> None:
        super().__init__(f"{what} failed: {said(reason, 400)}")
        self.reason = reason


# --- what callers use: the first argument is ``self`` -----------------------------------------------------------------


async def get_state(ctx: Context, target: Any, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> Any:
    """The state of a behaviour, suspended or not."""
    return await _ask(ctx, target, ("get_state", None), timeout_ms)


async def replace_state(
    ctx: Context, target: Any, function: Callable[[Any], Any], timeout_ms: int | None = DEFAULT_TIMEOUT_MS
) -> Any:
    """Replace the state by ``function(state)`` and return it; if the function raises, nothing changes.

    >>> from jupyter_sandbox.otp import GenServer, Node, Reply, sys
    >>> class Counter(GenServer):
    ...     def handle_call(self, request, caller, n):
    ...         return Reply(n, n + 1)
    >>> async def main(self):
    ...     counter = await self.start(Counter, 1)
    ...     await sys.suspend(self, counter)
    ...     status = (await sys.get_status(self, counter))["status"]
    ...     await sys.replace_state(self, counter, lambda n: n * 100)
    ...     await sys.resume(self, counter)
    ...     return status, await self.call(counter, "next"), await sys.get_state(self, counter)
    >>> Node().run_function(main)
    ('suspended', 100, 101)
    """
    return await _ask(ctx, target, ("replace_state", function), timeout_ms)


async def suspend(ctx: Context, target: Any, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> None:
    """Let messages wait until ``resume``; suspending twice is suspending once."""
    await _ask(ctx, target, ("suspend", None), timeout_ms)


async def resume(ctx: Context, target: Any, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> None:
    """Go on after ``suspend``."""
    await _ask(ctx, target, ("resume", None), timeout_ms)


async def get_status(ctx: Context, target: Any, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> dict[str, Any]:
    """Whether it runs or is suspended, its parent, module and state."""
    status: dict[str, Any] = await _ask(ctx, target, ("get_status", None), timeout_ms)
    return status


async def change_code(
    ctx: Context, target: Any, behaviour: Any, old_version: Any = None, extra: Any = None,
    timeout_ms: int | None = DEFAULT_TIMEOUT_MS,
) -> None:  # fmt: skip
    """Move a suspended process to another class through ``code_change``; on an error the old one stays."""
    await _ask(ctx, target, ("change_code", (behaviour, old_version, extra)), timeout_ms)


async def statistics(
    ctx: Context, target: Any, on: bool | None = None, timeout_ms: int | None = DEFAULT_TIMEOUT_MS
) -> dict[str, int] | None:
    """Start or stop counting; without ``on`` the counts since: times, reductions, messages_in, messages_out.

    None when it does not count. Out are the answers to calls. Raises UsageError for any other ``on``.
    """
    _check_switch(on, None)
    counts: dict[str, int] | None = await _ask(ctx, target, ("statistics", on), timeout_ms)
    return counts


async def log(
    ctx: Context, target: Any, on: bool | int | None = None, timeout_ms: int | None = DEFAULT_TIMEOUT_MS
) -> list[debug.SystemEvent] | None:
    """Keep the last 10 events, or as many as ``on`` says, or none; without ``on`` the events, the oldest first.

    >>> from jupyter_sandbox.otp import GenServer, Node, Reply, sys
    >>> class Echo(GenServer):
    ...     def handle_call(self, request, caller, state):
    ...         return Reply(request, state)
    >>> async def main(self):
    ...     echo = await self.start(Echo)
    ...     await sys.log(self, echo, True)
    ...     await sys.statistics(self, echo, True)
    ...     await sys.trace(self, echo, True)  # to the logger
    ...     await self.call(echo, "hello")
    ...     kinds = [type(event).__name__ for event in await sys.log(self, echo)]
    ...     counts = await sys.statistics(self, echo)
    ...     await sys.no_debug(self, echo)
    ...     return kinds, counts["messages_in"], counts["messages_out"], await sys.log(self, echo)
    >>> Node().run_function(main)
    (['In', 'Out', 'NewState'], 1, 1, [])
    """
    if type(on) is not int or on < 1:
        _check_switch(on, None, hint="give True, False, how many events, 1 or more, or nothing to get them")
    events: list[debug.SystemEvent] | None = await _ask(ctx, target, ("log", on), timeout_ms)
    return events


async def trace(ctx: Context, target: Any, on: bool, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> None:
    """Write every event to the logger, at level debug."""
    _check_switch(on)
    await _ask(ctx, target, ("trace", on), timeout_ms)


async def install(
    ctx: Context, target: Any, function: debug.Function, state: Any = None, *, id: Any = None,
    timeout_ms: int | None = DEFAULT_TIMEOUT_MS,
) -> None:  # fmt: skip
    """Call ``function(state, event, name)`` inside the process on every event; it returns its next state, or DONE.

    ``id`` tells several installations of one function apart; a function that raises is removed.

    >>> from jupyter_sandbox.otp import GenServer, Node, NoReply, sys
    >>> class Sink(GenServer):
    ...     def handle_cast(self, request, state):
    ...         return NoReply(state)
    >>> async def main(self):
    ...     seen = []
    ...     def count(times, event, name):
    ...         seen.append(type(event).__name__)
    ...         return times + 1
    ...     sink = await self.start(Sink)
    ...     await sys.install(self, sink, count, 0)
    ...     self.cast(sink, "one")
    ...     await sys.remove(self, sink, count)
    ...     self.cast(sink, "two")
    ...     await sys.terminate(self, sink)
    ...     return seen
    >>> Node().run_function(main)
    ['In', 'NewState']
    """
    await _ask(ctx, target, ("install", (function if id is None else id, function, state)), timeout_ms)


async def remove(ctx: Context, target: Any, function: Any, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> None:
    """Take a function away, by itself or by its ``id``."""
    await _ask(ctx, target, ("remove", function), timeout_ms)


async def no_debug(ctx: Context, target: Any, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> None:
    """Turn everything off."""
    await _ask(ctx, target, ("no_debug", None), timeout_ms)


@coroutine
def terminate(
    ctx: Context, target: Any, reason: Any = "normal", timeout_ms: int | None = None
) -> Generator[Any, Any, None]:
    """Make it stop through its terminate, and wait until it is gone."""
    wanted = reason if type(reason) in ATOMIC else ctx._process.node.copy(reason)
    if timeout_ms == 0:
        yield from requests.without_waiting(ctx._process, target, ("terminate", wanted), SYSTEM, "stop").__await__()
    (ended,) = yield (OP_STOP, target, ("terminate", wanted), timeout_ms, SYSTEM)
    if ended != reason:
        raise CallExit(ctx._process.node.copy(ended), str(target), "stop")


def _check_switch(on: Any, *others: Any, hint: str = "give True, False, or nothing to get the counts") -> None:
    if on is not True and on is not False and not any(on is other for other in others):
        raise UsageError("on", on, hint=hint if others else "give True or False")


async def request_terminate(ctx: Context, target: Any, reason: Any = "normal", timeout_ms: int | None = 5_000) -> None:
    """Like terminate, but it does not wait for the end: it returns once terminate begins (``sys:terminate``).

    Raises CallExit ``timeout`` when it does not get there within ``timeout_ms`` milliseconds (None: no limit).

    >>> from jupyter_sandbox.otp import GenServer, Node, sys
    >>> class Worker(GenServer):
    ...     def init(self, argument): return argument
    >>> async def main(self):
    ...     worker = await self.start(Worker)
    ...     ref = self.monitor(worker)
    ...     await sys.request_terminate(self, worker, "shutdown")
    ...     down = await self.receive(lambda message: message.ref == ref)
    ...     return down.reason
    >>> Node().run_function(main)
    'shutdown'
    """
    await _ask(ctx, target, ("leave", reason), timeout_ms)


def _ask(ctx: Context, target: Any, request: tuple[str, Any], timeout_ms: int | None) -> Awaitable[Any]:
    if ctx._process.coro is None:
        raise WaitInPlainCallback(request[0])
    if timeout_ms is not None:
        check_duration(timeout_ms)
        if timeout_ms == 0:
            return requests.without_waiting(ctx._process, target, request, SYSTEM, "call")
    return _answered(call(target, request, timeout_ms, SYSTEM), request[0])


async def _answered(answer: Any, what: str) -> Any:
    ok, value = await answer
    if ok:
        return value
    raise SysError(what, value)


_CLASSES: dict[type[BaseException], str] = {ProcessExit: "exit", Throw: "throw"}


# --- what every behaviour does with a system message ------------------------------------------------------------------


def handle(process: Process, request: Any, caller: Caller) -> Running | None:
    """Carry out one sys request inside the process it is meant for."""
    operation, argument = request
    if operation == "terminate":
        return gen.stop(process, argument)
    if operation == "leave":
        delivery.reply(process.node, caller, (True, None))
        return gen.stop(process, argument)
    node = process.node
    try:
        answer = (True, node.copy(_OPERATIONS[operation](process, argument)))
    except BaseException as error:  # whatever the user's code raised: told to the caller, the process goes on
        reason = error.reason if isinstance(error, SysError) else exit_reason(error)
        answer = (False, tellable(node.copy, reason))
    delivery.hand_over(node, caller, answer)
    return None


def _get_state(process: Process, _: Any) -> Any:
    return process.state


def _replace_state(process: Process, function: Callable[[Any], Any]) -> Any:
    engine: gen.Engine = process.behaviour.engine
    try:
        state = function(process.state)
        if engine.state_type is not object and type(state) is not engine.state_type:
            raise TypeError(f"{short_text(state, 80)} is no state of a {engine.kind}")
        process.state = state
    except BaseException as error:  # whatever the function raised: the state stays as it was
        failed = (_CLASSES.get(type(error), "error"), error.value if isinstance(error, Throw) else exit_reason(error))
        where = (f"gen_{engine.kind}", "system_replace_state")
        raise SysError("replace_state", ("callback_failed", where, failed)) from None
    return process.state


def _suspend(process: Process, _: Any) -> None:
    process.suspended = True
    process.status = READY  # it takes this step, but is FRESH no more


def _resume(process: Process, _: Any) -> None:
    process.suspended = False


def _get_status(process: Process, _: Any) -> dict[str, Any]:
    return status_of(process)


def _change_code(process: Process, argument: Any) -> None:
    behaviour, old_version, extra = argument
    if not process.suspended:
        raise SysError("change_code", ("unknown_system_msg", ("change_code", behaviour, old_version, extra)))
    try:
        move(process, behaviour, old_version, extra)
    except SysError:
        raise
    except Throw as thrown:
        if type(thrown.value) is not Ok:
            raise SysError("change_code", thrown.value) from None
        process.state = thrown.value.state
    except BaseException as error:  # whatever the user's code_change raised: the old code and state stay
        raise SysError("change_code", ("EXIT", exit_reason(error))) from None


def move(process: Process, behaviour: Any, old_version: Any, extra: Any) -> None:
    """Give a process another class and the state that its ``code_change`` makes. Raises what that raised, unchanged."""
    context = behaviour(process)
    state = behaviour.engine.code_change(process, context, old_version, extra)
    if isinstance(state, Error):
        raise SysError("code_change", ("error", state.reason))
    process.state, process.context, process.behaviour = state, context, behaviour
    debug.switch(process)


_OPERATIONS: dict[str, Callable[[Process, Any], Any]] = {
    "get_state": _get_state,
    "replace_state": _replace_state,
    "suspend": _suspend,
    "resume": _resume,
    "get_status": _get_status,
    "change_code": _change_code,
    **debug.OPERATIONS,
}
