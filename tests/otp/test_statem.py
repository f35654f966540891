"""State machines: timeouts, postponed and inserted events, enter calls, stopping, code change, and ``sys``."""

from __future__ import annotations

import threading
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.otp import (
    HIBERNATE,
    IGNORE,
    KEEP,
    POSTPONE,
    UPDATE,
    Answer,
    Call,
    CallExit,
    Cast,
    Down,
    Enter,
    Error,
    EventTimeout,
    GenericTimeout,
    GenStatem,
    Internal,
    Keep,
    NextEvent,
    NextState,
    Node,
    OtpContext,
    ProcessExit,
    RepeatState,
    SetEventTimeout,
    SetStateTimeout,
    SetTimeout,
    StartError,
    StateTimeout,
    Stop,
    StopAndReply,
    Throw,
)  # fmt: skip
from jupyter_sandbox.otp import sys as otp_sys


class Told(GenStatem):
    """Does what it is cast, a result, and sends every event with its state to the process in its data."""

    mode = "handle_event_function"

    def init(self, watcher: Any) -> Any:
        return NextState("a", watcher)

    def handle_event(self, event: Any, state: Any, watcher: Any) -> Any:
        if isinstance(event, Cast) and not isinstance(event.content, str):
            return event.content
        self.send(watcher, (state, event, self.now()))
        return KEEP


class Entering(Told):
    """The same with enter calls."""

    state_enter: ClassVar[bool] = True


def told(*results: Any, machine: type[GenStatem] = Told, ms: int = 1_000) -> list[Any]:
    """What the machine tells of, with these results cast to it at once, until ``ms`` are over."""

    async def main(self: OtpContext) -> Any:
        pid = await self.start(machine, self.pid)
        for result in results:
            if isinstance(result, int):
                await self.sleep(result)
            else:
                self.cast(pid, result)
        await self.sleep(ms)
        seen = []
        while (message := await self.receive(tuple, timeout_ms=0, default=None)) is not None:
            seen.append(message)
        return seen

    found: list[Any] = Node().run_function(main)
    return found


def test_a_state_timeout_ends_with_its_state() -> None:
    assert told(Keep(SetStateTimeout(50, "s"))) == [("a", StateTimeout("s"), 50)]
    assert told(Keep(SetStateTimeout(50, "s")), NextState("b")) == []
    assert told(Keep(SetStateTimeout(50, "s")), RepeatState(), NextState("a")) == [("a", StateTimeout("s"), 50)]


def test_an_event_timeout_is_cancelled_by_any_event_even_an_internal_one() -> None:
    assert told(Keep(SetEventTimeout(50, "e"))) == [("a", EventTimeout("e"), 50)]
    assert told(Keep(SetEventTimeout(50, "e")), "x") == [("a", Cast("x"), 0)]
    assert told(Keep([SetEventTimeout(50), NextEvent(Internal(1))])) == [("a", Internal(1), 0)]


def test_a_generic_timeout_survives_everything_but_its_own_cancelling() -> None:
    events = told(
        Keep([SetTimeout("t", 50, 1), SetTimeout("u", 60, 2)]), NextState("b"), "x", Keep(SetTimeout("u", None))
    )
    assert events == [("b", Cast("x"), 0), ("b", GenericTimeout("t", 1), 50)]


def test_setting_a_timeout_again_starts_it_anew_and_update_keeps_its_end() -> None:
    assert told(Keep(SetStateTimeout(50, 1)), 20, Keep(SetStateTimeout(50, 2))) == [("a", StateTimeout(2), 70)]
    assert told(Keep(SetStateTimeout(50, 1)), 20, Keep(SetStateTimeout(UPDATE, 2))) == [("a", StateTimeout(2), 50)]


def test_the_update_of_a_timeout_that_is_not_set_ends_it_at_once() -> None:
    assert told(Keep(SetTimeout("t", UPDATE, "now"))) == [("a", GenericTimeout("t", "now"), 0)]


def test_an_absolute_time_is_one_of_the_node() -> None:
    assert told(30, Keep(SetStateTimeout(70, absolute=True)), ms=60) == [("a", StateTimeout(None), 70)]


