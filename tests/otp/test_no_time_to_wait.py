"""Time limits of 0: as in Erlang the wait is over before anybody else has had a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jupyter_sandbox.otp import (
    CallExit,
    CallTimeout,
    GenServer,
    Node,
    NoReply,
    OtpContext,
    Reply,
    StartError,
    sys,
)

WAYS: dict[str, Callable[[OtpContext, Any], Awaitable[Any]]] = {
    "call": lambda self, target: self.call(target, "next", 0),
    "stop": lambda self, target: self.stop(target, timeout_ms=0),
    "get_state": lambda self, target: sys.get_state(self, target, 0),
    "suspend": lambda self, target: sys.suspend(self, target, 0),
}


class Counter(GenServer):
    def init(self, argument: Any) -> Any:
        self.send("main", "init")
        return 0

    def handle_call(self, request: Any, caller: Any, n: Any) -> Any:
        return Reply(n, n + 1)

    def handle_info(self, message: Any, n: Any) -> Any:
        return NoReply(n)


@pytest.mark.parametrize("way", WAYS)
def test_a_call_with_no_time_to_wait_always_times_out_and_the_request_is_handled(way: str) -> None:
    async def main(self: OtpContext) -> Any:
        self.register("main")
        counter = await self.start(Counter)
        with pytest.raises(CallTimeout):
            await WAYS[way](self, counter)
        await self.sleep(10)
        return self.is_alive(counter)

    assert Node().run_function(main) is (way != "stop")


@pytest.mark.parametrize("way", WAYS)
def test_the_dead_time_out_too_and_a_name_that_nobody_has_does_not(way: str) -> None:
    async def main(self: OtpContext) -> Any:
        self.register("main")
        counter = await self.start(Counter)
        await self.stop(counter)
        with pytest.raises(CallTimeout):
            await WAYS[way](self, counter)
        with pytest.raises(CallExit) as caught:
            await WAYS[way](self, "nobody")
        return caught.value.exit_reason

    assert Node().run_function(main) == "noproc"


def test_a_late_answer_is_dropped_and_the_state_has_changed() -> None:
    async def main(self: OtpContext) -> Any:
        self.register("main")
        counter = await self.start(Counter)
        for _ in range(3):
            with pytest.raises(CallTimeout):
                await self.call(counter, "next", 0)
        found = await self.call(counter, "next")
        await self.receive(lambda message: message == "init")
        return found, await self.receive(timeout_ms=10, default="nothing")

    assert Node().run_function(main) == (3, "nothing")


@pytest.mark.parametrize("how", ["start", "start_link", "start_monitor"])
def test_a_start_with_no_time_to_wait_starts_nothing(how: str) -> None:
    async def main(self: OtpContext) -> Any:
        self.register("main")
        with pytest.raises(StartError) as caught:
            await getattr(self, how)(Counter, name="counter", timeout_ms=0)
        return caught.value.reason, self.whereis("counter"), await self.receive(timeout_ms=10, default="nothing")

    assert Node().run_function(main) == ("timeout", None, "nothing")
