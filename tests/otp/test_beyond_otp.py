"""What a child may ask for that OTP does not have: a delay before its restarts, and the state of its predecessor."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.errors import NoProcess
from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import (
    Backoff,
    Call,
    Child,
    GenServer,
    GenStatem,
    KeepState,
    NextState,
    Node,
    NoReply,
    OtpContext,
    Reply,
    Spec,
    Stop,
    Supervisor,
    check_childspecs,
    inspect,
    restart,
    restart_child,
    terminate_child,
    which_children,
)  # fmt: skip
from jupyter_sandbox.otp.inspect import tree
from jupyter_sandbox.trace.log import EventLog


class Cart(GenServer):
    """A list of things, which can be handed on."""

    def init(self, argument: Any) -> Any:
        return ["new"]

    def init_from(self, argument: Any, last_state: Any) -> Any:
        if "poison" in last_state:
            raise ValueError("no state for me")
        return [*last_state, f"again with {argument}"]

    def handle_call(self, request: Any, caller: Any, items: Any) -> Any:
        return Reply(items, items)

    def handle_cast(self, request: Any, items: Any) -> Any:
        match request:
            case "crash":
                raise ValueError("crashed")
            case "leave":
                return Stop("normal", items)
            case _:
                return NoReply([*items, request])


class Plain(GenServer):
    def init(self, argument: Any) -> Any:
        return "new"

    def handle_cast(self, request: Any, state: Any) -> Any:
        raise ValueError(request)


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return argument


def run(main: Any, sink: Any = None) -> Any:
    return Node(sink=sink).run_function(main)


async def top_of(self: OtpContext, *children: Child, strategy: str = "one_for_one", intensity: int = 100) -> Pid:
    found = await self.start(Top, Spec(children, strategy, intensity, 5))
    assert found is not None
    return found


# --- back-off: the decisions ------------------------------------------------------------------------------------------


def state_of(strategy: str = "one_for_one", backoff: Any = None, intensity: int = 9) -> restart.State:
    state = restart.State(restart.Flags(strategy, intensity, 5))
    restart.add(state, Child(Plain, id="a").settled(), Pid.of(1))
    restart.add(state, Child(Plain, id="b", backoff=backoff).settled(), Pid.of(2))
    restart.add(state, Child(Plain, id="c").settled(), Pid.of(3))
    return state


def actions(state: restart.State, event: restart.Event, now_s: int = 0) -> list[Any]:
    """All actions that an event leads to, but the records; starts and stops succeed."""
    found, pid = [], 10 * (now_s + 1)
    action = restart.decide(state, event, now_s)
    while action is not None:
        if not isinstance(action, restart.Record):
            found.append(action)
        pid += 1
        match action:
            case restart.Start(id=id):
                action = restart.decide(state, restart.Started(id, Pid.of(pid)), now_s)
            case restart.StopChild(id=id):
                action = restart.decide(state, restart.Stopped(id), now_s)
            case _:
                action = restart.next_action(state)
    return found


def test_without_a_back_off_a_restart_is_immediate_as_in_otp() -> None:
    assert actions(state_of(), restart.Exited(Pid.of(2), "boom")) == [restart.Start("b")]


def test_with_a_back_off_the_start_comes_after_the_delay() -> None:
    state = state_of(backoff=Backoff(200))

    assert actions(state, restart.Exited(Pid.of(2), "boom")) == [restart.Wait("b", 200, 1)]
    assert state.entries["b"].restarting
    assert actions(state, restart.WaitOver("b", 1)) == [restart.Start("b")]
    assert not state.entries["b"].restarting


def test_delays_grow_with_every_restart_in_a_row_up_to_the_most() -> None:
    state, delays = state_of(backoff=Backoff(100, 3, 1_000)), []
    for _ in range(4):
        pid = state.entries["b"].pid
        assert pid is not None
        (wait,) = actions(state, restart.Exited(pid, "boom"))
        delays.append(wait.ms)
        actions(state, restart.WaitOver("b", wait.number))

    assert delays == [100, 300, 900, 1_000]


def test_a_child_that_ran_for_longer_than_the_longest_delay_begins_anew() -> None:
    state = state_of(backoff=Backoff(100, 10, 2_000))
    (first,) = actions(state, restart.Exited(Pid.of(2), "boom"), 0)
    actions(state, restart.WaitOver("b", first.number), 1)
    after_two = state.entries["b"].pid
    assert after_two is not None
    (second,) = actions(state, restart.Exited(after_two, "boom"), 3)
    actions(state, restart.WaitOver("b", second.number), 4)
    after_three = state.entries["b"].pid
    assert after_three is not None
    (third,) = actions(state, restart.Exited(after_three, "boom"), 7)

    assert [first.ms, second.ms, third.ms] == [100, 1_000, 100]


def test_siblings_of_a_group_stop_at_once_and_start_with_the_delayed_child() -> None:
    state = state_of("one_for_all", Backoff(50))

    stopping = actions(state, restart.Exited(Pid.of(2), "boom"))

    assert stopping == [restart.StopChild("c"), restart.StopChild("a"), restart.Wait("b", 50, 1)]
    assert actions(state, restart.WaitOver("b", 1)) == [restart.Start("a"), restart.Start("b"), restart.Start("c")]


def test_a_delay_is_void_when_a_sibling_has_restarted_the_child_meanwhile() -> None:
    state = state_of("rest_for_one", Backoff(50))
    actions(state, restart.Exited(Pid.of(2), "boom"))

    assert actions(state, restart.Exited(Pid.of(1), "boom"), 1)[-3:] == [
        restart.Start("a"), restart.Start("b"), restart.Start("c")
    ]  # fmt: skip
    assert actions(state, restart.WaitOver("b", 1), 1) == []


def test_a_delayed_restart_counts_against_the_intensity_when_the_child_exits() -> None:
    state = state_of(backoff=Backoff(50), intensity=1)
    actions(state, restart.Exited(Pid.of(2), "boom"))
    actions(state, restart.WaitOver("b", 1))
    pid = state.entries["b"].pid
    assert pid is not None

    assert actions(state, restart.Exited(pid, "boom"))[-1] == restart.GiveUp("shutdown")


def test_a_start_that_fails_is_tried_again_after_a_longer_delay() -> None:
    state = state_of(backoff=Backoff(100))
    actions(state, restart.Exited(Pid.of(2), "boom"))
    assert restart.decide(state, restart.WaitOver("b", 1), 0) == restart.Start("b")
    assert actions(state, restart.NotStarted("b", "no"), 0) == [restart.Retry("b")]

    assert actions(state, restart.TryAgain("b"), 0) == [restart.Wait("b", 200, 2)]


# --- back-off: in a node ----------------------------------------------------------------------------------------------


def test_a_child_that_waits_for_its_restart_shows_as_restarting() -> None:
    log = EventLog()

    async def main(self: OtpContext) -> Any:
        top = await top_of(self, Child(Plain, name="p", backoff=Backoff(300)))
        self.cast("p", "boom")
        await self.sleep(299)
        waiting = [row[1] for row in await which_children(self, top)], self.whereis("p")
        shown = [view.status for view in tree(self._process.node).processes if view.name == "p"]
        await self.sleep(2)
        return waiting, shown, self.whereis("p") is not None

    assert run(main, log) == ((["restarting"], None), ["restarting"], True)
    (why,) = log.history.why(("p",), 5)
    assert why.decision == "one_for_one restart 1 of 100 in 5 s, after 300 ms"
    assert why.state_after == "'new'"


def test_a_child_that_is_stopped_while_it_waits_is_not_restarted() -> None:
    async def main(self: OtpContext) -> Any:
        top = await top_of(self, Child(Plain, name="p", backoff=Backoff(300)))
        self.cast("p", "boom")
        await self.sleep(100)
        await terminate_child(self, top, "p")
        await self.sleep(1_000)
        before = self.whereis("p")
        await restart_child(self, top, "p")
        return before, self.whereis("p") is not None

    assert run(main) == (None, True)


def test_a_supervisor_can_stop_while_a_child_waits() -> None:
    async def main(self: OtpContext) -> Any:
        top = await top_of(self, Child(Plain, name="p", backoff=Backoff(300)), Child(Plain, name="q"))
        self.cast("p", "boom")
        await self.sleep(100)
        await self.stop(top)
        await self.sleep(1_000)
        return self.whereis("p"), self.whereis("q"), self._process.node.next_deadline()

    assert run(main) == (None, None, None)


@pytest.mark.parametrize(
    "bad",
    [100, Backoff(-1), Backoff(1, 0.5), Backoff(500, 2, 100), Backoff(1.5), Backoff(True)],  # type: ignore[arg-type]
)
def test_a_bad_back_off_is_refused(bad: Any) -> None:
    assert check_childspecs([Child(Plain, backoff=bad)]) == ("invalid_backoff", bad)


# --- the state of the predecessor -------------------------------------------------------------------------------------


def test_a_restarted_child_begins_from_the_last_state_when_its_specification_says_so() -> None:
    async def main(self: OtpContext) -> Any:
        await top_of(self, Child(Cart, "x", name="cart", keep_state=True))
        self.cast("cart", "apple")
        self.cast("cart", "crash")
        await self.sleep(1)
        return await self.call("cart", "items")

    assert run(main) == ["new", "apple", "again with x"]


@pytest.mark.parametrize(
    "child",
    [Child(Cart, "x", name="cart"), Child(Plain, "x", name="cart", keep_state=True)],
    ids=["not asked for", "no init_from"],
)
def test_without_the_wish_or_the_callback_a_restart_begins_with_init_as_in_otp(child: Child) -> None:
    async def main(self: OtpContext) -> Any:
        await top_of(self, child)
        self.cast("cart", "apple" if child.module is Cart else "crash")
        self.cast("cart", "crash")
        await self.sleep(1)
        found = self._process.node.lookup("cart")
        assert found is not None
        return found.state, found.dictionary

    assert run(main) in ((["new"], None), ("new", None))


@pytest.mark.parametrize(("reason", "kept"), [("kill", True), ("boom", True), ("shutdown", False)])
def test_a_state_is_handed_on_after_every_abnormal_exit(reason: str, kept: bool) -> None:
    async def main(self: OtpContext) -> Any:
        await top_of(self, Child(Cart, "x", name="cart", keep_state=True))
        self.cast("cart", "apple")
        await self.call("cart", "items")
        self.exit_signal("cart", reason)
        await self.sleep(1)
        return "apple" in await self.call("cart", "items")

    assert run(main) is kept


def test_a_child_that_stopped_normally_begins_anew() -> None:
    async def main(self: OtpContext) -> Any:
        await top_of(self, Child(Cart, "x", name="cart", keep_state=True))
        self.cast("cart", "apple")
        self.cast("cart", "leave")
        await self.sleep(1)
        return await self.call("cart", "items")

    assert run(main) == ["new"]


def test_a_sibling_that_its_supervisor_stopped_begins_anew() -> None:
    async def main(self: OtpContext) -> Any:
        cart = Child(Cart, "x", name="cart", keep_state=True)
        top = await top_of(self, cart, Child(Plain, name="p"), strategy="one_for_all")
        self.cast("cart", "apple")
        self.cast("p", "boom")
        await self.sleep(1)
        supervisor = self._process.node.lookup(top)
        assert supervisor is not None
        return await self.call("cart", "items"), supervisor.dictionary

    assert run(main) == (["new"], {"$last_states": {}})


def test_a_state_that_init_from_refuses_is_offered_once() -> None:
    async def main(self: OtpContext) -> Any:
        await top_of(self, Child(Cart, "x", name="cart", keep_state=True))
        self.cast("cart", "poison")
        self.cast("cart", "crash")
        await self.sleep(1)
        return await self.call("cart", "items")

    assert run(main) == ["new"]


def test_delay_and_state_go_together() -> None:
    async def main(self: OtpContext) -> Any:
        await top_of(self, Child(Cart, "x", name="cart", keep_state=True, backoff=Backoff(100)))
        self.cast("cart", "apple")
        self.cast("cart", "crash")
        await self.sleep(101)
        return await self.call("cart", "items")

    assert run(main) == ["new", "apple", "again with x"]


def test_a_state_machine_is_offered_its_state_and_its_data() -> None:
    class Lamp(GenStatem):
        def init(self, argument: Any) -> Any:
            return NextState("off", 0)

        def init_from(self, argument: Any, last_state: Any) -> Any:
            state, data = last_state
            return NextState(state, data + 100)

        def off(self, event: Any, data: Any) -> Any:
            return NextState("on", data + 1)

        def on(self, event: Any, data: Any) -> Any:
            match event:
                case Call(caller=caller):
                    self.reply(caller, ("on", data))
                    return KeepState(data)
                case _:
                    raise ValueError("no more")

    async def main(self: OtpContext) -> Any:
        await top_of(self, Child(Lamp, name="lamp", keep_state=True))
        self.cast("lamp", "switch")
        self.cast("lamp", "switch")
        await self.sleep(1)
        return await self.call("lamp", "which")

    assert run(main) == ("on", 101)


@pytest.mark.parametrize("bad", [1, "yes", None])
def test_a_bad_wish_to_keep_the_state_is_refused(bad: Any) -> None:
    assert check_childspecs([Child(Cart, keep_state=bad)]) == ("invalid_keep_state", bad)


def test_nothing_is_kept_of_a_child_that_has_been_restarted() -> None:
    async def main(self: OtpContext) -> Any:
        top = await top_of(self, Child(Cart, "x", name="cart", keep_state=True))
        for _ in range(3):
            self.cast("cart", "crash")
            await self.sleep(1)
        supervisor = self._process.node.lookup(top)
        assert supervisor is not None
        return supervisor.dictionary

    assert run(main) == {"$last_states": {}}


def test_who_waits_for_its_restart_is_told_as_that_when_somebody_wants_it() -> None:
    class Crasher(GenServer):
        pass

    class Top(Supervisor):
        def init(self, argument: Any) -> Any:
            return [Child(Crasher, name="slow", backoff=Backoff(3_000, 2, 9_000))]

    async def main(self: OtpContext) -> str:
        await self.start(Top)
        self.cast("slow", "crash")
        await self.sleep(1)
        with pytest.raises(NoProcess) as refused:
            inspect.find(self._process.node, "slow")
        return str(refused.value)

    assert Node().run_function(main).startswith("slow is down: it waits for its next restart")
