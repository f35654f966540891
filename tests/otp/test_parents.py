"""Whose parent is who, what a starter hears of a failed start, and requests that are passed on."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from jupyter_sandbox.otp import (
    IGNORE,
    Child,
    Down,
    Exit,
    GenServer,
    GenStatem,
    KeepState,
    NextState,
    Node,
    NoReply,
    OtpContext,
    ProcessExit,
    Reply,
    StartError,
    Stop,
    Supervisor,
    sys,
)
from jupyter_sandbox.runtime import Notify, Request, SystemRequest


class Echo(GenServer):
    """Traps exits; tells the process ``main`` what it is given, and how it ends."""

    def init(self, argument: Any) -> Any:
        self.trap_exit()
        return argument

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        return Reply(("echo", request), state)

    def handle_cast(self, request: Any, state: Any) -> Any:
        self.send("main", ("cast", request))
        return NoReply(state)

    def handle_info(self, message: Any, state: Any) -> Any:
        self.send("main", ("info", message))
        return NoReply(state)

    def terminate(self, reason: Any, state: Any) -> Any:
        self.send("main", ("terminate", reason))


class Machine(GenStatem):
    mode = "handle_event_function"

    def init(self, argument: Any) -> Any:
        self.trap_exit()
        return NextState("on", argument)

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        self.send("main", ("info", event.content))
        return KeepState(data)

    def terminate(self, reason: Any, state: Any, data: Any) -> Any:
        self.send("main", ("terminate", reason))


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return [Child(Echo, id="echo")]


def in_main(body: Any) -> Any:
    """What ``body`` returns, run by a process with the name ``main``."""

    async def main(self: OtpContext) -> Any:
        self.register("main")
        return await body(self)

    return Node().run_function(main)


@pytest.mark.parametrize("kind", [Echo, Machine])
def test_who_starts_with_a_monitor_is_the_parent(kind: Any) -> None:
    async def body(self: OtpContext) -> Any:
        pid, _ = await self.start_monitor(kind)
        self.exit_signal(pid, "enough")
        return await self.receive(tuple), await self.receive(lambda message: type(message) is Down)

    told, down = in_main(body)
    assert told == ("terminate", "enough")
    assert down.reason == "enough"


@pytest.mark.parametrize("kind", [Echo, Machine])
def test_who_was_started_without_a_link_is_its_own_parent(kind: Any) -> None:
    async def body(self: OtpContext) -> Any:
        pid = await self.start(kind)
        self.exit_signal(pid, "of a stranger")
        stranger = await self.receive(tuple)
        self.send(pid, Exit(pid, "of its own"))
        return stranger, await self.receive(tuple)

    (what, message), own = in_main(body)
    assert (what, message.reason) == ("info", "of a stranger")
    assert own == ("terminate", "of its own")


@pytest.mark.parametrize("suspended", [False, True])
def test_a_suspended_process_obeys_the_same_parent(suspended: bool) -> None:
    async def body(self: OtpContext) -> Any:
        pid = await self.start(Echo)
        if suspended:
            await sys.suspend(self, pid)
        self.send(pid, Exit(pid, "enough"))
        return await self.receive(tuple)

    assert in_main(body) == ("terminate", "enough")


async def finish(self: Any) -> None:
    """Ends in good order before it has acknowledged its start."""


async def cut_and_fail(self: Any) -> None:
    self.unlink(self.parent)
    self.exit("boom")


@pytest.mark.parametrize(
    ("function", "traps", "outcome"),
    [(finish, True, "normal"), (finish, False, "waits"), (cut_and_fail, True, "waits")],
    ids=["trapped", "normal", "unlinked"],
)
def test_who_starts_with_a_link_hears_of_an_early_end_by_the_link_alone(
    function: Any, traps: bool, outcome: str
) -> None:
    async def body(self: OtpContext) -> Any:
        self.trap_exit(traps)
        try:
            await self.start_plain(function, relation="link", timeout_ms=100)
        except StartError as error:
            return error.reason, self.now()

    reason, now = in_main(body)
    assert (reason, now) == (("timeout", 100) if outcome == "waits" else (outcome, 0))


def test_a_server_that_does_not_start_says_so_itself() -> None:
    class Unwilling(GenServer):
        def init(self, argument: Any) -> Any:
            self.unlink(self.parent)
            self.exit("normal")

    async def body(self: OtpContext) -> Any:
        with pytest.raises(StartError) as failed:
            await self.start_link(Unwilling, timeout_ms=100)
        return failed.value.reason

    assert in_main(body) == "normal"


@pytest.mark.parametrize("outcome", [Stop("why"), Stop("normal"), IGNORE, ProcessExit("why"), ValueError("why")])
def test_a_failed_start_with_a_link_leaves_no_exit_message(outcome: Any) -> None:
    class Unwilling(GenServer):
        def init(self, argument: Any) -> Any:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    async def body(self: OtpContext) -> Any:
        self.trap_exit()
        with suppress(StartError):
            assert await self.start_link(Unwilling) is None
        await self.sleep(20)
        return await self.receive(timeout_ms=0, default=None)

    assert in_main(body) is None


def test_a_plain_process_may_pass_requests_on() -> None:
    async def proxy(self: Any, server: Any) -> None:
        while True:
            self.send(server, await self.receive(lambda message: type(message) in (Notify, Request, SystemRequest)))

    async def body(self: OtpContext) -> Any:
        door = self.spawn_link(proxy, await self.start(Echo, "state"))
        self.cast(door, 1)
        cast = await self.receive(tuple)
        return cast, await self.call(door, 2), await sys.get_state(self, door)

    assert in_main(body) == (("cast", 1), ("echo", 2), "state")


@pytest.mark.parametrize(("message", "lives"), [("hello", False), (("try_again_restart", "echo"), True)])
def test_a_cast_that_is_sent_as_a_message_is_a_cast_for_a_supervisor_too(message: Any, lives: bool) -> None:
    async def body(self: OtpContext) -> Any:
        top = await self.start(Top)
        self.send(top, Notify(message))
        await self.sleep(1)
        return self.is_alive(top)

    assert in_main(body) is lives