def test_timeouts_of_0_come_after_inserted_events_and_before_waiting_messages_in_their_order() -> None:
    zero = Keep([SetStateTimeout(0, 1), NextEvent(Internal("first")), SetTimeout("t", 0, 2)])
    assert [event for _, event, _ in told(zero, "waits")] == [
        Internal("first"), StateTimeout(1), GenericTimeout("t", 2), Cast("waits"),
    ]  # fmt: skip


def test_a_timeout_of_0_that_has_not_had_its_turn_can_be_cancelled() -> None:
    class Hasty(Told):
        def handle_event(self, event: Any, state: Any, watcher: Any) -> Any:
            if event == Internal("leave"):
                return NextState("b")
            return super().handle_event(event, state, watcher)

    zero = [SetStateTimeout(0), NextEvent(Internal("leave")), SetTimeout("t", 0, "kept")]
    assert told(Keep(zero), machine=Hasty) == [("b", GenericTimeout("t", "kept"), 0)]


def test_inserted_events_come_before_postponed_ones_and_these_before_newer_ones() -> None:
    class Waiting(Told):
        def handle_event(self, event: Any, state: Any, watcher: Any) -> Any:
            if state == "a" and event == Cast("later"):
                return Keep(POSTPONE)
            return super().handle_event(event, state, watcher)

    go = NextState("b", actions=[NextEvent(Internal(1)), NextEvent(Cast("two"))])
    events = told("later", "x", KEEP, go, "new", machine=Waiting)
    assert [event for _, event, _ in events] == [Cast("x"), Internal(1), Cast("two"), Cast("later"), Cast("new")]


def test_repeating_a_state_does_not_bring_postponed_events_back() -> None:
    class Waiting(Entering):
        def handle_event(self, event: Any, state: Any, watcher: Any) -> Any:
            super().handle_event(event, state, watcher)
            if isinstance(event, Cast) and event.content != "later":
                return event.content
            return Keep(POSTPONE) if event == Cast("later") else KEEP

    assert [event for _, event, _ in told("later", RepeatState(), machine=Waiting)] == [
        Enter("a"), Cast("later"), Enter("a"),
    ]  # fmt: skip


def test_states_are_entered_at_the_start_on_a_change_and_on_a_repeat_only() -> None:
    events = told(NextState("b"), NextState("b"), KEEP, RepeatState(), machine=Entering)
    assert events == [("a", Enter("a"), 0), ("b", Enter("a"), 0), ("b", Enter("b"), 0)]


def test_states_that_only_look_equal_are_different() -> None:
    assert [event for _, event, _ in told(NextState(1), NextState(1.0), NextState(True), machine=Entering)] == [
        Enter("a"), Enter("a"), Enter(1), Enter(1.0),
    ]  # fmt: skip


@dataclass
class Place:
    row: Any
    note: Any = field(default=0, compare=False)


@pytest.mark.parametrize(
    ("state", "other"),
    [
        ([1], [1.0]),
        (("at", (1,)), ("at", (True,))),
        ({"n": [1]}, {"n": [1.0]}),
        ({1: "n"}, {1.0: "n"}),
        ({1}, {1.0}),
        (frozenset({(0,)}), frozenset({(False,)})),
        (Place([1]), Place([1.0])),
    ],
)
def test_states_are_told_apart_all_the_way_down(state: Any, other: Any) -> None:
    changes = NextState(state), NextState(deepcopy(state)), NextState(other), NextState(deepcopy(other))
    events = told(*changes, machine=Entering)
    assert [repr(event) for _, event, _ in events] == [repr(Enter(old)) for old in ("a", "a", state)]


def test_a_states_own_equality_says_what_is_left_out() -> None:
    events = told(NextState(Place(1, note=1)), NextState(Place(1, note=1.0)), machine=Entering)
    assert [event for _, event, _ in events] == [Enter("a"), Enter("a")]


def test_a_callback_that_receives_does_not_see_the_machines_own_events() -> None:
    class Asking(Told):
        async def handle_event(self, event: Any, state: Any, watcher: Any) -> Any:
            if event == Internal("ask"):
                self.send(self.pid, "mine")
                self.send(watcher, ("received", await self.receive()))
                return KEEP
            return super().handle_event(event, state, watcher)

    both = Keep([NextEvent(Internal("ask")), NextEvent(Internal("after"))])
    assert told(both, machine=Asking) == [("received", "mine"), ("a", Internal("after"), 0)]


