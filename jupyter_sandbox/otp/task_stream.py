"""A stream of tasks: one per item, a bounded number of them at a time. Rules: Elixir's ``Task.async_stream``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from ..model.errors import UsageError
from ..model.exits import KILL
from ..model.ids import Ref
from ..runtime import relations
from ..runtime.context import Context
from ..runtime.exceptions import CallTimeout
from ..runtime.signals import Down
from .task import Task
from .task_wait import Died, Done, TaskReply, drop

Options = tuple[int, bool, int | None, str]
"""max_concurrency, ordered, timeout_ms, on_timeout."""
Outcome = Done[Any] | Died


async def stream(
    ctx: Context, items: Iterable[Any], begin: Callable[[Any], Awaitable[Task[Any]]], *, linked: bool, options: Options
) -> AsyncIterator[Outcome]:
    """The outcomes; whoever stops early ends the tasks that still run.

    The exits of its tasks are the stream's alone: who traps exits finds none of
    them in the mailbox. A task that takes longer than ``timeout_ms`` raises CallTimeout, or is killed
    and gives ``Died("timeout")`` with ``on_timeout="kill_task"``.
    """
    run = _Run(ctx, linked, *options)
    wanted = iter(items)
    try:
        while True:
            await run.fill(wanted, begin)
            for outcome in run.ready():
                yield outcome
            if not run.running:
                if run.exhausted:
                    return
                continue
            await run.wait()
    finally:
        run.close()


class _Run:
    """The state of one stream."""

    def __init__(
        self, ctx: Context, linked: bool, max_concurrency: int, ordered: bool, timeout_ms: int | None, on_timeout: str
    ) -> None:
        if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int) or max_concurrency < 1:
            raise UsageError("max_concurrency", max_concurrency, hint="give a whole number, 1 or more")
        if on_timeout not in ("exit", "kill_task"):
            raise UsageError("on_timeout", on_timeout, allowed=("exit", "kill_task"))
        self.ctx, self.linked, self.bound, self.ordered = ctx, linked, max_concurrency, ordered
        self.timeout_ms, self.on_timeout = timeout_ms, on_timeout
        self.running: dict[Ref, tuple[int, Task[Any], int | None]] = {}
        """Reference to number, task and deadline, the oldest first."""
        self.over: dict[int, Outcome] = {}
        self.begun = self.given = 0
        self.exhausted = False

    async def fill(self, wanted: Any, begin: Callable[[Any], Awaitable[Task[Any]]]) -> None:
        """Begin tasks while there are items and room."""
        while not self.exhausted and len(self.running) < self.bound:
            try:
                item = next(wanted)
            except StopIteration:
                self.exhausted = True
                return
            task = await begin(item)
            deadline = None if self.timeout_ms is None else self.ctx.now() + self.timeout_ms
            self.running[task.ref] = self.begun, task, deadline
            self.begun += 1

    def ready(self) -> list[Outcome]:
        """The outcomes that may be given out by now."""
        found = []
        if self.ordered:
            while self.given in self.over:
                found.append(self.over.pop(self.given))
                self.given += 1
            return found
        found, self.over = list(self.over.values()), {}
        return found

    async def wait(self) -> None:
        """Wait until one task is over."""
        _, _, deadline = next(iter(self.running.values()))
        left = None if deadline is None else max(0, deadline - self.ctx.now())
        message = await self.ctx.receive(self._is_end, timeout_ms=left, default=None)
        if message is None:
            self._late()
            return
        number, task, _ = self.running.pop(message.ref)
        self._take_leave(task)
        self.over[number] = Done(message.value) if type(message) is TaskReply else Died(message.reason)

    def _is_end(self, message: Any) -> bool:
        return type(message) in (TaskReply, Down) and message.ref in self.running

    def _late(self) -> None:
        ref, (number, task, _) = next(iter(self.running.items()))
        if self.on_timeout == "exit":
            raise CallTimeout("timeout", task.name, "async_stream")
        del self.running[ref]
        self._end(task)
        self.over[number] = Died("timeout")

    def _end(self, task: Task[Any]) -> None:
        self._take_leave(task)
        self.ctx.exit_signal(task.pid, KILL)

    def _take_leave(self, task: Task[Any]) -> None:
        """Hear of a task no more: neither of its result nor, by its link, of its end."""
        drop(self.ctx, task.ref)
        if self.linked:
            self.ctx.unlink(task.pid)
            relations.flush_exit(self.ctx._process, task.pid)

    def close(self) -> None:
        """End the tasks that nobody waits for any more."""
        for _, task, _ in self.running.values():
            self._end(task)
        self.running.clear()
