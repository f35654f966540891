"""The master process of one running application: starts its tree, waits for its end, stops all that belongs to it.

Rules: Erlang's ``application_master`` and ``application_controller``.
"""

from __future__ import annotations

from types import CoroutineType, GeneratorType
from typing import Any, Final

from ..model.exits import KILLED, NORMAL, SHUTDOWN, Crash, Unawaited, is_normal
from ..model.ids import Pid, Ref
from ..model.text import short_text
from ..runtime import Node, delivery, lifecycle
from ..runtime.context import Context
from ..runtime.crashes import exit_reason
from ..runtime.exceptions import CallTimeout, StartError, Throw
from ..runtime.operations import OP_YIELD, ask
from ..runtime.process import Process
from ..runtime.signals import Down, Exit
from . import gen
from .app_record import Loaded, Spec, forget_unloaded, now_running, running
from .child import Child, as_child
from .process import OtpContext
from .returns import Error, Ignore

STOP: Final = "$application_stop"
STARTED: Final = "$application_started"
STOPPING: Final = "application_stopping"
"""Where the node has the master of the application that is being stopped."""


async def run(ctx: OtpContext, entry: Loaded) -> None:
    """Start the tree, then attend to it."""
    spec = entry.spec
    ctx.trap_exit()
    app = spec.module(ctx._process)
    try:
        top, state = await _start_top(app, spec)
        await _start_phases(ctx, app, spec, top)
    except _Refused as refused:
        entry.started = False
        _tell(ctx, entry, refused.reason)
        forget_unloaded(ctx._process.node, entry)
        if entry.kind == "permanent" or (entry.kind == "transient" and not _is_normal_refusal(refused.reason)):
            ctx.spawn(take_down)
        ctx.exit(refused.reason)
    now_running(ctx._process.node, entry)
    entry.master, entry.top = ctx.pid, top
    ctx.init_ack(ctx.pid)
    _tell(ctx, entry, None)
    await attend(ctx, entry, app, top, state)


class EndOf:
    """Matches the Down message of a monitor, or without one the exit of a linked process.

    ``target`` tells ``waits`` whom for; it may be the waiting process itself.
    """

    __slots__ = ("ref", "target")

    def __init__(self, target: Pid, ref: Ref | None = None) -> None:
        self.target, self.ref = target, ref

    def __call__(self, message: Any) -> bool:
        if self.ref is not None:
            return type(message) is Down and message.ref == self.ref
        return type(message) is Exit and message.process == self.target


async def stop_master(ctx: OtpContext, entry: Loaded) -> None:
    """Order a running application to stop and wait until it has.

    Erlang's application controller does this itself, so until then it serves
    nobody else: see ``turn``.
    """
    assert entry.master is not None
    ctx._process.node.globals[STOPPING] = entry.master
    end = EndOf(entry.master, ctx.monitor(entry.master))
    ctx.send(entry.master, STOP)
    await ctx.receive(end)


async def turn(ctx: Context, timeout_ms: int | None = None) -> None:
    """Wait while an application is being stopped; whoever is part of what stops waits for ever, as in Erlang.

    Raises CallTimeout after ``timeout_ms`` (None: no limit).
    """
    node = ctx._process.node
    until = None if timeout_ms is None else node.now_ms + timeout_ms
    while (master := node.globals.get(STOPPING)) is not None and master in node.processes:
        ref = ctx.monitor(master)
        left = None if until is None else until - node.now_ms
        if await ctx.receive(EndOf(master, ref), timeout_ms=left, default=None) is None:
            ctx.demonitor(ref, flush=True)
            raise CallTimeout("timeout", "the applications")


class _Refused(Exception):
    """The application did not start; ``reason`` as OTP gives it."""

    def __init__(self, reason: Any) -> None:
        super().__init__()
        self.reason = reason


def _is_normal_refusal(reason: Any) -> bool:
    """Whether an application did not start because its ``start`` exited with ``normal``."""
    return type(reason) is tuple and reason[:1] == (("EXIT", NORMAL),)


def _tell(ctx: OtpContext, entry: Loaded, reason: Any) -> None:
    """Who asked for the start while it was going on gets its outcome, too."""
    waiting, entry.starting = entry.starting or [], None
    for pid, ref in waiting:
        ctx.send(pid, (STARTED, ref, reason))


