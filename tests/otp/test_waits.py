"""Who waits for whom, since when, and deadlocks by name."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.model.views import WaitView
from jupyter_sandbox.otp import (
    Child,
    GenServer,
    Node,
    OtpContext,
    Reply,
    Supervisor,
    Task,
    sys,
    terminate_child,
)  # fmt: skip
from jupyter_sandbox.otp.waits import deadlocks, waits


class Friend(GenServer):
    """Does what it is asked: call a friend, wait, or start somebody slow."""

    async def init(self, argument: Any) -> Any:
        if argument == "slow":
            await self.sleep(100)
        return argument

    async def handle_call(self, request: Any, caller: Any, friend: Any) -> Any:
        match request:
            case ("call", *names):
                return Reply(await self.call(names[0], ("call", *names[1:]) if names[1:] else "stop", None), friend)
            case "sleep":
                await self.sleep(1_000)
            case "start":
                await self.start(Friend, "slow", name="slow")
            case "receive":
                await self.receive()
            case "outside":
                await self.outside(lambda: None)
            case "stop child":
                await terminate_child(self, "top", "front")
        return Reply("ok", friend)


def looked(*names: str, requests: dict[str, Any], ms: int = 20) -> tuple[tuple[WaitView, ...], Any]:
    """The waits of friends of these names ``ms`` after they were asked these things, and the deadlocks."""

    async def main(self: OtpContext) -> Any:
        for name in names:
            await self.start(Friend, name=name)
        await self.sleep(5)
        for name, request in requests.items():
            self.send_request(name, request)
        await self.sleep(ms)
        node = self._process.node
        return tuple(view for view in waits(node) if view.name in (*names, "slow")), deadlocks(node)

    found: tuple[tuple[WaitView, ...], Any] = Node().run_function(main)
    return found


def test_a_call_names_whom_it_waits_for_since_when_and_what_that_one_does() -> None:
    (first, second), locks = looked("a", "b", requests={"a": ("call", "b"), "b": "sleep"})

    assert (first.name, first.what, first.target, first.since_ms, first.until_ms) == ("a", "call", "b", 5, None)
    assert first.line() == "a waits for a reply from b to 'stop' since t = 0.005 s · b waits for sleep of 1000 ms"
    assert second.line() == "b waits for its sleep to end since t = 0.005 s, until t = 1.005 s"
    assert locks == ()


def test_a_deadlock_is_named_once_and_in_each_of_its_waits() -> None:
    views, locks = looked("a", "b", "c", "d", requests={
        "a": ("call", "b", "c"), "b": ("call", "c", "a"), "c": ("call", "a", "b"), "d": ("call", "a"),
    })  # fmt: skip

    assert locks == (("a", "b", "c"),)
    assert [view.cycle for view in views] == [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ()]
    assert views[0].line().endswith("deadlock: a → b → c → a")


def test_waiting_for_a_start_a_message_and_work_outside() -> None:
    views, _ = looked("a", "b", "c", requests={"a": "start", "b": "receive", "c": "outside"})

    assert [view.line() for view in views] == [
        "a waits for the start of slow since t = 0.005 s · slow waits for sleep of 100 ms",
        "b waits for a message since t = 0.005 s",
        "c waits for work outside since t = 0.005 s",
        "slow waits for its sleep to end since t = 0.005 s, until t = 0.105 s",
    ]


def test_a_child_that_asks_its_supervisor_to_stop_it_is_a_deadlock() -> None:
    class Top(Supervisor):
        def init(self, argument: Any) -> Any:
            return [Child(Patient, name="front")]

    class Patient(Friend):
        async def init(self, argument: Any) -> Any:
            self.trap_exit()
            return argument

    async def main(self: OtpContext) -> Any:
        await self.start(Top, name="top")
        self.send_request("front", "stop child")
        await self.sleep(10)
        found = [view.line() for view in waits(self._process.node) if view.cycle], deadlocks(self._process.node)
        await self.sleep(6_000)
        return found, deadlocks(self._process.node)

    ((top, front), locks), later = Node().run_function(main)
    assert locks == (("top", "front"),)
    assert top == "top waits for the end of front since t = 0.000 s · deadlock: top → front → top"
    assert front.startswith("front waits for a reply from top to")
    assert later == ()


def test_who_awaits_a_task_waits_for_its_end() -> None:
    async def work(self: OtpContext) -> None:
        await self.sleep(100)

    async def main(self: OtpContext) -> Any:
        async def owner(self: OtpContext) -> None:
            self.register("owner")
            task = Task.async_(self, work)
            self._process.node.processes[task.pid].label = "work"
            await Task.await_(self, task)

        self.spawn(owner)
        await self.sleep(10)
        return [view.line() for view in waits(self._process.node) if view.name == "owner"]

    (line,) = Node().run_function(main)
    assert line.startswith("owner waits for the end of 'work' <0.2.0> since t = 0.000 s")


def test_a_suspended_process_is_told_as_what_is_waited_for() -> None:
    async def main(self: OtpContext) -> Any:
        await self.start(Friend, name="a")
        await self.start(Friend, name="b")
        await sys.suspend(self, "b")
        self.send_request("a", ("call", "b"))
        await self.sleep(10)
        return [view.line() for view in waits(self._process.node) if view.name == "a"]

    assert Node().run_function(main) == ["a waits for a reply from b to 'stop' since t = 0.000 s · b is suspended"]


def test_looking_takes_no_step() -> None:
    async def main(self: OtpContext) -> Any:
        await self.start(Friend, name="a")
        self.send_request("a", "sleep")
        await self.sleep(1)
        node = self._process.node
        before = node.step_number, node.hash
        waits(node)
        return before == (node.step_number, node.hash)

    assert Node().run_function(main)
