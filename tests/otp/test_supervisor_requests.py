"""What a supervisor is asked and by which ids it knows its children, as terms of Erlang's."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.otp import (
    CallExit,
    Child,
    ChildError,
    Down,
    GenServer,
    Node,
    OtpContext,
    Reply,
    Spec,
    StartError,
    Supervisor,
    check_childspecs,
    count_children,
    delete_child,
    get_childspec,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)

IDS = [1, 1.0, True, "1", (1,), (1.0,), [1], {"n": [1]}, None]


class Echo(GenServer):
    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        return Reply(request, state)


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return Spec(argument, intensity=0)


def test_ids_of_children_are_told_apart_as_terms() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Top, [Child(Echo, id=id) for id in IDS])
        for id in IDS:
            assert (await get_childspec(self, top, id)).id == id
            await terminate_child(self, top, id)
            await restart_child(self, top, id)
            with pytest.raises(ChildError):
                await start_child(self, top, Child(Echo, id=id))
        for id in IDS[::2]:
            await terminate_child(self, top, id)
            await delete_child(self, top, id)
        return [row[0] for row in await which_children(self, top)], await count_children(self, top)

    left, counts = Node().run_function(main)
    assert [repr(id) for id in left] == [repr(id) for id in IDS[1::2][::-1]]
    assert counts["active"] == len(left)


@pytest.mark.parametrize("id", IDS, ids=repr)
def test_an_id_is_taken_once(id: Any) -> None:
    children = [Child(Echo, id=id), Child(Echo, id=id)]

    async def main(self: OtpContext) -> Any:
        await self.start(Top, children)

    assert check_childspecs(children) == ("duplicate_child_name", id)
    with pytest.raises(StartError) as caught:
        Node().run_function(main)
    assert caught.value.reason == ("start_spec", ("duplicate_child_name", id))


def test_a_plain_server_takes_the_requests_of_a_supervisor() -> None:
    async def main(self: OtpContext) -> Any:
        echo = await self.start(Echo)
        return [
            await which_children(self, echo), await count_children(self, echo), await restart_child(self, echo, "a"),
            await get_childspec(self, echo, "a"), await start_child(self, echo, 1, 2),
        ]  # fmt: skip

    assert Node().run_function(main) == [
        "which_children", "count_children", ("restart_child", "a"), ("get_childspec", "a"), ("start_child", (1, 2)),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["call", "cast"])
def test_a_call_or_a_cast_that_no_supervisor_knows_ends_it(how: str) -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Top, [Child(Echo, id="child", name="child")])
        child = self.whereis("child")
        refs = [self.monitor(child), self.monitor(top)]
        if how == "cast":
            self.cast(top, "hello")
        else:
            with pytest.raises(CallExit):
                await self.call(top, "hello")
        downs = [await self.receive(Down) for _ in refs]
        assert [down.ref for down in downs] == refs
        return [down.reason for down in downs]

    child, top = Node().run_function(main)
    assert child == "shutdown"
    assert isinstance(top, Crash)
    assert top.value == "function_clause"
