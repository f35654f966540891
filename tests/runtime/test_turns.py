"""Who goes next: hand-overs, bursts and what comes from outside; always the same order, wherever a slice is cut."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import CallExit, CallTimeout, GenServer, Node, NoReply, Reply, Stop, sys
from jupyter_sandbox.runtime import Apply, Ask


class Desk(GenServer):
    """Its state is the list of what it did."""

    def init(self, argument: Any) -> list[Any]:
        return []

    async def handle_call(self, request: Any, caller: Any, done: list[Any]) -> Any:
        if request == "missing friend":
            with pytest.raises(CallExit):
                await self.call("nobody", 1)
        if request == "later":
            await self.sleep(5)
        return Reply(request, [*done, request])

    def handle_cast(self, request: Any, done: list[Any]) -> Any:
        if request == "stop":
            return Stop("normal", done)
        if request == "fail":
            raise ValueError(request)
        if request == "tell":
            self.send(self.pid, "told")
        return NoReply([*done, request])

    def handle_info(self, message: Any, done: list[Any]) -> Any:
        return NoReply([*done, message])


async def begin(self: Any) -> Pid | None:
    return await self.start(Desk, name="desk")


async def busy(self: Any) -> None:
    """More casts than one turn takes, with other messages between."""
    desk = self.whereis("desk")
    for index in range(200):
        self.cast(desk, "tell" if index % 37 == 5 else index)
        if index % 50 == 7:
            self.send(desk, "note")
    await self.call(desk, "end")


def node_with_desk() -> Node:
    node = Node()
    node.run_function(begin)
    return node


def state(node: Node) -> Any:
    return node.processes[node.names["desk"]].state


@pytest.mark.parametrize("request_", ["plain", "missing friend", "later"])
def test_an_async_callback_answers_whether_or_not_it_waited(request_: str) -> None:
    async def main(self: Any) -> Any:
        return await self.call("desk", request_)

    assert node_with_desk().run_function(main) == request_


def test_a_burst_of_casts_is_one_step_each_and_keeps_its_order() -> None:
    node = node_with_desk()
    before = node.step_number
    node.run_function(busy)
    casts = [entry for entry in state(node) if isinstance(entry, int)]
    assert casts == sorted(casts) and len(state(node)) == 200 + 4 + 6 + 1
    assert node.step_number - before >= len(state(node))


@pytest.mark.parametrize("size", [1, 2, 5, 64, 65, 100_000])
def test_a_burst_can_be_cut_anywhere(size: int) -> None:
    whole, cut = node_with_desk(), node_with_desk()
    whole.admit(Apply(1, "tests.runtime.test_turns:busy"))
    cut.admit(Apply(1, "tests.runtime.test_turns:busy"))
    whole.run(0)
    while not cut.run(0, size).idle:
        pass
    assert (cut.hash, state(cut)) == (whole.hash, state(whole))


@pytest.mark.parametrize(("last", "reason"), [("stop", "normal"), ("fail", "ValueError")])
def test_a_burst_ends_with_a_process_that_stops_or_fails(last: str, reason: str) -> None:
    async def main(self: Any) -> Any:
        ref = self.monitor("desk")
        for request in (1, 2, last, 3):
            self.cast("desk", request)
        return (await self.receive()).ref == ref

    node = node_with_desk()
    assert node.run_function(main)
    assert "desk" not in node.names


def test_two_that_call_each_other_for_ever_starve_nobody() -> None:
    node = node_with_desk()
    node.admit(Apply(1, "tests.runtime.test_turns:_keep_calling"))
    node.admit(Apply(2, "tests.runtime.test_turns:_one_call"))
    node.run(0, 2_000)
    assert [reply.id for reply in node.take_replies()] == [2]


async def _keep_calling(self: Any) -> None:
    while True:
        await self.call("desk", "plain")


async def _one_call(self: Any) -> Any:
    return await self.call("desk", "plain")


def test_a_question_from_outside_is_answered_and_journalled() -> None:
    node = node_with_desk()
    node.admit(Ask(9, "desk", "hello"))
    node.run(0)
    assert [(reply.id, reply.ok, reply.value) for reply in node.take_replies()] == [(9, True, "hello")]
    assert node.journal is not None and node.journal[-1][1] == Ask(9, "desk", "hello")


def test_a_question_from_outside_to_nobody_or_to_one_that_dies_fails() -> None:
    node = node_with_desk()
    node.admit(Ask(1, "nobody", "hello"))
    node.admit(Ask(2, "desk", "later"))
    node.run(0)
    node.admit(Apply(3, "tests.runtime.test_turns:_kill_desk"))
    node.run(0)
    failed = {reply.id: reply.error for reply in node.take_replies() if not reply.ok}
    assert set(failed) == {1, 2} and all(isinstance(error, CallExit) for error in failed.values())


def test_a_question_is_answered_on_the_spot_or_later() -> None:
    node = node_with_desk()
    at_once = node.ask(Ask(1, "desk", "plain"), 0)
    assert at_once is not None and (at_once.id, at_once.value) == (1, "plain")
    assert node.ask(Ask(2, "desk", "later"), 1) is None
    assert node.ask(Ask(3, "desk", "behind it"), 2) is None
    node.run(6)
    assert [(reply.id, reply.value) for reply in node.take_replies()] == [(2, "later"), (3, "behind it")]
    nobody = node.ask(Ask(4, "nobody", "hello"), 6)
    assert nobody is not None and isinstance(nobody.error, CallExit)
    assert node.asked == {}


def test_a_question_that_cannot_be_copied_leaves_nothing_behind() -> None:
    node = node_with_desk()
    assert node.journal is not None
    before = (list(node.journal), node.next_tag, node.step_number)
    with pytest.raises(TypeError):
        node.ask(Ask(1, "desk", (item for item in ())), 0)
    assert (list(node.journal), node.next_tag, node.step_number) == before and node.asked == {}


class Fragile(GenServer):
    """Dies of the question, answers by another way, or breaks its engine's rules."""

    def init(self, argument: Any) -> Any:
        return argument

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        if request == "die":
            raise ValueError(request)
        self.cast("desk", request)
        self.reply(caller, "by hand")
        return NoReply(state)


