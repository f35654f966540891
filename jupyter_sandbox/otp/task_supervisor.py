"""TaskSupervisor: tasks under a supervisor end with it and may crash alone. Rules: Elixir's ``Task.Supervisor``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from inspect import isawaitable
from typing import Any, NamedTuple, overload

from ..model.ids import Pid, Ref
from ..runtime.context import Args, Context
from ..runtime.signals import Down, Value
from .child import Child
from .commands import start_child, terminate_child, which_children
from .dynamic_supervisor import DynamicSupervisor
from .task import DEFAULT_TIMEOUT_MS, Item, Task
from .task_wait import Died, Done, TaskReply


class _Go(NamedTuple):
    """The owner's word that it watches the task; the result goes to this reference."""

    ref: Ref


class TaskSupervisor(DynamicSupervisor):
    """A supervisor for tasks. Start it like any other; its functions take ``self`` and the supervisor first.

    >>> from jupyter_sandbox.otp import Died, Node, Task
    >>> async def fetch(self, page):
    ...     return {"front": "hello"}[page]
    >>> async def main(self):
    ...     tasks = await self.start_link(TaskSupervisor, name="tasks")
    ...     good = await TaskSupervisor.async_nolink(self, "tasks", fetch, "front")
    ...     bad = await TaskSupervisor.async_nolink(self, "tasks", fetch, "back")
    ...     return await Task.await_(self, good), await Task.yield_(self, bad)
    >>> Node().run_function(main)
    ('hello', Died(reason=KeyError: 'back'))
    """

    @overload
    @staticmethod
    async def async_(
        ctx: Context, supervisor: Any, function: Callable[[Any, *Args], Coroutine[Any, Any, Value]], *args: *Args
    ) -> Task[Value]: ...
    @overload
    @staticmethod
    async def async_(
        ctx: Context, supervisor: Any, function: Callable[[Any, *Args], Value], *args: *Args
    ) -> Task[Value]: ...
    @staticmethod
    async def async_(ctx: Context, supervisor: Any, function: Callable[[Any, *Args], Any], *args: *Args) -> Task[Any]:
        """Begin a task linked to this process, too: a crash of one is a crash of the other."""
        return await _begin(ctx, supervisor, function, args, linked=True)

    @overload
    @staticmethod
    async def async_nolink(
        ctx: Context, supervisor: Any, function: Callable[[Any, *Args], Coroutine[Any, Any, Value]], *args: *Args
    ) -> Task[Value]: ...
    @overload
    @staticmethod
    async def async_nolink(
        ctx: Context, supervisor: Any, function: Callable[[Any, *Args], Value], *args: *Args
    ) -> Task[Value]: ...
    @staticmethod
    async def async_nolink(
        ctx: Context, supervisor: Any, function: Callable[[Any, *Args], Any], *args: *Args
    ) -> Task[Any]:
        """Begin a task whose crash this process only hears of: by ``Task.yield_`` or a Down message."""
        return await _begin(ctx, supervisor, function, args, linked=False)

    @staticmethod
    async def start_task(
        ctx: Context, supervisor: Any, function: Callable[[Any, *Args], Any], *args: *Args, restart: str = "temporary"
    ) -> Pid:
        """Run a function whose result nobody wants (``Task.Supervisor.start_child``)."""
        child = Child(argument=(function, args), id="Task", restart=restart, modules=["Task"], start=_start)
        pid: Pid = await start_child(ctx, supervisor, child)
        return pid

    @staticmethod
    async def tasks(ctx: Context, supervisor: Any) -> list[Pid]:
        """The running tasks, the oldest first.

        >>> from jupyter_sandbox.otp import Node, TaskSupervisor
        >>> async def main(self):
        ...     await self.start(TaskSupervisor, name="tasks")
        ...     pid = await TaskSupervisor.start_task(self, "tasks", lambda self: self.receive())
        ...     running = await TaskSupervisor.tasks(self, "tasks") == [pid]
        ...     await TaskSupervisor.terminate_task(self, "tasks", pid)
        ...     return running, await TaskSupervisor.tasks(self, "tasks")
        >>> Node().run_function(main)
        (True, [])
        """
        return [row[1] for row in reversed(await which_children(ctx, supervisor)) if isinstance(row[1], Pid)]

    @staticmethod
    async def terminate_task(ctx: Context, supervisor: Any, pid: Pid) -> None:
        """Stop one task. Raises ChildError when it is not there."""
        await terminate_child(ctx, supervisor, pid)

    @overload
    @staticmethod
    def async_stream(
        ctx: Context, supervisor: Any, items: Iterable[Item],
        function: Callable[[Any, Item], Coroutine[Any, Any, Value]], *,
        linked: bool = True, max_concurrency: int = 8, ordered: bool = True,
        timeout_ms: int | None = DEFAULT_TIMEOUT_MS, on_timeout: str = "exit",
    ) -> AsyncIterator[Done[Value] | Died]: ...  # fmt: skip
    @overload
    @staticmethod
    def async_stream(
        ctx: Context, supervisor: Any, items: Iterable[Item],
        function: Callable[[Any, Item], Value], *,
        linked: bool = True, max_concurrency: int = 8, ordered: bool = True,
        timeout_ms: int | None = DEFAULT_TIMEOUT_MS, on_timeout: str = "exit",
    ) -> AsyncIterator[Done[Value] | Died]: ...  # fmt: skip
    @staticmethod
    def async_stream(
        ctx: Context, supervisor: Any, items: Iterable[Item],
        function: Callable[[Any, Item], Any], *,
        linked: bool = True, max_concurrency: int = 8, ordered: bool = True,
        timeout_ms: int | None = DEFAULT_TIMEOUT_MS, on_timeout: str = "exit",
    ) -> AsyncIterator[Done[Any] | Died]:  # fmt: skip
        """``Task.async_stream`` under this supervisor; with ``linked=False`` a crash is a ``Died(reason)`` in it."""
        from .task_stream import stream

        return stream(
            ctx, items, lambda item: _begin(ctx, supervisor, function, (item,), linked=linked), linked=linked,
            options=(max_concurrency, ordered, timeout_ms, on_timeout),
        )  # fmt: skip


async def _begin(
    ctx: Context, supervisor: Any, function: Callable[..., Any], args: tuple[Any, ...], *, linked: bool
) -> Task[Any]:
    child = Child(
        argument=(ctx.pid, function, args), id="Task", restart="temporary", modules=["Task"], start=_start_watched
    )
    pid: Pid = await start_child(ctx, supervisor, child)
    if linked:
        ctx.link(pid)
    ref = ctx.monitor(pid, alias="demonitor")
    ctx.send(pid, _Go(ref))
    return Task(pid, ref, ctx.pid, getattr(function, "__qualname__", repr(function)))


def _start(ctx: Context, argument: Any) -> Pid:
    function, args = argument
    return ctx.spawn_link(function, *args)


def _start_watched(ctx: Context, argument: Any) -> Pid:
    return ctx.spawn_link(_run, *argument)


async def _run(ctx: Context, owner: Pid, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """The process of a task: it begins when its owner watches, and not at all when that one is dead."""
    watch = ctx.monitor(owner)
    word = await ctx.receive(lambda m: type(m) is _Go or (type(m) is Down and m.ref == watch))
    if type(word) is Down:
        ctx.exit("shutdown")
    ctx.demonitor(watch, flush=True)
    ctx.dictionary["$callers"] = (owner,)
    value = function(ctx, *args)
    if isawaitable(value):
        value = await value
    ctx.send(word.ref, TaskReply(word.ref, value))
