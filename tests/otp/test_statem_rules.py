"""Rules of the state machine: what its callbacks may not return, and in which order its events come."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.otp import (
    KEEP,
    POSTPONE,
    Cast,
    Down,
    Enter,
    GenStatem,
    Internal,
    Keep,
    KeepState,
    NextEvent,
    NextState,
    Node,
    OtpContext,
    SetStateTimeout,
)  # fmt: skip


class Obedient(GenStatem):
    """Returns what it is cast; on entering ``strict``, what its data is."""

    mode = "handle_event_function"
    state_enter = True

    def init(self, argument: Any) -> Any:
        return NextState("first", argument)

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        if isinstance(event, Enter):
            return data if state == "strict" else KEEP
        return event.content


def reason_of(argument: Any, returned: Any) -> Any:
    """What the machine crashes with when it returns this."""

    async def main(self: OtpContext) -> Any:
        machine = await self.start(Obedient, argument)
        self.monitor(machine)
        self.cast(machine, returned)
        return (await self.receive(Down)).reason

    crash = Node().run_function(main)
    assert isinstance(crash, Crash)
    return crash.value


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        ("what", "bad_return_from_state_function"),
        (None, "bad_return_from_state_function"),
        (Keep(["what"]), "bad_action_from_state_function"),
        (Keep([SetStateTimeout(-1)]), "bad_action_from_state_function"),
        (Keep([SetStateTimeout("soon")]), "bad_action_from_state_function"),
        (Keep([("change_callback_module", "other")]), "bad_action_from_state_function"),
    ],
)
def test_what_a_callback_may_not_return(returned: Any, kind: str) -> None:
    assert reason_of(None, returned)[0] == kind


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        (NextState("other", 1), "bad_state_enter_return_from_state_function"),
        (Keep([POSTPONE]), "bad_state_enter_action_from_state_function"),
        (Keep([NextEvent(Internal(1))]), "bad_state_enter_action_from_state_function"),
    ],
)
def test_what_an_enter_call_may_not_do(returned: Any, kind: str) -> None:
    assert reason_of(returned, NextState("strict", returned))[0] == kind


def test_inserted_events_come_before_postponed_and_these_before_new_ones() -> None:
    seen: list[Any] = []

    class Machine(GenStatem):
        def init(self, argument: Any) -> Any:
            return NextState("first", None)

        def first(self, event: Any, data: Any) -> Any:
            if event == Cast("go"):
                return NextState("second", data, [NextEvent(Internal("one")), NextEvent(Internal("two"))])
            return KeepState(data, [POSTPONE])

        def second(self, event: Any, data: Any) -> Any:
            seen.append(event.content)
            return KEEP

    async def main(self: OtpContext) -> None:
        machine = await self.start(Machine)
        for content in ("postponed 1", "postponed 2", "go", "new"):
            self.cast(machine, content)
        await self.sleep(1)

    Node().run_function(main)
    assert seen == ["one", "two", "postponed 1", "postponed 2", "new"]