async def _start_top(app: Any, spec: Spec) -> tuple[Pid, Any]:
    """Call ``start`` and start what it returned; the top process and the state for ``stop``."""
    call = (spec.module, "start", (NORMAL, spec.argument))
    try:
        top = app.start(NORMAL, spec.argument)
        if type(top) is CoroutineType:
            top = await top
        if isinstance(top, (Child, type)):
            child = as_child(top)
            top = await gen.start(app, child.module, child.argument, name=child.name, relation="link")
    except StartError as error:
        raise _Refused((error.reason, call)) from None
    except Throw as thrown:
        top = thrown.value
    except GeneratorExit:
        raise
    except BaseException as error:  # whatever start raised is why the application did not start
        reason = exit_reason(error)
        if app._process.doom is not None:  # it has killed itself
            raise _Refused(app._process.doom[0]) from None
        if type(reason) is str and reason == NORMAL:
            raise _Refused((("EXIT", NORMAL), call)) from None
        raise _Refused(("bad_return", (call, ("EXIT", reason)))) from None
    if isinstance(top, Error):
        raise _Refused((top.reason, call))
    if isinstance(top, Pid):
        return top, None
    if isinstance(top, tuple) and len(top) == 2:
        if not isinstance(top[0], Pid):  # Erlang's {ok, NotAPid, State}: its master fails to link with that
            raise _Refused(Crash("badarg", f"start of {spec.name} returned no pid: {short_text(top[0])}", "badarg"))
        return top[0], top[1]
    if isinstance(top, GeneratorType | CoroutineType):
        top.close()
        top = Unawaited(short_text(top))
    raise _Refused(("bad_return", (call, "ignore" if top is None or isinstance(top, Ignore) else top)))


async def _start_phases(ctx: OtpContext, app: Any, spec: Spec, top: Pid) -> None:
    """Run the start phases. One that fails makes the start fail but, as in OTP, leaves the tree running."""
    for phase, argument in spec.start_phases or ():
        call = (spec.module, "start_phase", (phase, NORMAL, argument))
        try:
            result = app.start_phase(phase, NORMAL, argument)
            if type(result) is CoroutineType:
                result = await result
        except Throw as thrown:
            result = thrown.value
        except GeneratorExit:
            raise
        except BaseException as error:  # whatever it raised is a bad return value to OTP
            ctx.unlink(top)
            raise _Refused(("bad_return_value", (call, ("EXIT", exit_reason(error))))) from None
        if result is None:
            continue
        ctx.unlink(top)
        if isinstance(result, Error):
            raise _Refused((result.reason, call))
        raise _Refused(("bad_return_value", (call, result)))


async def attend(ctx: OtpContext, entry: Loaded, app: Any, top: Pid, state: Any) -> None:
    """Wait for a running application's end or for the order to stop it. A restored snapshot goes on from here."""
    process = ctx._process
    message = await ctx.receive(lambda m: _is_stop(m) or (type(m) is Exit and m.process == top))
    reason: Any = None if _is_stop(message) else message.reason
    if reason is not None:
        await ask((OP_YIELD, None, None, None, None))  # whom the end of the tree reaches as well takes note of it first
    app = _of_now(app, entry)
    state = await _told(ctx, app.prep_stop, state, state)
    if reason is None:
        ctx.exit_signal(top, SHUTDOWN)
        await ctx.receive(EndOf(top))
    await _told(ctx, app.stop, state, None)
    _kill_strays(process.node, entry.spec.name, process)
    entry.running, entry.master, entry.top = False, None, None
    forget_unloaded(process.node, entry)
    if reason is not None:
        await _ended(ctx, entry, reason)


def _of_now(app: Any, entry: Loaded) -> Any:
    """The application in the code of now: OTP calls ``Module:stop`` in the newest version, too."""
    newest = entry.spec.module
    return app if newest is type(app) else newest(app._process)


def _is_stop(message: Any) -> bool:
    return type(message) is type(STOP) and bool(message == STOP)


async def _told(ctx: OtpContext, callback: Any, state: Any, default: Any) -> Any:
    """Call prep_stop or stop; what it raises is logged, and the stopping goes on."""
    try:
        result = callback(state)
        return await result if type(result) is CoroutineType else result
    except Throw as thrown:
        return thrown.value
    except GeneratorExit:
        raise
    except BaseException as error:  # a failing callback must not keep the application from stopping
        ctx.log("error", f"{callback.__name__} of the application failed: {exit_reason(error)!r}")
        return default


def _kill_strays(node: Node, name: str, master: Process) -> None:
    for process in list(node.processes.values()):
        if process.group == name and process is not master:
            delivery.doom(node, process, KILLED)


async def _ended(ctx: OtpContext, entry: Loaded, reason: Any) -> None:
    """An application ended by itself: a permanent one takes the node down, a transient one unless it was normal."""
    node = ctx._process.node
    node.emit("application_stop", ctx._process, (entry.spec.name, reason, is_normal(reason)))
    if entry.kind == "permanent" or (entry.kind == "transient" and not (type(reason) is str and reason == NORMAL)):
        await take_down(ctx)


async def take_down(ctx: OtpContext) -> None:
    """Stop the whole node: its applications in reverse start order, then whatever is left."""
    node = ctx._process.node
    for entry in running(node):
        if entry.master is not None and entry.master in node.processes:
            await stop_master(ctx, entry)
    node.globals["down"] = True
    for process in list(node.processes.values()):
        if process is not ctx._process:
            lifecycle.exit_process(node, process, KILLED)
