"""Every ``sys`` function does the same in every behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jupyter_sandbox.otp import (
    IGNORE,
    KEEP,
    After,
    Agent,
    CallExit,
    CallTimeout,
    Child,
    DynamicSupervisor,
    Error,
    GenServer,
    GenStatem,
    NextState,
    Node,
    NoReply,
    Ok,
    OtpContext,
    Partitions,
    PartitionSupervisor,
    Pid,
    Registry,
    Reply,
    StartError,
    Supervisor,
    TaskSupervisor,
    sys,
    which_children,
)
from jupyter_sandbox.otp.sys import SysError


class Server(GenServer):
    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        return Reply(state, state)


class Machine(GenStatem):
    mode = "handle_event_function"

    def init(self, argument: Any) -> Any:
        return NextState("on", argument)

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        self.reply(event.caller, data)
        return KEEP


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return [Child(Server, 1, name="child")]


def _within_50_ms(command: str, argument: Any = None) -> Callable[[OtpContext], Any]:
    """What the functions of supervisors ask; they themselves wait for ever, as in OTP."""
    return lambda self: self.call("it", command if argument is None else (command, argument), 50)


KINDS: dict[str, tuple[Callable[[OtpContext], Any], Callable[[OtpContext], Any], Any]] = {
    "GenServer": (lambda self: self.start(Server, 7, name="it"), lambda self: self.call("it", "x", 50), Server),
    "GenStatem": (lambda self: self.start(Machine, 7, name="it"), lambda self: self.call("it", "x", 50), Machine),
    "Supervisor": (lambda self: self.start(Top, name="it"), _within_50_ms("which_children"), Top),
    "DynamicSupervisor": (
        lambda self: self.start(DynamicSupervisor, name="it"),
        _within_50_ms("start_child", (Child(Server, 1),)), DynamicSupervisor,
    ),
    "PartitionSupervisor": (
        lambda self: self.start(PartitionSupervisor, Partitions((Server, 0), 2), name="it"),
        _within_50_ms("count_children"), PartitionSupervisor,
    ),
    "TaskSupervisor": (
        lambda self: self.start(TaskSupervisor, name="it"), _within_50_ms("count_children"), TaskSupervisor
    ),
    "Agent": (
        lambda self: Agent.start(self, 7, name="it"),
        lambda self: Agent.get(self, "it", lambda value: value, timeout_ms=50), None,
    ),
    "Registry": (lambda self: Registry.start_link(self, "it"), None, None),
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)


def run(kind: str, do: Callable[[OtpContext, Pid, Any], Any]) -> Any:
    start, ask, _ = KINDS[kind]

    async def main(self: OtpContext) -> Any:
        pid = await start(self)
        return await do(self, pid, ask)

    return Node().run_function(main)


@every_kind
def test_suspend_and_resume(kind: str) -> None:
    async def do(self: OtpContext, pid: Pid, ask: Any) -> Any:
        before = await sys.get_state(self, pid)
        for _ in range(2):  # twice is once
            await sys.suspend(self, pid)
        status = (await sys.get_status(self, pid))["status"]
        if ask is not None:
            with pytest.raises(CallTimeout):
                await ask(self)
        suspended = self.process_info(pid)
        assert suspended is not None and (ask is None or suspended["message_queue_len"] == 1)
        if kind != "DynamicSupervisor":  # the start that timed out is done after resume, as in OTP
            assert await sys.get_state(self, pid) == before
        await sys.resume(self, pid)
        if ask is not None:
            assert await ask(self) is not None
        return status, (await sys.get_status(self, pid))["status"]

    assert run(kind, do) == ("suspended", "running")


@every_kind
def test_get_and_replace_state(kind: str) -> None:
    async def do(self: OtpContext, pid: Pid, ask: Any) -> None:
        state = await sys.get_state(self, pid)
        seen = []

        def same(old: Any) -> Any:
            seen.append(old)
            return old

        await sys.replace_state(self, pid, same)
        assert len(seen) == 1 and type(seen[0]) is type(state)

        def fails(old: Any) -> Any:
            raise ValueError("no")

        with pytest.raises(SysError, match="no"):
            await sys.replace_state(self, pid, fails)
        assert await sys.get_state(self, pid) == state
        if ask is not None:
            await ask(self)

    run(kind, do)


@every_kind
def test_status_names_the_module_the_parent_and_the_state(kind: str) -> None:
    async def do(self: OtpContext, pid: Pid, ask: Any) -> dict[str, Any]:
        return await sys.get_status(self, pid)

    status = run(kind, do)
    assert status["status"] == "running" and "state" in status and "parent" in status
    expected = KINDS[kind][2]
    assert expected is None or expected.__name__ in str(status["module"])


@every_kind
def test_statistics_log_trace_and_installed_functions(kind: str) -> None:
    async def do(self: OtpContext, pid: Pid, ask: Any) -> None:
        seen: list[Any] = []

        def note(state: Any, event: Any, name: Any) -> Any:
            seen.append(event)
            return state

        assert await sys.statistics(self, pid) is None
        await sys.statistics(self, pid, True)
        await sys.log(self, pid, True)
        await sys.trace(self, pid, True)
        await sys.install(self, pid, note)
        if ask is None:
            self.send(pid, "hello")
        else:
            await ask(self)
        counts, events = await sys.statistics(self, pid), await sys.log(self, pid)
        assert counts is not None and counts["messages_in"] >= 1
        assert events
        assert seen
        await sys.remove(self, pid, note)
        await sys.no_debug(self, pid)
        seen.clear()
        if ask is not None:
            await ask(self)
        assert (seen, await sys.statistics(self, pid)) == ([], None)

    run(kind, do)


@every_kind
def test_change_code_needs_a_suspended_process(kind: str) -> None:
    async def do(self: OtpContext, pid: Pid, ask: Any) -> None:
        module = self._process.node.processes[pid].behaviour
        state = await sys.get_state(self, pid)
        with pytest.raises(SysError):
            await sys.change_code(self, pid, module)
        await sys.suspend(self, pid)
        await sys.change_code(self, pid, module, "1")
        await sys.resume(self, pid)
        assert type(await sys.get_state(self, pid)) is type(state)
        if ask is not None:
            assert await ask(self) is not None

    run(kind, do)


@every_kind
def test_terminate(kind: str) -> None:
    async def do(self: OtpContext, pid: Pid, ask: Any) -> Any:
        self.trap_exit()
        ref = self.monitor(pid)
        await sys.terminate(self, pid, "shutdown")
        down = await self.receive(lambda message: getattr(message, "ref", None) == ref)
        with pytest.raises(CallExit):
            await sys.get_state(self, pid)
        return down.reason, self.whereis("it"), self.whereis("child")

    assert run(kind, do) == ("shutdown", None, None)


def test_change_code_of_a_supervisor_takes_new_flags_and_specifications() -> None:
    class Next(Supervisor):
        strategy = "one_for_all"

        def init(self, argument: Any) -> Any:
            return [Child(Server, 1, name="child"), Child(Server, 2, name="second")]

    class Broken(Supervisor):
        def init(self, argument: Any) -> Any:
            return [Child(Server, restart="always")]

    async def main(self: OtpContext) -> Any:
        top = await self.start(Top)
        child = self.whereis("child")
        await sys.suspend(self, top)
        with pytest.raises(SysError):
            await sys.change_code(self, top, Broken)
        assert (await sys.get_state(self, top)).flags.strategy == "one_for_one"
        await sys.change_code(self, top, Next)
        await sys.resume(self, top)
        assert self.whereis("child") == child and self.whereis("second") is None, "nobody is started or stopped"
        assert (await sys.get_state(self, top)).flags.strategy == "one_for_all"
        return [entry[:2] for entry in await which_children(self, top)]

    rows = Node().run_function(main)
    assert [row[0] for row in rows] == ["second", "child"] and rows[0][1] == "undefined"


@pytest.mark.parametrize("returned", ["nonsense", Error("no")])
def test_change_code_of_a_supervisor_whose_init_returns_no_specification_is_told_what_it_was(returned: Any) -> None:
    class Next(Supervisor):
        def init(self, argument: Any) -> Any:
            return returned

    async def main(self: OtpContext) -> Any:
        top = await self.start(Top)
        await sys.suspend(self, top)
        with pytest.raises(SysError) as caught:
            await sys.change_code(self, top, Next)
        await sys.resume(self, top)
        return caught.value.reason, len(await which_children(self, top))

    assert Node().run_function(main) == (returned, 1)


def test_change_code_of_a_supervisor_that_ignores_changes_nothing() -> None:
    class Next(Supervisor):
        strategy = "one_for_all"

        def init(self, argument: Any) -> Any:
            return IGNORE

    async def main(self: OtpContext) -> Any:
        top = await self.start(Top)
        await sys.suspend(self, top)
        await sys.change_code(self, top, Next)
        await sys.resume(self, top)
        return (await sys.get_state(self, top)).flags.strategy, len(await which_children(self, top))

    assert Node().run_function(main) == ("one_for_one", 1)


def test_who_is_started_twice_under_a_name_that_sys_suspended_is_refused_all_the_same() -> None:
    async def main(self: OtpContext) -> Any:
        pid = await self.start(Server, 1, name="it")
        await sys.suspend(self, "it")
        with pytest.raises(StartError) as refused:
            await self.start(Server, 1, name="it")
        return refused.value.reason == ("already_started", pid)

    assert Node().run_function(main) is True


class Waiting(GenServer):
    """Waits 100 ms for a message; its state is when it heard of the timeout."""

    def init(self, _: Any) -> Any:
        return Ok(None, After(100))

    def handle_info(self, message: Any, state: Any) -> Any:
        return NoReply(self.now())


def test_system_messages_leave_the_timeout_of_a_server_as_it_is() -> None:
    async def looked_at(self: OtpContext) -> Any:
        server = await self.start(Waiting)
        for _ in range(3):
            await self.sleep(30)
            await sys.get_state(self, server)
        await self.sleep(100)
        return await sys.get_state(self, server)

    async def suspended(self: OtpContext) -> Any:
        server = await self.start(Waiting)
        await self.sleep(60)
        await sys.suspend(self, server)
        await self.sleep(60)
        await sys.resume(self, server)
        await self.sleep(0)
        return await sys.get_state(self, server)

    assert (Node().run_function(looked_at), Node().run_function(suspended)) == (100, 120)
