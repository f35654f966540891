"""What a checker must accept: the hints in use as the documents show them, and code without any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, assert_type

from jupyter_sandbox.otp import (
    KEEP,
    After,
    Agent,
    Answer,
    Asks,
    Call,
    Caller,
    CallResult,
    Cast,
    CastResult,
    Child,
    Continue,
    Died,
    Done,
    Down,
    DynamicSupervisor,
    Event,
    EventResult,
    Exit,
    GenServer,
    GenStatem,
    InitResult,
    NextState,
    NoReply,
    Ok,
    OtpContext,
    Pid,
    Reply,
    SetStateTimeout,
    StateTimeout,
    Stop,
    Supervisor,
    Task,
    TaskSupervisor,
)


@dataclass(frozen=True)
class Add(Asks[int]):
    amount: int


@dataclass(frozen=True)
class Name(Asks[str]):
    pass


class Plain(GenServer):
    """Parameters left out are anything."""

    def init(self, argument: Any) -> Any:
        return argument

    def handle_call(self, request: Any, caller: Caller, state: Any) -> Any:
        return Reply(state, state)


class Counter(GenServer[int, Add | Name, int | str, Literal["reset"]]):
    """All of them given; one callback may be ``async def``."""

    def init(self, argument: int) -> InitResult[int]:
        return Ok(argument, Continue("begin")) if argument > 0 else Stop("negative")

    def handle_call(self, request: Add | Name, caller: Caller[int | str], n: int) -> CallResult[int | str, int]:
        match request:
            case Add(amount):
                return Reply(n + amount, n + amount)
            case Name():
                self.reply(caller, "counter")
                return NoReply(n)

    async def handle_cast(self, request: Literal["reset"], n: int) -> CastResult[int]:
        await self.sleep(1)
        return NoReply(0, After(100))

    def handle_info(self, message: Any, n: int) -> CastResult[int]:
        match message:
            case Down(_, _, reason):
                return Stop(reason, n)
            case _:
                return NoReply(n)


class OnlyState(GenServer[list[str]]):
    """The state alone."""

    def init(self, argument: list[str]) -> list[str]:
        return argument

    def handle_cast(self, request: str, items: list[str]) -> NoReply[list[str]]:
        return NoReply([*items, request])


class Bounded(Counter):
    """A subclass of a server that has its types."""

    def init(self, argument: int) -> InitResult[int]:
        return min(argument, 10)


DoorState = Literal["locked", "open"]


class Door(GenStatem[DoorState, int, int, str]):
    """A method per state."""

    def init(self, argument: int) -> NextState[DoorState, int]:
        return NextState("locked", argument)

    def locked(self, event: Event[int, str], code: int) -> EventResult[DoorState, int]:
        match event:
            case Call(entered, caller) if entered == code:
                return NextState("open", code, [Answer(caller, "come in"), SetStateTimeout(3_000)])
            case _:
                return KEEP

    def open(self, event: Event[int, str], code: int) -> EventResult[DoorState, int]:
        match event:
            case StateTimeout():
                return NextState("locked")
            case Cast(new):
                return NextState("locked", new)
            case _:
                return KEEP


class Shop(Supervisor):
    """Children in every form."""

    def init(self, argument: Any) -> list[Child]:
        return [Child(Counter, 0, name="front"), Child(OnlyState, ["a"]), Child(Plain, object())]


class Mixed(Supervisor):
    """Any form of a child will do."""

    def init(self, argument: Any) -> list[Child | type | tuple[type, Any]]:
        return [Child(Counter, 0), Plain, (OnlyState, ["a"]), (Agent, 0)]


class Sessions(DynamicSupervisor):
    max_children = 5


async def length(self: OtpContext, text: str) -> int:
    await self.sleep(1)
    return len(text)


async def main(self: OtpContext) -> None:
    assert_type(await self.start(Counter, 1, name="c"), Pid | None)
    await self.start(Plain)
    await self.start(Shop)
    await self.start_link(Door, 42)
    assert_type(await self.call("c", Add(2)), int)
    assert_type(await self.call("c", Name()), str)
    self.spawn(length, "text")
    self.spawn_link(lambda self, n: n, 3)
    assert_type(await self.receive(Exit), Exit)
    assert_type(await self.receive(Down, timeout_ms=10, default=None), Down | None)
    assert_type(await self.outside(lambda: 3), int)

    task = Task.async_(self, length, "abc")
    assert_type(task, Task[int])
    assert_type(await Task.await_(self, task), int)
    assert_type(await Task.yield_(self, task), Done[int] | Died | None)
    assert_type(await Task.await_many(self, [task]), list[int])
    async for outcome in Task.async_stream(self, ["a", "b"], length):
        assert_type(outcome, Done[int] | Died)
    assert_type(await TaskSupervisor.async_nolink(self, "tasks", length, "abc"), Task[int])

    def size(items: list[str], least: int) -> int:
        return max(len(items), least)

    def pop(items: list[str]) -> tuple[str, list[str]]:
        return items[-1], items[:-1]

    assert_type(await Agent.get(self, "agent", size, 2), int)
    assert_type(await Agent.get_and_update(self, "agent", pop), str)
