"""Errors as the kernel is told them: a stable kind, one line that ends with what to do next, user frames only."""

from __future__ import annotations

from typing import Final

from ..model.errors import CallExit as ModelCallExit
from ..model.errors import CodeRaised, CompileError, SandboxError
from ..model.exits import CallFailed, Crash
from ..model.reasons import said
from ..otp.app_record import ApplicationError
from ..otp.commands import ChildError
from ..runtime.exceptions import CallExit, CallTimeout, StartError
from ..wire import messages as m
from ..wire.messages import Failed
from .starting import start_text
from .tracebacks import error_lines, frame_lines, hint, one_line

_REFUSED: Final = {
    "not_found": "the supervisor has no child {child!r}; `%sandbox children {sandbox} SUPERVISOR` lists those it has",
    "running": "{child} runs already; stop it first: `%sandbox terminate-child {sandbox} SUPERVISOR {child}`",
    "restarting": "{child} is being restarted already; `%sandbox tree {sandbox}` shows when it is up",
}
"""Why a supervisor function was refused, in words; rarer reasons are told as OTP's."""


def failed(
    request: int, error: BaseException, about: str = "", sandbox: str = "", *, suspended: bool = False
) -> Failed:
    """The answer to a request that failed with ``error``; ``about`` is the target as the user named it.

    ``sandbox`` stands in the commands that it tells the user to type.
    """
    match error:
        case CompileError():
            return Failed(
                id=request, kind=error.kind, message=str(error), traceback=list(error.traceback),
                diagnostics=list(error.diagnostics),
            )  # fmt: skip
        case CallTimeout():
            late = _late(sandbox, about or error.target, suspended)
            return Failed(id=request, kind="timeout", message=late, reason="timeout")
        case CallExit():
            return _call_exit(request, error, about or error.target, sandbox)
        case StartError():
            return _not_started(request, error, about)
        case ApplicationError() if about:
            return _not_started(request, error, about)
        case ChildError(reason=str() as reason) if reason in _REFUSED:
            text = _REFUSED[reason].format(child=about, sandbox=sandbox)
            return Failed(id=request, kind=error.kind, message=text, reason=reason)
        case CodeRaised() | ModelCallExit():
            return Failed(id=request, kind=error.kind, message=str(error), traceback=list(error.traceback))
        case SandboxError():
            reason = getattr(error, "reason", "")
            return Failed(
                id=request, kind=error.kind, message=str(error), traceback=reason_lines(reason),
                reason=reason_text(reason) if reason else "",
            )  # fmt: skip
        case _:
            return Failed(id=request, kind="raised", message=one_line(error), traceback=error_lines(error))


def _not_started(request: int, error: StartError | ApplicationError, who: str) -> Failed:
    return Failed(
        id=request, kind="start_failed", message=start_text(who, error.reason), traceback=reason_lines(error.reason),
        reason=reason_text(error.reason),
    )  # fmt: skip


def _call_exit(request: int, error: CallExit, target: str, sandbox: str) -> Failed:
    reason = error.exit_reason
    if type(reason) is str and reason == "noproc":
        text = f"no process answers to {target}; `{_command('tree', sandbox)}` shows who is there"
        return Failed(id=request, kind="noproc", message=text, reason="noproc")
    if type(reason) is str and reason == "calling_self":
        return Failed(id=request, kind="exit", message=f"{target} cannot call itself", reason="calling_self")
    todo = _command("why", sandbox, target)
    text = f"{target} exited before it answered: {reason_text(reason)}; `{todo}` tells what happened then"
    return Failed(id=request, kind="exit", message=text, traceback=reason_lines(reason), reason=reason_text(reason))


def _late(sandbox: str, target: str, suspended: bool) -> str:
    if suspended:
        go_on = _command("unsuspend", sandbox, target)
        return f"{target} is suspended and did not answer in time; `{go_on}` lets it go on, and it answers then"
    look, waits = _command("ps", sandbox, target), _command("waits", sandbox)
    return f"{target} did not answer in time; `{look}` shows what it is doing, `{waits}` for whom it waits"


def _command(*words: str) -> str:
    return " ".join(("%sandbox", *(word for word in words if word)))


def reason_text(reason: object) -> str:
    """An exit reason in a few words."""
    if isinstance(reason, Crash):
        return repr(reason)[:400] + hint(reason.text, lambda: reason.frames)
    return _plain(reason)


def _plain(reason: object) -> str:
    return reason if isinstance(reason, str) else said(reason, 400)


def reason_lines(reason: object) -> list[str]:
    """The traceback that an exit reason carries, as text; empty when it carries none."""
    crash = crash_in(reason)
    if crash is None:
        return []
    return ["Traceback (most recent call last):", *frame_lines(crash.frames), repr(crash)[:2_000]]


def crash_in(reason: object, depth: int = 0) -> Crash | None:
    """The crash at the bottom of a reason: a failed call or start carries that of the other process."""
    match reason:
        case Crash():
            return reason
        case CallFailed():
            return crash_in(reason.reason, depth + 1) if depth < 8 else None
        case tuple() if depth < 8:
            return next((found for item in reason if (found := crash_in(item, depth + 1)) is not None), None)
        case _:
            return None


def about(request: m.Request) -> str:
    """What a request is about, as the user named it."""
    match request:
        case m.Start(main=main):
            return main.rpartition(".")[2]
        case m.Spawn(function=function):
            return function.rpartition(".")[2]
        case m.ChildAction(child=child):
            return child
        case _:
            return str(getattr(request, "target", ""))
