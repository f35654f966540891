"""Waiting for the end of a task: its reply or the message of its monitor, whichever comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..model.errors import UsageError
from ..model.exits import KILL, KILLED, SHUTDOWN
from ..model.ids import Ref
from ..runtime import names
from ..runtime.context import Context
from ..runtime.exceptions import CallExit, CallTimeout
from ..runtime.generic import Generic
from ..runtime.signals import Down, Value, Value_co

if TYPE_CHECKING:
    from .task import Task


class TaskReply(NamedTuple):
    """A task's result as its owner gets it: a GenServer meets it in ``handle_info`` when it does not await.

    >>> from jupyter_sandbox.otp import GenServer, Node, NoReply, Reply, Task, TaskReply
    >>> class Clerk(GenServer):
    ...     def handle_cast(self, number, results):
    ...         Task.async_(self, lambda self: number * number)
    ...         return NoReply(results)
    ...     def handle_info(self, message, results):
    ...         match message:
    ...             case TaskReply(ref, value):
    ...                 self.demonitor(ref, flush=True)
    ...                 return NoReply([*results, value])
    ...     def handle_call(self, request, caller, results):
    ...         return Reply(results, results)
    >>> async def main(self):
    ...     clerk = await self.start(Clerk, [])
    ...     self.cast(clerk, 12)
    ...     await self.sleep(1)
    ...     return await self.call(clerk, "results")
    >>> Node().run_function(main)
    [144]
    """

    ref: Ref
    value: object


class Done(msgspec.Struct, Generic[Value_co], frozen=True):
    """The task is done: Elixir's ``{:ok, value}``.

    >>> from jupyter_sandbox.otp import Done, Node, Task
    >>> async def main(self):
    ...     async def work(self):
    ...         return 42
    ...     return await Task.yield_(self, Task.async_(self, work), 100)
    >>> Node().run_function(main)
    Done(value=42)
    """

    value: Value_co


class Died(msgspec.Struct, frozen=True):
    """The task ended otherwise: Elixir's ``{:exit, reason}``.

    >>> from jupyter_sandbox.otp import Died, Node, TaskSupervisor, Task
    >>> async def main(self):
    ...     async def work(self):
    ...         self.exit("tired")
    ...     supervisor = await self.start(TaskSupervisor)
    ...     task = await TaskSupervisor.async_nolink(self, supervisor, work)
    ...     return await Task.yield_(self, task, 100)
    >>> Node().run_function(main)
    Died(reason='tired')
    """

    reason: Any


async def outcome(ctx: Context, ref: Ref, timeout_ms: int | None) -> Done[Any] | Died | None:
    """How the task of a reference ended, None when it has not in time."""
    message = await ctx.receive(_EndOf(ref), timeout_ms=timeout_ms, default=None)
    if message is None:
        return None
    if type(message) is Down:
        drop(ctx, ref)
        return Died(message.reason)
    ctx.demonitor(ref, flush=True)
    return Done(message.value)


class _EndOf:
    """Matches what ends the task of a reference. The reference tells ``waits`` who is waited for."""

    __slots__ = ("ref",)

    def __init__(self, ref: Ref) -> None:
        self.ref = ref

    def __call__(self, message: Any) -> bool:
        return type(message) in (TaskReply, Down) and message.ref == self.ref


def drop(ctx: Context, ref: Ref) -> None:
    """Want no result any more."""
    ctx.demonitor(ref, flush=True)
    names.drop_alias(ctx._process.node, ctx._process, ref)


async def result(ctx: Context, task: Task[Value], timeout_ms: int | None) -> Value:
    """The value; whoever does not catch what is raised exits, as in Elixir."""
    end = await outcome(ctx, task.ref, timeout_ms)
    if type(end) is Done:
        found: Value = end.value
        return found
    if end is None:
        drop(ctx, task.ref)
        raise CallTimeout("timeout", task.name, "await")
    assert type(end) is Died
    raise CallExit(end.reason, task.name, "await")


async def shutdown(ctx: Context, task: Task[Value], timeout_ms: int | str | None) -> Done[Value] | Died | None:
    """Unlink the task and make it end; what it had to say meanwhile is not lost."""
    brutal = timeout_ms == "brutal_kill"
    if not brutal and not (timeout_ms is None or isinstance(timeout_ms, int)):
        raise UsageError("timeout_ms", timeout_ms, hint='give milliseconds, None or "brutal_kill"')
    ctx.unlink(task.pid)
    ctx.exit_signal(task.pid, KILL if brutal else SHUTDOWN)
    end = await outcome(ctx, task.ref, None if brutal else timeout_ms)  # type: ignore[arg-type]
    killed = brutal
    if end is None:
        ctx.exit_signal(task.pid, KILL)
        end, killed = await outcome(ctx, task.ref, None), True
    if type(end) is Died and end.reason in ((KILLED,) if brutal else (SHUTDOWN, KILLED) if killed else (SHUTDOWN,)):
        return None
    return end