class Door(GenStatem):
    """One method per state."""

    def init(self, argument: Any) -> Any:
        match argument:
            case ("raise", error):
                raise error
            case ("return", value):
                return value
        return NextState("locked", argument)

    def locked(self, event: Any, data: Any) -> Any:
        match event:
            case Call(("stop", result), caller):
                return StopAndReply("done", [Answer(caller, result)], "last")
            case Call("both", caller):
                return Stop("done", "last", "bye") if caller else None
            case Call("boom"):
                raise ValueError("boom")
            case Call("sleep", caller):
                return Keep([Answer(caller, "zzz"), HIBERNATE])
            case Call("lost"):
                return NextState("nowhere", data, [NextEvent(Internal(None))])
            case Call("send"):
                return NextState("send", data, [NextEvent(Internal(None))])
            case Call(_, caller):
                return Keep(Answer(caller, data))
        return KEEP

    def terminate(self, reason: Any, state: Any, data: Any) -> None:
        self.send("main", ("terminated", reason, state, data))

    def code_change(self, old_version: Any, state: Any, data: Any, extra: Any) -> Any:
        return extra if extra is not None else (state, ("moved", data))


async def ended(self: OtpContext, request: Any) -> tuple[Any, Any, Any]:
    """What a call to a new Door gets, what its terminate saw, and its exit reason."""
    self.register("main")
    door = await self.start(Door, 1)
    ref = self.monitor(door)
    asked = self.send_request(door, request)
    told = await self.receive(lambda message: type(message) is tuple)
    down = await self.receive(lambda message: isinstance(message, Down) and message.ref == ref)
    try:
        answer = await self.receive_response(asked)
    except Exception as error:
        answer = type(error).__name__
    return answer, told, down.reason


@pytest.mark.parametrize("request_", [("stop", "bye"), "both"])
def test_a_machine_that_stops_with_a_reply_answers_before_it_terminates(request_: Any) -> None:
    async def main(self: OtpContext) -> Any:
        return await ended(self, request_)

    assert Node().run_function(main) == ("bye", ("terminated", "done", "locked", "last"), "done")


@pytest.mark.parametrize("state", ["lost", "send"])
def test_a_state_needs_a_method_that_is_not_one_every_process_has(state: str) -> None:
    async def main(self: OtpContext) -> Any:
        return await ended(self, state)

    answer, told, reason = Node().run_function(main)
    assert answer == "CallExit"
    assert told[2] == {"lost": "nowhere"}.get(state, state)
    assert isinstance(reason, Crash)
    assert reason.error == "MissingCallback"


@pytest.mark.parametrize("request_", ["lock", "both locks"])
def test_an_answer_that_cannot_be_copied_crashes_the_machine_alone(request_: str) -> None:
    class Leaky(Door):
        def locked(self, event: Any, data: Any) -> Any:
            answer = Answer(event.caller, threading.Lock())
            return Keep(answer if event.content == "lock" else [answer, SetStateTimeout(1)])

    async def main(self: OtpContext) -> Any:
        self.register("main")
        leaky = await self.start(Leaky)
        with pytest.raises(CallExit) as failed:
            await self.call(leaky, request_)
        return failed.value.exit_reason.error, (await self.receive())[2]  # type: ignore[attr-defined]

    assert Node().run_function(main) == ("NotCopyable", "locked")


def test_an_enter_call_that_raises_terminates_in_the_state_before() -> None:
    class Fragile(GenStatem):
        state_enter = True

        def init(self, watcher: Any) -> Any:
            return NextState("a", watcher)

        def a(self, event: Any, watcher: Any) -> Any:
            return KEEP if isinstance(event, Enter) else NextState("b")

        def b(self, event: Any, watcher: Any) -> Any:
            raise ProcessExit("fragile")

        def terminate(self, reason: Any, state: Any, watcher: Any) -> None:
            self.send(watcher, (reason, state))

    assert told("go", machine=Fragile) == [("fragile", "a")]


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (("return", Stop("nope")), "nope"),
        (("return", "what"), ("bad_return_from_init", "what")),
        (("raise", Throw(Stop("thrown"))), "thrown"),
        (("raise", Throw("what")), ("bad_return_from_init", "what")),
        (("raise", ProcessExit("exited")), "exited"),
    ],
)
def test_why_a_machine_does_not_start(argument: Any, reason: Any) -> None:
    async def main(self: OtpContext) -> Any:
        try:
            await self.start(Door, argument)
        except StartError as error:
            return error.reason

    assert Node(isolation="share").run_function(main) == reason