def test_a_question_answered_by_hand_or_by_a_death_has_its_outcome_at_once() -> None:
    node = node_with_desk()

    async def begin_fragile(self: Any) -> None:
        await self.start(Fragile, name="fragile")

    node.run_function(begin_fragile)
    by_hand = node.ask(Ask(1, "fragile", "note"), 0)
    assert by_hand is not None and by_hand.value == "by hand"
    assert node.processes[node.names["desk"]].state == ["note"]
    died = node.ask(Ask(2, "fragile", "die"), 0)
    assert died is not None and isinstance(died.error, CallExit)
    assert "fragile" not in node.names and node.current is None


async def _kill_desk(self: Any) -> None:
    self.exit_signal("desk", "kill")


def test_an_answer_that_cannot_be_copied_crashes_the_one_that_gave_it() -> None:
    class Leaky(GenServer):
        def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
            return Reply((item for item in ()), state)

    async def main(self: Any) -> Any:
        pid = await self.start(Leaky)
        with pytest.raises(CallExit) as caught:
            await self.call(pid, "give")
        return caught.value.exit_reason.error

    assert Node().run_function(main) == "NotCopyable"


class Leaving(Desk):
    """Tells its starter when it goes."""

    def terminate(self, reason: Any, done: list[Any]) -> None:
        self.send("desk", ("gone", reason))


async def stop_one(self: Any) -> list[Any]:
    """Stop a process while another one stands in the queue."""
    desk = self.whereis("desk")
    one = await self.start(Leaving)
    self.cast(desk, "queued")
    await self.stop(one, "shutdown")
    return [self.is_alive(one), list(self._process.node.processes[desk].state)]


def test_who_is_stopped_while_idle_goes_before_the_queue_and_so_does_who_stopped_it() -> None:
    assert node_with_desk().run_function(stop_one) == [False, []]


@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_a_stop_takes_the_same_steps_in_slices_of_any_size(size: int) -> None:
    def run(size: int) -> tuple[int, int]:
        node = node_with_desk()
        node.admit(Apply(1, f"{__name__}:stop_one"))
        while not node.run(0, size).idle:
            pass
        assert node.take_replies()[0].value == [False, []]
        return node.hash, node.step_number

    assert run(size) == run(1_000_000)


def test_the_end_of_a_stop_is_told_to_whom_asked_for_it() -> None:
    async def main(self: Any) -> list[Any]:
        told: list[Any] = []
        for target, reason in (("nobody", "normal"), ("desk", "odd"), (self.pid, "normal")):
            try:
                told.append(await self.stop(target, reason))
            except CallExit as error:
                told.append((error.exit_reason, error.function))
        suspended = await self.start(Desk)
        await sys.suspend(self, suspended)
        told.append(await self.stop(suspended))
        deaf = self.spawn(deafen)
        try:
            await self.stop(deaf, "normal", 5)
        except CallTimeout as error:
            told.append((error.exit_reason, error.function))
        return told

    node = node_with_desk()
    assert node.run_function(main) == [
        ("noproc", "stop"), None, ("calling_self", "stop"), None, ("timeout", "stop"),
    ]  # fmt: skip


async def deafen(self: Any) -> None:
    """A plain process that takes no system message."""
    await self.sleep(1_000)


def test_a_stop_that_ends_otherwise_is_told_with_the_reason() -> None:
    class Stubborn(Desk):
        def terminate(self, reason: Any, done: list[Any]) -> None:
            raise ValueError(reason)

    async def main(self: Any) -> Any:
        with pytest.raises(CallExit) as caught:
            await self.stop(await self.start(Stubborn))
        return caught.value.exit_reason.error

    assert node_with_desk().run_function(main) == "ValueError"
