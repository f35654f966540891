"""sys: look into and steer a behaviour from outside. Every behaviour answers; system messages come before others
while it is suspended. Rules: Erlang's ``sys`` manual page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..model.errors import ProcessError
from ..model.text import short_text
from ..runtime import delivery
from ..runtime.context import Context
from ..runtime.crashes import exit_reason
from ..runtime.exceptions import CallExit, CallTimeout, ProcessExit, Throw, WaitInPlainCallback
from ..runtime.operations import call
from ..runtime.process import Process, Running
from ..runtime.signals import SYSTEM, Caller, Down
from . import gen
from .returns import Error, Ok

DEFAULT_TIMEOUT_MS = 5_000


class SysError(ProcessError):
    """A sys request was answered with an error; ``reason`` is it."""

    kind = "sys_error"

    def __init__(self, what: str, reason: Any) -> None:
        super().__init__(f"{what} failed: {short_text(reason, 400)}")
        self.reason = reason


# --- what callers use: the first argument is ``self`` -----------------------------------------------------------------


async def get_state(ctx: Context, target: Any, timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> Any:
    """The state of a behaviour, suspended or not."""
    return await _ask(ctx, target, ("get_state", None), timeout_ms)


async def replace_state(
    ctx: Context, target: Any, function: Callable[[Any], Any], timeout_ms: int | None = DEFAULT_TIMEOUT_MS
) -> Any:
    """Replace the state by ``function(state)`` and return it; if the function raises, nothing changes."""
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


async def terminate(ctx: Context, target: Any, reason: Any = "normal", timeout_ms: int | None = None) -> None:
    """Make it stop through its terminate, and wait until it is gone."""
    if delivery.lookup(ctx._process.node, target) is None:
        raise CallExit("noproc", str(target), "stop")
    ref = ctx.monitor(target)
    process = delivery.lookup(ctx._process.node, target)
    assert process is not None
    delivery.deliver(ctx._process.node, process, (SYSTEM, ("terminate", reason), Caller(ctx.pid, -1)))
    down = await ctx.receive(lambda message: _is_down(message, ref), timeout_ms=timeout_ms, default=None)
    if down is None:
        ctx.demonitor(ref, flush=True)
        raise CallTimeout("timeout", str(target), "stop")
    if down.reason != reason:
        raise CallExit(down.reason, str(target), "stop")


def _is_down(message: Any, ref: Any) -> bool:
    return type(message) is Down and message.ref == ref


def _ask(ctx: Context, target: Any, request: tuple[str, Any], timeout_ms: int | None) -> Awaitable[Any]:
    if ctx._process.coro is None:
        raise WaitInPlainCallback(request[0])
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
    try:
        answer = (True, _OPERATIONS[operation](process, argument))
    except Exception as error:  # whatever the user's function raised: told to the caller, the process goes on
        reason = error.reason if isinstance(error, SysError) else exit_reason(error)
        answer = (False, reason)
    delivery.reply(process.node, caller, answer)
    return None


def _get_state(process: Process, _: Any) -> Any:
    return process.state


def _replace_state(process: Process, function: Callable[[Any], Any]) -> Any:
    try:
        process.state = function(process.state)
    except (Exception, ProcessExit, Throw) as error:  # whatever the function raised: the state stays as it was
        failed = (_CLASSES.get(type(error), "error"), error.value if isinstance(error, Throw) else exit_reason(error))
        where = (f"gen_{process.behaviour.engine.kind}", "system_replace_state")
        raise SysError("replace_state", ("callback_failed", where, failed)) from None
    return process.state


def _suspend(process: Process, _: Any) -> None:
    process.suspended = True


def _resume(process: Process, _: Any) -> None:
    process.suspended = False


def _get_status(process: Process, _: Any) -> dict[str, Any]:
    return {
        "status": "suspended" if process.suspended else "running",
        "parent": process.parent,
        "module": process.behaviour.__name__,
        "state": process.state,
    }


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
    except (Exception, ProcessExit) as error:  # whatever the user's code_change raised: the old code and state stay
        raise SysError("change_code", ("EXIT", exit_reason(error))) from None


def move(process: Process, behaviour: Any, old_version: Any, extra: Any) -> None:
    """Give a process another class and the state that its ``code_change`` makes. Raises what that raised, unchanged."""
    context = behaviour(process)
    state = behaviour.engine.code_change(process, context, old_version, extra)
    if isinstance(state, Error):
        raise SysError("code_change", ("error", state.reason))
    process.state, process.context, process.behaviour = state, context, behaviour
    process.dispatch = behaviour.engine.dispatch


_OPERATIONS: dict[str, Callable[[Process, Any], Any]] = {
    "get_state": _get_state,
    "replace_state": _replace_state,
    "suspend": _suspend,
    "resume": _resume,
    "get_status": _get_status,
    "change_code": _change_code,
}
