"""Executes command lists inside a process, up to the first return command. What a command does is in ``commands``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_sandbox.model.errors import NoProcess, UsageError
from jupyter_sandbox.model.ids import Pid, Ref
from jupyter_sandbox.otp import CallExit, OtpContext, ProcessExit, Throw

from .terms import ErlangError, ErlangShutdown, decode, mfa, render
from .world import Skip, Unsupported, World, world_of

Command = dict[str, Any]

RETURNS = frozenset(
    {
        "reply", "reply_data", "reply_last", "noreply", "stop", "ok", "ignore", "bad_return", "error_return",
        "next_state", "keep_state", "repeat_state", "finish",
    }
)  # fmt: skip


class Run:
    """The execution of a command list: who executes, the state data so far, the caller to be answered."""

    def __init__(self, ctx: OtpContext, who: str, data: Any = "undefined", caller: Any = None) -> None:
        self.ctx, self.who, self.data, self.caller = ctx, who, data, caller
        self.world: World = world_of(ctx)
        self.last: Any = "undefined"

    def term(self, shape: Any) -> Any:
        """A term of a command, looked up now."""
        return decode(shape, self.world, self.ctx.pid)

    def target(self, shape: Any) -> Any:
        """Whom a command is for: a pid, a name or an alias."""
        if isinstance(shape, str):
            return self.world.pid(shape)
        if isinstance(shape, dict) and "name" in shape:
            return shape["name"]
        if isinstance(shape, dict) and "alias" in shape:
            return self.world.ref(shape["alias"])
        found = self.term(shape)
        if not isinstance(found, (Pid, Ref)):
            raise Unsupported(f"{shape} is no target")
        return found

    async def run(self, commands: list[Command]) -> Command | None:
        """Execute commands in order; the return command that ended them, if any."""
        for command in commands:
            if not self._due(command):
                continue
            if command["cmd"] in RETURNS:
                return command
            if command.get("catch"):
                self.world.returned(self.who, await self.outcome(command))
                continue
            try:
                self.last = await self.execute(command)
            except Skip as skip:
                self.last = "undefined"
                if command.get("log"):
                    self.world.returned(self.who, {"skip": skip.label})
                continue
            if command.get("log"):
                self.world.returned(self.who, {"value": render(self.last, self.world)})
        return None

    def _due(self, command: Command) -> bool:
        """Whether ``inc`` lets this incarnation execute the command."""
        if "inc" not in command:
            return True
        low, high = command["inc"]
        number = int(self.who.partition("#")[2] or 1)
        return low <= number and (high is None or number <= high)

    async def execute(self, command: Command) -> Any:
        """Execute one command and return its result; raises what Erlang raises."""
        from .commands import COMMANDS

        name = command["cmd"]
        function: Callable[[Run, Command], Awaitable[Any]] | None = COMMANDS.get(name)
        if function is None:
            raise Unsupported(f"command {name}")
        try:
            return await function(self, command)
        except NoProcess:
            raise ErlangError("noproc" if name == "link" else "badarg") from None
        except UsageError:
            raise ErlangError("badarg") from None
        except (LookupError, ValueError, AttributeError, AssertionError) as error:
            raise Unsupported(f"command {name}: {type(error).__name__}: {error}") from error

    async def outcome(self, command: Command) -> Any:
        """Execute one command and render its result or the exception it ended with."""
        try:
            return {"value": render(await self.execute(command), self.world)}
        except Skip as skip:
            return {"skip": skip.label}
        except Unsupported as error:
            return {"unsupported": str(error)}
        except ErlangError as error:
            return {"error": render(error.reason, self.world)}
        except ErlangShutdown:
            return {"error": "shutdown"}
        except Throw as error:
            return {"throw": render(error.value, self.world)}
        except CallExit as error:
            return {"exit": render((error.exit_reason, mfa("gen_server", "call")), self.world)}
        except ProcessExit as error:
            if not self.ctx.is_alive(self.ctx.pid):  # an exit signal to oneself cannot be caught
                raise
            return {"exit": render(error.reason, self.world)}


_WAITING = frozenset(
    {
        "sleep", "receive", "spawn", "start", "call", "statem_call", "server_stop", "statem_stop", "start_child",
        "terminate_child", "restart_child", "delete_child", "get_childspec", "which_children", "count_children",
        "receive_response", "sys_get_state", "sys_replace_state", "sys_get_status", "sys_suspend", "sys_resume",
        "sys_terminate", "sys_change_code", "app_start", "app_stop", "app_ensure_started", "app_ensure_all_started",
        "app_load", "app_unload", "app_which", "app_set_env", "app_unset_env",
    }
)  # fmt: skip


def waits(commands: list[Command]) -> bool:
    """Whether a command list needs an ``async def`` callback."""
    return any(command["cmd"] in _WAITING for command in commands)


def now_or_later(coro: Any, commands: list[Command]) -> Any:
    """Run a callback's coroutine to its end if nothing in it waits, so that both kinds of callback are tried."""
    if waits(commands):
        return coro
    try:
        coro.send(None)
    except StopIteration as stop:
        return stop.value
    coro.close()
    raise AssertionError(f"commands waited that were said not to: {commands}")