def test_a_machine_may_ignore_its_start() -> None:
    async def main(self: OtpContext) -> Any:
        return await self.start(Door, ("return", IGNORE))

    assert Node().run_function(main) is None


def test_sys_sees_state_and_data_as_a_pair() -> None:
    async def main(self: OtpContext) -> Any:
        door = await self.start(Door, 1)
        seen = [await otp_sys.get_state(self, door)]
        await otp_sys.replace_state(self, door, lambda pair: (pair[0], pair[1] + 1))
        await otp_sys.suspend(self, door)
        asked = self.send_request(door, "data")
        await otp_sys.change_code(self, door, Door, "v1")
        await otp_sys.resume(self, door)
        return [*seen, await self.receive_response(asked), (await otp_sys.get_status(self, door))["status"]]

    assert Node().run_function(main) == [("locked", 1), ("moved", 2), "running"]


@pytest.mark.parametrize(("extra", "reason"), [(Error("no"), ("error", "no")), ("what", "what")])
def test_a_code_change_that_is_refused_leaves_the_machine_as_it_was(extra: Any, reason: Any) -> None:
    async def main(self: OtpContext) -> Any:
        door = await self.start(Door, 1)
        await otp_sys.suspend(self, door)
        with pytest.raises(otp_sys.SysError) as refused:
            await otp_sys.change_code(self, door, Door, "v1", extra)
        await otp_sys.resume(self, door)
        return refused.value.reason, await otp_sys.get_state(self, door)

    assert Node().run_function(main) == (reason, ("locked", 1))


class Clock(GenStatem):
    """Tells whoever began it which of its timeouts came."""

    mode = "handle_event_function"

    def init(self, argument: Any) -> Any:
        return NextState("waits", argument[0], argument[1])

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        self.send(data, event.content)
        return KEEP


@pytest.mark.parametrize(
    ("actions", "come"),
    [
        ((SetTimeout("x", 50, "x"), SetTimeout("y", 50, "y"), SetTimeout("z", 50, "z")), ["z", "y", "x"]),
        ((SetStateTimeout(50, "s"), SetTimeout("x", 50, "x")), ["x", "s"]),
        ((SetTimeout("x", 50, "x"), SetEventTimeout(50, "t")), ["t", "x"]),
        ((SetEventTimeout(50, "t"), SetTimeout("x", 50, "x")), ["x"]),
        ((SetTimeout("x", 0, "x"), SetTimeout("y", 0, "y"), SetStateTimeout(0, "s")), ["x", "y", "s"]),
        ((SetTimeout("x", 50, "x"), SetTimeout("y", 50, "y"), SetTimeout("x", 50, "w")), ["w", "y"]),
    ],
)
def test_of_timeouts_that_are_set_together_and_due_together_the_last_comes_first(actions: Any, come: Any) -> None:
    """As recorded from Erlang/OTP: an event timeout that is listed before another timer of its time is cancelled."""

    async def main(self: OtpContext) -> Any:
        await self.start(Clock, (self.pid, list(actions)))
        await self.sleep(80)
        return [await self.receive(timeout_ms=0) for _ in come], await self.receive(timeout_ms=0, default=None)

    assert Node().run_function(main) == (come, None)


def test_hibernation_shows_until_the_next_event() -> None:
    async def main(self: OtpContext) -> Any:
        door = await self.start(Door, 1)
        await self.call(door, "sleep")
        info = self.process_info(door)
        await self.call(door, "data")
        after = self.process_info(door)
        return info and info["hibernated"], after and after["hibernated"]

    assert Node().run_function(main) == (True, False)


def test_a_view_shows_state_and_data() -> None:
    assert Door.state_text(("locked", 42)) == "locked, 42"
    assert Door.state_text(("locked", None)) == "locked"
