"""Tasks under a supervisor: with and without a link to their owner."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.otp import CallTimeout, Died, Done, Down, Node, OtpContext, Task, TaskSupervisor, sys

from .work import work


def run(main: Any) -> Any:
    return Node().run_function(main)


async def started(self: OtpContext) -> None:
    await self.start_link(TaskSupervisor, name="tasks")


def test_the_crash_of_a_task_without_a_link_is_an_outcome_or_a_message() -> None:
    async def main(self: OtpContext) -> Any:
        await started(self)
        task = await TaskSupervisor.async_nolink(self, "tasks", work, 10, KeyError("x"))
        outcome = await Task.yield_(self, task)
        other = await TaskSupervisor.async_nolink(self, "tasks", work, 10, KeyError("x"))
        down = await self.receive(Down)
        return outcome, down.ref == other.ref

    outcome, same = run(main)
    assert isinstance(outcome, Died)
    assert isinstance(outcome.reason, Crash)
    assert same


def test_the_crash_of_a_linked_task_is_its_owners() -> None:
    async def owner(self: OtpContext) -> None:
        await TaskSupervisor.async_(self, "tasks", work, 10, KeyError("x"))
        await self.sleep(100)

    async def main(self: OtpContext) -> Any:
        await started(self)
        self.spawn_monitor(owner)
        return (await self.receive(Down)).reason, self.is_alive(self.whereis("tasks") or self.pid)

    reason, alive = run(main)
    assert isinstance(reason, Crash)
    assert alive


def test_tasks_end_with_their_supervisor() -> None:
    async def main(self: OtpContext) -> Any:
        self.trap_exit()
        await started(self)
        task = await TaskSupervisor.async_nolink(self, "tasks", work, 60_000)
        shown = await TaskSupervisor.tasks(self, "tasks")
        await self.stop("tasks")
        return shown == [task.pid], await Task.yield_(self, task)

    assert run(main) == (True, Died("shutdown"))


def test_a_task_whose_owner_is_gone_before_it_begins_does_not_run() -> None:
    ran: list[int] = []

    async def mark(self: OtpContext) -> None:
        ran.append(1)

    async def owner(self: OtpContext) -> None:
        await TaskSupervisor.async_nolink(self, "tasks", mark)

    async def main(self: OtpContext) -> Any:
        await started(self)
        await sys.suspend(self, "tasks")
        pid = self.spawn(owner)
        await self.sleep(1)
        self.exit_signal(pid, "kill")
        await sys.resume(self, "tasks")
        await self.sleep(1)
        return await TaskSupervisor.tasks(self, "tasks")

    assert run(main) == []
    assert ran == []


def test_a_started_task_has_a_restart_of_its_own_choice() -> None:
    async def main(self: OtpContext) -> Any:
        await started(self)
        first = await TaskSupervisor.start_task(self, "tasks", work, 10, KeyError("x"), restart="transient")
        await TaskSupervisor.start_task(self, "tasks", work, 10, KeyError("x"))
        await self.sleep(15)
        tasks = await TaskSupervisor.tasks(self, "tasks")
        await TaskSupervisor.terminate_task(self, "tasks", tasks[0])
        return len(tasks), tasks[0] != first, await TaskSupervisor.tasks(self, "tasks")

    assert run(main) == (1, True, [])


def test_a_stream_without_links_goes_on_after_a_crash() -> None:
    async def halve(self: OtpContext, n: int) -> int:
        return n // (n % 2)

    async def main(self: OtpContext) -> Any:
        await started(self)
        stream = TaskSupervisor.async_stream(self, "tasks", [1, 2, 3], halve, linked=False, max_concurrency=1)
        return [outcome async for outcome in stream]

    first, second, third = run(main)
    assert (first, third) == (Done(1), Done(3))
    assert second.reason.error == "ZeroDivisionError"


def test_shutdown_and_await_work_as_on_any_task() -> None:
    async def main(self: OtpContext) -> Any:
        await started(self)
        task = await TaskSupervisor.async_(self, "tasks", work, 60_000)
        with pytest.raises(CallTimeout):
            await Task.await_(self, task, 10)
        other = await TaskSupervisor.async_(self, "tasks", work, 60_000)
        return await Task.shutdown(self, other)

    assert run(main) is None
