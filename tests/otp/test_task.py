"""Tasks: results awaited, deaths shared, shutdown, and streams of a bounded number of tasks at a time."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.model.exits import CallFailed, Crash
from jupyter_sandbox.otp import (
    CallExit,
    CallTimeout,
    Child,
    Died,
    Done,
    Down,
    Exit,
    GenServer,
    Node,
    NoReply,
    OtpContext,
    ReceiveTimeout,
    Reply,
    Supervisor,
    Task,
    TaskReply,
    TaskSupervisor,
    count_children,
)  # fmt: skip

from .work import work


def run(main: Any) -> Any:
    return Node().run_function(main)


def test_tasks_run_at_the_same_time_and_are_awaited_in_any_order() -> None:
    async def main(self: OtpContext) -> Any:
        slow, fast = Task.async_(self, work, 100, "slow"), Task.async_(self, work, 10, "fast")
        return await Task.await_(self, slow), await Task.await_(self, fast), self.now()

    assert run(main) == ("slow", "fast", 100)


def test_a_task_may_return_what_it_asked_another_process() -> None:
    class Echo(GenServer):
        def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
            self.reply(caller, request)
            return NoReply(state)

    async def main(self: OtpContext) -> Any:
        echo = await self.start(Echo)
        return await Task.await_(self, Task.async_(self, lambda self: self.call(echo, "hi")))

    assert run(main) == "hi"


def test_who_awaits_too_long_is_told_and_the_late_result_is_dropped() -> None:
    async def main(self: OtpContext) -> Any:
        task = Task.async_(self, work, 100)
        with pytest.raises(CallTimeout) as late:
            await Task.await_(self, task, 50)
        with pytest.raises(ReceiveTimeout):
            await self.receive(timeout_ms=100)
        return late.value.exit_reason, late.value.function

    assert run(main) == ("timeout", "await")


def test_who_does_not_catch_a_failed_await_exits_with_it() -> None:
    async def impatient(self: OtpContext) -> None:
        await Task.await_(self, Task.async_(self, work, 100), 50)

    async def main(self: OtpContext) -> Any:
        _, ref = self.spawn_monitor(impatient)
        return (await self.receive(lambda message: message.ref == ref)).reason

    reason = run(main)
    assert isinstance(reason, CallFailed)
    assert (reason.reason, reason.function) == ("timeout", "await")


def test_a_task_and_its_owner_share_their_fate() -> None:
    async def owner(self: OtpContext, task_dies: bool) -> None:
        task = Task.async_(self, work, 10, KeyError("x") if task_dies else "fine")
        self.send("main", task.pid)
        await self.sleep(5)
        if not task_dies:
            self.exit("boom")
        await self.sleep(100)

    async def main(self: OtpContext) -> Any:
        self.register("main")
        reasons = []
        for task_dies in (True, False):
            _, owner_ref = self.spawn_monitor(owner, task_dies)
            task_ref = self.monitor(await self.receive())
            for ref in (owner_ref, task_ref):
                reasons.append((await self.receive(lambda message, ref=ref: message.ref == ref)).reason)
        return reasons

    first, second, third, fourth = run(main)
    assert isinstance(first, Crash)
    assert first == second
    assert (third, fourth) == ("boom", "boom")


def test_an_owner_that_traps_exits_is_told_why_its_task_died() -> None:
    async def main(self: OtpContext) -> Any:
        self.trap_exit()
        with pytest.raises(CallExit) as died:
            await Task.await_(self, Task.async_(self, work, 1, KeyError("x")))
        return repr(died.value.exit_reason), type(await self.receive())

    assert run(main) == ("KeyError: 'x'", Exit)


def test_yield_gives_none_while_the_task_runs_and_then_its_outcome() -> None:
    async def main(self: OtpContext) -> Any:
        self.trap_exit()
        good, bad = Task.async_(self, work, 100, 7), Task.async_(self, work, 100, KeyError("x"))
        early = await Task.yield_(self, good, 50)
        late = await Task.yield_(self, good, 100)
        return early, late, await Task.yield_(self, bad)

    early, late, bad = run(main)
    assert (early, late) == (None, Done(7))
    assert isinstance(bad, Died)
    assert isinstance(bad.reason, Crash)


def test_shutdown_ends_a_task_without_ending_its_owner_and_keeps_a_result_that_came_first() -> None:
    async def stubborn(self: OtpContext) -> None:
        self.trap_exit()
        await self.sleep(60_000)

    async def main(self: OtpContext) -> Any:
        ready = Task.async_(self, work, 0, 1)
        await self.sleep(1)
        outcomes = [await Task.shutdown(self, ready)]
        outcomes.append(await Task.shutdown(self, Task.async_(self, work, 100)))
        outcomes.append(await Task.shutdown(self, Task.async_(self, work, 100), "brutal_kill"))
        deaf = Task.async_(self, stubborn)
        await self.sleep(1)
        begun = self.now()
        outcomes.append(await Task.shutdown(self, deaf, 30))
        return outcomes, self.now() - begun

    assert run(main) == ([Done(1), None, None, None], 30)


def test_only_the_owner_may_await_a_task() -> None:
    async def main(self: OtpContext) -> Any:
        task = Task.async_(self, work, 10, 5)
        self.trap_exit()
        other = Task.async_(self, lambda self: Task.await_(self, task))
        end = await Task.yield_(self, other)
        return end, await Task.await_(self, task)

    end, value = run(main)
    assert end.reason.error == "UsageError"
    assert value == 5


def test_await_many_has_one_time_limit_for_all() -> None:
    async def main(self: OtpContext) -> Any:
        tasks = [Task.async_(self, work, ms, ms) for ms in (30, 10, 20)]
        values = await Task.await_many(self, tasks, 40)
        self.trap_exit()
        with pytest.raises(CallTimeout):
            await Task.await_many(self, [Task.async_(self, work, ms, ms) for ms in (30, 60)], 40)
        return values, self.now()

    assert run(main) == ([30, 10, 20], 70)


def test_a_server_may_take_the_result_as_a_message() -> None:
    class Asking(GenServer):
        def handle_cast(self, request: Any, state: Any) -> Any:
            return NoReply(Task.async_(self, work, 10, request).ref)

        def handle_info(self, message: Any, state: Any) -> Any:
            match message:
                case TaskReply(ref, value) if ref == state:
                    self.send("main", value)
            return NoReply(None)

    async def main(self: OtpContext) -> Any:
        self.register("main")
        self.cast(await self.start(Asking), "answer")
        return await self.receive()

    assert run(main) == "answer"


@pytest.mark.parametrize("nolink", [False, True])
def test_who_takes_the_result_as_a_message_hears_of_the_end_too_unless_it_demonitors(nolink: bool) -> None:
    async def main(self: OtpContext) -> Any:
        tasks = await self.start(TaskSupervisor)

        async def begin() -> Task[Any]:
            if nolink:
                return await TaskSupervisor.async_nolink(self, tasks, work, 10, "done")
            return Task.async_(self, work, 10, "done")

        first, heard = await begin(), []
        await self.sleep(20)
        while (message := await self.receive(timeout_ms=0, default=None)) is not None:
            heard.append(message)
        for _ in range(2):
            task = await begin()
            await self.receive(TaskReply)
            self.demonitor(task.ref, flush=True)
        awaited = await begin()
        await Task.await_(self, awaited)
        await self.sleep(20)
        left = await self.receive(timeout_ms=0, default=None), self._process.aliases
        return heard == [TaskReply(first.ref, "done"), Down(first.ref, first.pid, "normal")], left

    heard, (left, aliases) = run(main)
    assert heard and left is None and not aliases


def test_a_task_among_children_runs_once() -> None:
    class Top(Supervisor):
        def init(self, argument: Any) -> Any:
            return [(Task, (work, 10)), Child(GenServer, id="other")]

    async def main(self: OtpContext) -> Any:
        top = await self.start(Top)
        counts = [await count_children(self, top)]
        await self.sleep(20)
        return [*counts, await count_children(self, top)]

    first, second = run(main)
    assert (first["active"], second["active"], second["specs"]) == (2, 1, 1)


# --- streams ----------------------------------------------------------------------------------------------------------


async def outcomes(self: OtpContext, items: Any, function: Any, **options: Any) -> list[Any]:
    return [outcome async for outcome in Task.async_stream(self, items, function, **options)]


def test_a_stream_keeps_the_order_of_its_items_unless_told_otherwise() -> None:
    async def main(self: OtpContext) -> Any:
        items = [30, 10, 20]
        return await outcomes(self, items, _itself), await outcomes(self, items, _itself, ordered=False)

    assert run(main) == ([Done(30), Done(10), Done(20)], [Done(10), Done(20), Done(30)])


async def _itself(self: OtpContext, ms: int) -> int:
    await self.sleep(ms)
    return ms


def test_a_stream_never_runs_more_tasks_at_a_time_than_it_may() -> None:
    async def main(self: OtpContext) -> Any:
        most = 0

        async def count(me: OtpContext, item: int) -> int:
            nonlocal most
            most = max(most, len(self._process.links or ()))
            await me.sleep(10)
            return item

        found = await outcomes(self, range(10), count, max_concurrency=3)
        return most, len(found), self.now()

    assert run(main) == (3, 10, 40)


def test_a_stream_takes_items_only_as_it_needs_them_and_ends_its_tasks_when_left() -> None:
    async def main(self: OtpContext) -> Any:
        taken: list[int] = []

        def endless() -> Any:
            while True:
                taken.append(len(taken))
                yield taken[-1]

        async for outcome in Task.async_stream(self, endless(), _itself, max_concurrency=2):
            if outcome == Done(3):
                break
        await self.sleep(0)
        return len(taken), len(self._process.links or ()), self.process_info(self.pid)

    taken, links, info = run(main)
    assert taken <= 6
    assert links == 0
    assert info["message_queue_len"] == 0


def test_a_task_of_a_stream_that_takes_too_long_ends_the_stream_or_is_killed() -> None:
    async def main(self: OtpContext) -> Any:
        killed = await outcomes(self, [10, 100, 20], _itself, timeout_ms=50, on_timeout="kill_task")
        with pytest.raises(CallTimeout):
            await outcomes(self, [10, 100, 20], _itself, timeout_ms=50)
        return killed, len(self._process.links or ())

    assert run(main) == ([Done(10), Died("timeout"), Done(20)], 0)


@pytest.mark.parametrize("supervised", [False, True])
def test_nothing_of_a_streams_tasks_is_left_with_an_owner_that_traps_exits(supervised: bool) -> None:
    """They end well, crash, are late, and are left behind; the exits of others are told as ever."""

    async def crash(self: OtpContext, ms: int) -> int:
        await self.sleep(ms)
        return ms if ms else self.exit("tired")

    async def main(self: OtpContext) -> Any:
        self.trap_exit()
        tasks = await self.start(TaskSupervisor)

        def begin(items: Any, **options: Any) -> Any:
            if supervised:
                return TaskSupervisor.async_stream(self, tasks, items, crash, **options)
            return Task.async_stream(self, items, crash, **options)

        found = [outcome async for outcome in begin([30, 0, 10], max_concurrency=2)]
        late = [outcome async for outcome in begin([10, 100], timeout_ms=50, on_timeout="kill_task")]
        async for outcome in begin([10, 0, 20, 100], ordered=False):
            if outcome == Done(10):
                break
        other = self.spawn_link(lambda self: self.exit("other"))
        await self.sleep(500)
        left = [await self.receive(timeout_ms=0, default=None) for _ in range(2)]
        return found, late, left == [Exit(other, "other"), None]

    expected = [Done(30), Died("tired"), Done(10)], [Done(10), Died("timeout")], True
    assert run(main) == expected


def test_a_server_that_traps_exits_hears_nothing_of_its_streams() -> None:
    class Owner(GenServer):
        def init(self, _: Any) -> Any:
            self.trap_exit()
            return []

        async def handle_cast(self, items: Any, state: Any) -> Any:
            return NoReply(await outcomes(self, items, _itself, max_concurrency=2))

        def handle_info(self, message: Any, state: Any) -> Any:
            return NoReply([*state, message])

        def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
            return Reply(state, state)

    async def main(self: OtpContext) -> Any:
        owner = await self.start(Owner)
        self.cast(owner, [3, 0, 2, 1])
        await self.sleep(50)
        return await self.call(owner, "heard")

    assert run(main) == [Done(3), Done(0), Done(2), Done(1)]


@pytest.mark.parametrize("options", [{"max_concurrency": 0}, {"max_concurrency": True}, {"on_timeout": "wait"}])
def test_bad_options_of_a_stream_are_named(options: Any) -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(UsageError, match=next(iter(options))):
            await outcomes(self, [1], _itself, **options)

    run(main)
