"""sys: statistics, log, trace, install and remove, for every behaviour, and nothing left behind when they are off."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.otp import (
    KEEP,
    After,
    Answer,
    Call,
    Child,
    GenServer,
    GenStatem,
    Keep,
    NextState,
    Node,
    NoReply,
    OtpContext,
    Reply,
    SetStateTimeout,
    StateTimeout,
    Stop,
    Supervisor,
    sys,
    which_children,
)  # fmt: skip
from jupyter_sandbox.otp.debug import Debug, In, NewState, Out


class Server(GenServer):
    """Answers at once, later, or after a wait."""

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        match request:
            case "later":
                return NoReply(caller, then=After(10))
            case "wait":
                return self._wait(state)
            case "stop":
                return Stop("normal", state, "bye")
        return Reply(request, state)

    async def _wait(self, state: Any) -> Any:
        await self.sleep(10)
        return Reply("waited", state)

    def handle_info(self, message: Any, state: Any) -> Any:
        if message == "timeout":
            self.reply(state, "at last")
        return NoReply("idle")


class Machine(GenStatem):
    """Answers by its state timeout, after a wait."""

    def init(self, argument: Any) -> Any:
        return NextState("ready", None)

    async def ready(self, event: Any, data: Any) -> Any:
        match event:
            case Call(ms, caller):
                await self.sleep(1)
                return NextState("ready", caller, [SetStateTimeout(ms)])
            case StateTimeout():
                return Keep(Answer(data, "up"))
        return KEEP


class Top(Supervisor):
    """With one child."""

    def init(self, argument: Any) -> Any:
        return [Child(Server, name="server")]


def run(main: Any) -> Any:
    return Node().run_function(main)


async def logged(self: OtpContext, target: Any, *requests: Any) -> list[Any]:
    """The log of a process over some calls, senders left out."""
    await sys.log(self, target, 50)
    for request in requests:
        await self.call(target, request)
    events = await sys.log(self, target)
    assert events is not None
    return [type(event)(event[0], None) if len(event) == 2 else event for event in events]


def test_the_log_has_what_came_in_what_was_answered_and_the_state_after() -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "idle")
        return await logged(self, server, "now", "wait")

    assert run(main) == [
        In("now", None), Out("now", None), NewState("idle"), In("wait", None), Out("waited", None), NewState("idle"),
    ]  # fmt: skip


def test_the_log_has_timeouts_and_answers_given_later() -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "idle")
        return [event for event in await logged(self, server, "later") if not isinstance(event, NewState)]

    assert run(main) == [In("later", None), In("timeout", None), Out("at last", None)]


def test_a_machines_log_has_its_own_events() -> None:
    async def main(self: OtpContext) -> Any:
        machine = await self.start(Machine)
        events = await logged(self, machine, 5, 0)
        return [event for event in events if not isinstance(event, NewState)]

    assert run(main) == [
        In(5, None), In(StateTimeout(None), None), Out("up", None),
        In(0, None), In(StateTimeout(None), None), Out("up", None),
    ]  # fmt: skip


def test_a_supervisors_log_has_exits_and_questions() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Top)
        await sys.log(self, top, True)
        self.exit_signal(self.whereis("server"), "kill")
        await self.sleep(1)
        await which_children(self, top)
        events = await sys.log(self, top)
        return [type(event).__name__ for event in events or ()]

    assert run(main) == ["In", "NewState", "In", "Out", "NewState"]


def test_the_log_keeps_as_many_events_as_asked_for_ten_at_first() -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "idle")
        await sys.log(self, server, True)
        for number in range(5):
            await self.call(server, number)
        ten = await sys.log(self, server) or []
        await sys.log(self, server, 2)
        two = await sys.log(self, server)
        with pytest.raises(UsageError):
            await sys.log(self, server, 0)
        await sys.log(self, server, False)
        return len(ten), two, await sys.log(self, server)

    length, two, none = run(main)
    assert (length, none) == (10, [])
    assert two is not None
    assert isinstance(two[0], Out)


def test_statistics_count_from_when_they_were_turned_on() -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "idle")
        before = await sys.statistics(self, server)
        await self.sleep(5)
        await sys.statistics(self, server, True)
        for request in ("now", "wait"):
            await self.call(server, request)
        self.send(server, "message")
        await sys.statistics(self, server, True)
        found = await sys.statistics(self, server) or {}
        reductions = found.pop("reductions")
        await sys.statistics(self, server, False)
        return before, found, reductions > 3, await sys.statistics(self, server)

    counts = {"start_time": 5, "current_time": 15, "messages_in": 3, "messages_out": 2}
    assert run(main) == (None, counts, True, None)


def test_a_trace_writes_to_the_logger() -> None:
    lines: list[str] = []
    node = Node(sink=lambda kind, process, data: lines.append(data[1]) if kind == "log" else None)

    async def main(self: OtpContext) -> Any:
        await self.start(Server, "idle", name="front")
        await sys.trace(self, "front", True)
        await self.call("front", "now")
        await sys.trace(self, "front", False)
        await self.call("front", "then")

    node.run_function(main)
    words = [line.rpartition(" from ")[0] or line.rpartition(" to ")[0] or line for line in lines]
    assert words == ["*DBG* front got 'now'", "*DBG* front sent 'now'", "*DBG* front new state 'idle'"]


def test_an_installed_function_sees_every_event_until_it_is_done_fails_or_is_removed() -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "idle", name="front")
        seen: list[Any] = []

        def count(n: int, event: Any, name: Any) -> Any:
            seen.append(("count", n, name))
            return sys.DONE if n == 2 else n + 1

        def fail(state: Any, event: Any, name: Any) -> Any:
            seen.append("fail")
            raise ValueError

        def keep(state: Any, event: Any, name: Any) -> Any:
            seen.append(state)
            return state

        await sys.install(self, server, count, 0)
        await sys.install(self, server, fail)
        await sys.install(self, server, keep, "kept", id="mine")
        await sys.install(self, server, keep, "twice", id="mine")
        await self.call(server, "now")
        await sys.remove(self, server, "mine")
        await self.call(server, "then")
        return seen, self._process.node.processes[server].debug

    counted = [("count", n, "front") for n in range(3)]
    assert run(main) == ([counted[0], "fail", "kept", counted[1], "kept", counted[2], "kept"], None)


@pytest.mark.parametrize("behaviour", [Server, Machine, Top])
def test_nothing_is_left_behind_when_all_is_off(behaviour: Any) -> None:
    async def main(self: OtpContext) -> Any:
        pid = await self.start(behaviour, "idle")
        process = self._process.node.processes[pid]
        plain = process.dispatch
        await sys.statistics(self, pid, True)
        await sys.trace(self, pid, True)
        during = process.dispatch
        await sys.no_debug(self, pid)
        return during is not plain, process.dispatch is plain, process.debug

    assert run(main) == (True, True, None)


def test_debugging_survives_a_code_change() -> None:
    class Newer(Server):
        pass

    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "idle")
        await sys.statistics(self, server, True)
        await sys.suspend(self, server)
        await sys.change_code(self, server, Newer)
        await sys.resume(self, server)
        await self.call(server, "now")
        return await sys.statistics(self, server)

    assert run(main)["messages_in"] == 1


def test_debugging_changes_neither_answers_nor_ends() -> None:
    async def main(self: OtpContext, watched: bool) -> Any:
        server = await self.start(Server, "idle")
        if watched:
            await sys.log(self, server, True)
        ref = self.monitor(server)
        answers = [await self.call(server, request) for request in ("a", "wait", "later", "stop")]
        down = await self.receive()
        return answers, down.ref == ref, down.reason

    assert Node().run_function(main, True) == Node().run_function(main, False)


def test_what_is_noted_can_be_saved() -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "idle")
        await sys.log(self, server, True)
        await sys.statistics(self, server, True)
        await self.call(server, "now")
        debug = self._process.node.processes[server].debug
        assert isinstance(debug, Debug)
        return pickle.loads(pickle.dumps(debug)) == debug

    assert run(main)


@pytest.mark.parametrize("wrong", ["get", 0, -1, 2.5, "true"])
@pytest.mark.parametrize("what", [sys.statistics, sys.log, sys.trace])
def test_a_switch_that_is_none_is_refused_before_anything_is_done(what: Any, wrong: Any) -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(UsageError, match="give True"):
            await what(self, self.pid, wrong)

    Node().run_function(main)
