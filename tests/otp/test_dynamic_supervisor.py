"""DynamicSupervisor, as Elixir has it."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.otp import (
    IGNORE,
    Child,
    ChildError,
    DynamicSupervisor,
    GenServer,
    Node,
    OtpContext,
    Reply,
    Spec,
    StartError,
    count_children,
    delete_child,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)  # fmt: skip


class Session(GenServer):
    """Says what its init was given."""

    restart = "temporary"

    def init(self, argument: Any) -> Any:
        return IGNORE if argument == "ignore" else argument

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        return Reply(state, state)


class Sessions(DynamicSupervisor):
    """Flags by its argument."""

    def init(self, argument: Any) -> Any:
        return Spec((), intensity=1, **(argument or {}))


def test_ids_do_not_matter() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Sessions)
        pids = [await start_child(self, top, Child(Session, number, id="same")) for number in range(3)]
        return [await self.call(pid, "state") for pid in pids], await which_children(self, top), pids

    states, rows, pids = Node().run_function(main)
    assert states == [0, 1, 2]
    assert rows == [("undefined", pid, "worker", ["Session"]) for pid in reversed(pids)]


def test_max_children_refuses_one_too_many_until_another_ends() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Sessions, {"max_children": 1})
        first = await start_child(self, top, Child(Session, 1))
        with pytest.raises(ChildError) as refused:
            await start_child(self, top, Child(Session, 2))
        await terminate_child(self, top, first)
        await start_child(self, top, Child(Session, 3))
        return refused.value.reason, await count_children(self, top)

    assert Node().run_function(main) == (
        "max_children", {"specs": 1, "active": 1, "supervisors": 0, "workers": 1},
    )  # fmt: skip


def test_extra_arguments_come_before_the_childs_own() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Sessions, {"extra_arguments": ["first"]})
        pid = await start_child(self, top, Child(Session, "own"))
        return await self.call(pid, "state")

    assert Node().run_function(main) == ("first", "own")


def test_a_child_that_ignores_is_not_added() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Sessions)
        return await start_child(self, top, Child(Session, "ignore")), await which_children(self, top)

    assert Node().run_function(main) == (None, [])


def test_a_permanent_child_is_restarted_and_keeps_no_id() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Sessions)
        pid = await start_child(self, top, Child(Session, 7, restart="permanent"))
        self.exit_signal(pid, "kill")
        await self.sleep(1)
        ((id, other, _, _),) = await which_children(self, top)
        return id, other != pid, await self.call(other, "state")

    assert Node().run_function(main) == ("undefined", True, 7)


@pytest.mark.parametrize("function", [restart_child, delete_child, terminate_child])
def test_functions_that_need_an_id_are_refused(function: Any) -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Sessions)
        await start_child(self, top, Child(Session, 7, id="seven"))
        with pytest.raises(ChildError) as refused:
            await function(self, top, "seven")
        return refused.value.reason

    assert Node().run_function(main) == "simple_one_for_one"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"max_children": -1}, ("invalid_max_children", -1)),
        ({"extra_arguments": "no"}, ("invalid_extra_arguments", "no")),
    ],
)
def test_bad_flags_are_refused(flags: dict[str, Any], reason: Any) -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(StartError) as refused:
            await self.start(Sessions, flags)
        return refused.value.reason

    assert Node().run_function(main) == ("supervisor_data", reason)
