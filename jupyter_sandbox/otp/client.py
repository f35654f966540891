"""What a request from outside does inside the node: each function runs in a hidden client process of its own.

They are named in journals, so renaming one is a change of format.
"""

from __future__ import annotations

from typing import Any

from ..model.ids import Pid
from . import application, commands, inspect, sys
from .gen import Engine
from .process import OtpContext
from .supervisor import Supervisor


def _find(ctx: OtpContext, target: str) -> Pid:
    return inspect.find(ctx._process.node, target).pid


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
    """A supervisor function on a child; ``restart`` kills it and lets its supervisor act."""
    pid = _find(ctx, supervisor)
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
            if isinstance(pid, Pid):
                ctx.exit_signal(pid, "kill")
                return None
            return await commands.restart_child(ctx, supervisor, id)
    raise commands.ChildError("restart", "not_found")


def _child_id(ctx: OtpContext, supervisor: Pid, child: Any) -> Any:
    """The id as the supervisor has it: requests name it as text."""
    state = ctx._process.node.processes[supervisor].state
    if not isinstance(child, str):
        return child
    pid = Pid.parse(child)
    if pid is not None and state.dynamic:
        return pid
    return next((id for id in state.entries if str(id) == child), child)


async def children(ctx: OtpContext, target: str) -> Any:
    """which_children."""
    return await commands.which_children(ctx, _find(ctx, target))


async def start(ctx: OtpContext, main: Any, spec: application.Spec) -> None:
    """Start a main module as an application: an Application, a supervisor, or a lone server under a supervisor."""
    spec.module = main if _is_application(main) else _Wrapper
    spec.argument = spec.argument if _is_application(main) else (main, spec.argument)
    application.load(ctx, spec)
    try:
        await application.start(ctx, spec.name)
    except BaseException:
        application.unload(ctx, spec.name)
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
    application.unload(ctx, app)
