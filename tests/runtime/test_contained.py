"""An exception of a behaviour itself, not of a callback: it costs one process, never the node."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.otp import CallExit, Child, GenServer, Node, Reply, Supervisor, which_children
from jupyter_sandbox.otp.process import OtpContext
from jupyter_sandbox.runtime import Apply, Ask


class Echo(GenServer):
    def init(self, argument: Any) -> Any:
        return 0

    def handle_call(self, request: Any, caller: Any, n: int) -> Any:
        return Reply(request, n + 1)


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return [Child(Echo, 0, name="left"), Child(Echo, 0, name="right")]


def broken(*_: Any) -> Any:
    raise AttributeError("a fault of the behaviour")


async def ask_a_broken_one(self: OtpContext) -> tuple[Any, str, Any]:
    await self.start_link(Top)
    node = self._process.node
    node.processes[node.names["left"]].dispatch = broken
    with pytest.raises(CallExit) as gone:
        await self.call("left", "hello", None)
    await self.sleep(10)
    return gone.value.exit_reason, await self.call("right", "still here"), await self.call("left", "and again")


def test_it_ends_the_process_tells_its_caller_and_its_supervisor_restarts_it() -> None:
    reason, right, left = Node().run_function(ask_a_broken_one)
    assert type(reason) is Crash and (reason.error, reason.text) == ("AttributeError", "a fault of the behaviour")
    assert (right, left) == ("still here", "and again")


@pytest.mark.parametrize("slice_", [1, 2, 3, 1_000])
def test_where_a_slice_is_cut_makes_no_difference(slice_: int) -> None:
    node = Node()
    node.admit(Apply(1, f"{__name__}:ask_a_broken_one", ()))
    while not node.run(0, slice_).idle:
        pass
    node.run(10, 1_000)
    whole = Node()
    whole.admit(Apply(1, f"{__name__}:ask_a_broken_one", ()))
    whole.run(0, 1_000)
    whole.run(10, 1_000)
    assert (node.step_number, node.hash) == (whole.step_number, whole.hash)


async def _spoil(self: OtpContext) -> Any:
    top = await self.start(Top)
    self._process.node.processes[top].state = 5
    self.exit_signal("left", "kill")
    await self.sleep(10)
    return top in self._process.node.processes


def test_a_supervisor_with_a_spoiled_state_is_the_only_one_to_go() -> None:
    assert Node().run_function(_spoil) is False


async def _plain(self: OtpContext) -> Any:
    top = await self.start(Top)
    self.spawn(lambda self: self.call("left", "asked"))
    await self.sleep(10)
    node = self._process.node
    entries = await which_children(self, top)
    return len(entries), node.processes[node.names["left"]].state


def test_a_plain_function_may_return_a_call_that_is_to_be_waited_for() -> None:
    assert Node().run_function(_plain) == (2, 1)


class Telling(GenServer):
    """Casts to the other one before it answers."""

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        self.cast("left", request)
        return Reply("told", state)


def test_a_question_from_outside_keeps_its_answer_and_fails_with_who_was_asked() -> None:
    async def begin(self: OtpContext) -> None:
        await self.start(Top)
        await self.start(Telling, name="telling")

    node = Node()
    node.run_function(begin)
    node.processes[node.names["left"]].dispatch = broken
    told = node.ask(Ask(1, "telling", "hello"), 0)
    assert told is not None and told.value == "told"
    node.processes[node.names["right"]].dispatch = broken
    failed = node.ask(Ask(2, "right", "hello"), 0)
    assert failed is not None and isinstance(failed.error, CallExit)
    again = node.ask(Ask(3, "left", "and again"), 0)
    assert again is not None and again.value == "and again" and node.asked == {}
