"""Task: one piece of work in a process of its own, whose result is awaited. Rules: Elixir's ``Task``.

A task replies through an alias that is also a monitor, so a result that nobody
waits for any more is dropped. Only the process that began a task may await it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from inspect import isawaitable
from typing import Any, overload

import msgspec

from ..model.errors import UsageError
from ..model.ids import Pid, Ref
from ..runtime.context import Args, Context
from ..runtime.generic import Generic, TypeVar
from ..runtime.signals import Value, Value_co
from . import task_wait
from .child import Child
from .task_wait import Died, Done, TaskReply

DEFAULT_TIMEOUT_MS = 5_000
Item = TypeVar("Item")


class Task(msgspec.Struct, Generic[Value_co], frozen=True):
    """A task that was begun; hand it to ``Task.await_``, ``Task.yield_`` or ``Task.shutdown``.

    >>> from jupyter_sandbox.otp import Node, Task
    >>> async def main(self):
    ...     task = Task.async_(self, lambda self, n: n * n, 7)
    ...     return await Task.await_(self, task)
    >>> Node().run_function(main)
    49

    In a supervisor's list of children ``(Task, (function, *args))`` is a
    temporary child that runs the function once.
    """

    pid: Pid
    ref: Ref
    owner: Pid
    name: str
    """What it runs, for people."""

    @overload
    @staticmethod
    def async_(
        ctx: Context, function: Callable[[Any, *Args], Coroutine[Any, Any, Value]], *args: *Args
    ) -> Task[Value]: ...
    @overload
    @staticmethod
    def async_(ctx: Context, function: Callable[[Any, *Args], Value], *args: *Args) -> Task[Value]: ...
    @staticmethod
    def async_(ctx: Context, function: Callable[[Any, *Args], Any], *args: *Args) -> Task[Any]:
        """Begin ``function(self, *args)``, linked to this process: it shares its fate."""
        pid = ctx.spawn_link(_run, function, args)
        return begun(ctx, pid, function)

    @staticmethod
    async def await_(ctx: Context, task: Task[Value], timeout_ms: int | None = DEFAULT_TIMEOUT_MS) -> Value:
        """The result. Raises CallExit when the task died, CallTimeout when it takes too long."""
        return await task_wait.result(_mine(ctx, task), task, timeout_ms)

    @staticmethod
    async def await_many(
        ctx: Context, tasks: Iterable[Task[Value]], timeout_ms: int | None = DEFAULT_TIMEOUT_MS
    ) -> list[Value]:
        """The results in the order of the tasks, all of them within ``timeout_ms``.

        >>> from jupyter_sandbox.otp import Node, Task
        >>> async def main(self):
        ...     return await Task.await_many(self, [Task.async_(self, lambda self, n: n * n, n) for n in (3, 1, 2)])
        >>> Node().run_function(main)
        [9, 1, 4]
        """
        deadline = None if timeout_ms is None else ctx.now() + timeout_ms
        results = []
        for task in tasks:
            left = None if deadline is None else max(0, deadline - ctx.now())
            results.append(await Task.await_(ctx, task, left))
        return results

    @staticmethod
    async def yield_(
        ctx: Context, task: Task[Value], timeout_ms: int | None = DEFAULT_TIMEOUT_MS
    ) -> Done[Value] | Died | None:
        """``Done(value)``, ``Died(reason)``, or None when it is not over after ``timeout_ms``; ask again then.

        >>> from jupyter_sandbox.otp import Died, Done, Node, Task
        >>> async def main(self):
        ...     slow = Task.async_(self, lambda self: self.sleep(100))
        ...     first = await Task.yield_(self, slow, 50)
        ...     return first, await Task.yield_(self, slow, 100)
        >>> Node().run_function(main)
        (None, Done(value=None))
        """
        return await task_wait.outcome(_mine(ctx, task), task.ref, timeout_ms)

    @staticmethod
    async def shutdown(
        ctx: Context, task: Task[Value], timeout_ms: int | str | None = DEFAULT_TIMEOUT_MS
    ) -> Done[Value] | Died | None:
        """Stop a task: ``Done(value)`` if it was faster, ``Died(reason)`` if it crashed, else None.

        After ``timeout_ms`` it is killed, with ``"brutal_kill"`` at once.

        >>> from jupyter_sandbox.otp import Node, Task
        >>> async def main(self):
        ...     tasks = [Task.async_(self, lambda self, ms: self.sleep(ms), ms) for ms in (1, 10_000)]
        ...     await self.sleep(10)
        ...     return [await Task.shutdown(self, task) for task in tasks], self.now()
        >>> Node().run_function(main)
        ([Done(value=None), None], 10)
        """
        return await task_wait.shutdown(_mine(ctx, task), task, timeout_ms)

    @overload
    @staticmethod
    def async_stream(
        ctx: Context, items: Iterable[Item], function: Callable[[Any, Item], Coroutine[Any, Any, Value]], *,
        max_concurrency: int = 8, ordered: bool = True, timeout_ms: int | None = DEFAULT_TIMEOUT_MS,
        on_timeout: str = "exit",
    ) -> AsyncIterator[Done[Value] | Died]: ...  # fmt: skip
    @overload
    @staticmethod
    def async_stream(
        ctx: Context, items: Iterable[Item], function: Callable[[Any, Item], Value], *,
        max_concurrency: int = 8, ordered: bool = True, timeout_ms: int | None = DEFAULT_TIMEOUT_MS,
        on_timeout: str = "exit",
    ) -> AsyncIterator[Done[Value] | Died]: ...  # fmt: skip
    @staticmethod
    def async_stream(
        ctx: Context, items: Iterable[Item], function: Callable[[Any, Item], Any], *, max_concurrency: int = 8,
        ordered: bool = True, timeout_ms: int | None = DEFAULT_TIMEOUT_MS, on_timeout: str = "exit",
    ) -> AsyncIterator[Done[Any] | Died]:  # fmt: skip
        """``function(self, item)`` for each item, never more than ``max_concurrency`` at a time; see ``task_stream``.

        ``async for outcome in Task.async_stream(self, pages, fetch): ...`` gives
        ``Done(value)`` in the order of the items unless ``ordered`` is False.

        >>> from jupyter_sandbox.otp import Node, Task
        >>> async def fetch(self, page):
        ...     await self.sleep(100)
        ...     return page.upper()
        >>> async def main(self):
        ...     found = [outcome.value async for outcome in Task.async_stream(self, "abcd", fetch, max_concurrency=2)]
        ...     return found, self.now()
        >>> Node().run_function(main)
        (['A', 'B', 'C', 'D'], 200)
        """
        from .task_stream import stream

        return stream(
            ctx, items, lambda item: _now(Task.async_(ctx, function, item)), linked=True,
            options=(max_concurrency, ordered, timeout_ms, on_timeout),
        )  # fmt: skip

    @staticmethod
    async def start_link(ctx: Context, function: Callable[[Any, *Args], Any], *args: *Args) -> Pid:
        """Run a function in a linked process whose result nobody wants.

        >>> from jupyter_sandbox.otp import Child, Node, Supervisor, Task
        >>> class Boot(Supervisor):
        ...     def init(self, owner):
        ...         return [(Task, (lambda self, owner: self.send(owner, "warmed up"), owner))]
        >>> async def main(self):
        ...     await self.start(Boot, self.pid)
        ...     await Task.start_link(self, lambda self, owner: self.send(owner, "alone"), self.pid)
        ...     return [await self.receive(str), await self.receive(str)]
        >>> Node().run_function(main)
        ['warmed up', 'alone']
        """
        return ctx.spawn_link(function, *args)

    @staticmethod
    def child_spec(argument: Sequence[Any]) -> Child:
        """The child that a supervisor makes of ``(Task, (function, *args))``."""
        return Child(argument=tuple(argument), id="Task", restart="temporary", modules=["Task"], start=_start_child)


async def _now(task: Task[Value]) -> Task[Value]:
    return task


def _start_child(ctx: Context, argument: tuple[Any, ...]) -> Pid:
    return ctx.spawn_link(*argument)


def begun(ctx: Context, pid: Pid, function: Any) -> Task[Any]:
    """Watch a process that runs ``_run`` and has taken no step yet: it learns where its result goes."""
    ref = ctx.monitor(pid, alias="demonitor")
    child = ctx._process.node.processes.get(pid)
    if child is not None:
        child.dictionary = {**(child.dictionary or {}), "$reply_to": ref, "$callers": _callers(ctx)}
    return Task(pid, ref, ctx.pid, getattr(function, "__qualname__", repr(function)))


def _callers(ctx: Context) -> tuple[Pid, ...]:
    """Who asked for this, the nearest first: a task's own caller, and those for whom that one works."""
    return (ctx.pid, *(ctx._process.dictionary or {}).get("$callers", ()))


async def _run(ctx: Context, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """The process of a task."""
    value = function(ctx, *args)
    if isawaitable(value):
        value = await value
    ref = ctx.dictionary["$reply_to"]
    ctx.send(ref, TaskReply(ref, value))


def _mine(ctx: Context, task: Task[Any]) -> Context:
    if task.owner != ctx.pid:
        raise UsageError("task", task, hint=f"only its owner {task.owner} may await it", kind="not_owner")
    return ctx
