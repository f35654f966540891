"""What a request from outside does inside the node: each function runs in a hidden client process of its own.

They are named in journals, so renaming one is a change of format.
"""

from __future__ import annotations

from typing import Any

from ..model.errors import UsageError
from ..model.ids import Pid
from ..runtime.process import Process
from ..runtime.storytelling import state_text
from . import application, commands, inspect, restart, sys
from .child_keys import key_of
from .gen import Engine
from .process import OtpContext
from .supervisor import Supervisor


def _find(ctx: OtpContext, target: str) -> Pid:
    return inspect.find(ctx._process.node, target).pid


def _find_supervisor(ctx: OtpContext, target: str) -> Pid:
    """Raises UsageError when the process is another behaviour: it would take a supervisor's request for its own."""
    process = inspect.find(ctx._process.node, target)
    if not (isinstance(process.behaviour, type) and issubclass(process.behaviour, Supervisor)):
        raise UsageError(f"{target} is not a supervisor; `%sandbox tree` shows which processes are")
    return process.pid


async def call(ctx: OtpContext, target: str, request: Any, timeout_ms: int | None = 5_000) -> Any:
    """GenServer call."""
    return await ctx.call(_find(ctx, target), request, timeout_ms)


async def cast(ctx: OtpContext, target: str, request: Any) -> Pid:
    """GenServer cast; the pid it went to."""
    pid = _find(ctx, target)
    ctx.cast(pid, request)
    return pid


async def send(ctx: OtpContext, target: str, message: Any) -> Pid:
    """Plain message; the pid it went to."""
    pid = _find(ctx, target)
    ctx.send(pid, message)
    return pid


async def spawn(ctx: OtpContext, function: Any, args: tuple[Any, ...] = (), name: str | None = None) -> Pid | None:
    """Spawn a function, or start a behaviour, outside any tree."""
    if isinstance(getattr(function, "engine", None), Engine):
        return await ctx.start(function, args[0] if args else None, name=name)
    child = ctx._spawn(function, args, name)
    return child.pid


async def kill(ctx: OtpContext, target: str, reason: Any = "kill") -> None:
    """exit(target, reason)."""
    ctx.exit_signal(_find(ctx, target), reason)


async def suspend(ctx: OtpContext, target: str) -> None:
    """sys:suspend."""
    await sys.suspend(ctx, _find(ctx, target))


async def unsuspend(ctx: OtpContext, target: str) -> None:
    """sys:resume."""
    await sys.resume(ctx, _find(ctx, target))


async def get_state(ctx: OtpContext, target: str) -> Any:
    """sys:get_state."""
    return await sys.get_state(ctx, _find(ctx, target))


async def set_state(ctx: OtpContext, target: str, state: Any) -> Any:
    """sys:replace_state with a value."""
    return await sys.replace_state(ctx, _find(ctx, target), lambda old: state)


async def child_action(ctx: OtpContext, action: str, supervisor: str, child: Any) -> Any:
    """A supervisor function on a child; ``restart`` stops it and starts it again, which does not count."""
    pid = _find_supervisor(ctx, supervisor)
    if action == "restart":
        return await _restart(ctx, pid, child)
    function = {
        "restart_child": commands.restart_child,
        "terminate_child": commands.terminate_child,
        "delete_child": commands.delete_child,
    }[action]
    return await function(ctx, pid, _child_id(ctx, pid, child))


async def _restart(ctx: OtpContext, supervisor: Pid, child: Any) -> Any:
    for id, pid, _, _ in await commands.which_children(ctx, supervisor):
        if child in (id, str(id), repr(pid)):
            return await _again(ctx, supervisor, id, pid)
    raise commands.ChildError("restart", "not_found")


async def _again(ctx: OtpContext, supervisor: Pid, id: Any, pid: Any) -> Any:
    """OTP's way to restart by hand: ``terminate_child``, ``restart_child``. It uses up none of the restarts."""
    process = ctx._process.node.processes[supervisor]
    state = process.state
    if pid == "restarting":
        raise commands.ChildError("restart", "restarting")
    key = state.by_pid.get(pid) if state.dynamic else key_of(id)
    entry = state.entries.get(key)
    if entry is None:
        raise commands.ChildError("restart", "not_found")
    if state.flags.extra_arguments and isinstance(pid, Pid):  # how its child was asked for is not known any more
        ctx.exit_signal(pid, "kill")
        return None
    if isinstance(pid, Pid):
        await commands.terminate_child(ctx, supervisor, pid if state.dynamic else id)
    if state.template is not None:
        new = await commands.start_child(ctx, supervisor, *entry.child.extra)
    elif state.dynamic or key not in state.entries:  # temporary: its specification went with it
        new = await commands.start_child(ctx, supervisor, entry.child)
    else:
        new = await commands.restart_child(ctx, supervisor, id)
    if isinstance(pid, Pid):
        _by_hand(process, new[0] if isinstance(new, tuple) else new, id, pid)
    return new


def _by_hand(supervisor: Process, new: Any, id: Any, old: Pid) -> None:
    """For the counters and the restart history; the window of restarts that count stays as it is."""
    key = supervisor.state.by_pid.get(new, id if supervisor.state.dynamic else key_of(id))
    entry = supervisor.state.entries.get(key)
    if entry is not None:
        entry.restarts += 1
    supervisor.node.restarts += 1
    record = restart.Record(key, old, "shutdown", "restarted by hand, which does not count", (), (key,))
    supervisor.node.emit("supervisor_restart", supervisor, record)
    child = supervisor.node.processes.get(new)
    supervisor.node.emit("restart_done", supervisor, (key, "" if child is None else state_text(child)))


def _child_id(ctx: OtpContext, supervisor: Pid, child: Any) -> Any:
    """The id as the supervisor has it: requests name it as text."""
    state = ctx._process.node.processes[supervisor].state
    if not isinstance(child, str):
        return child
    pid = Pid.parse(child)
    if pid is not None and state.dynamic:
        return pid
    return next((entry.child.id for entry in state.entries.values() if str(entry.child.id) == child), child)


async def children(ctx: OtpContext, target: str) -> Any:
    """which_children."""
    return await commands.which_children(ctx, _find_supervisor(ctx, target))


async def start(ctx: OtpContext, main: Any, spec: application.Spec) -> None:
    """Start a main module as an application: an Application, a supervisor, or a lone server under a supervisor."""
    spec.module = main if _is_application(main) else _Wrapper
    spec.argument = spec.argument if _is_application(main) else (main, spec.argument)
    await application.load(ctx, spec)
    try:
        await application.start(ctx, spec.name)
    except BaseException:
        await application.unload(ctx, spec.name)
        raise


def _is_application(main: Any) -> bool:
    return isinstance(main, type) and issubclass(main, application.Application)


class _Wrapper(application.Application):
    """The application around a main module that is none itself."""

    async def start(self, kind: str, argument: Any) -> Any:  # type: ignore[override]
        main, own = argument
        if issubclass(main, Supervisor):
            return await self.start_link(main, own)
        return await self.start_link(LoneServer, (main, own))


class LoneServer(Supervisor):
    """The one-child supervisor that a lone server gets."""

    def init(self, argument: Any) -> Any:
        from .child import Child

        main, own = argument
        return [Child(main, own, name=main.__name__)]


async def stop(ctx: OtpContext, app: str) -> None:
    """Stop and unload an application."""
    await application.stop(ctx, app)
    await application.unload(ctx, app)
