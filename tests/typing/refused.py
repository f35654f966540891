"""What a checker must refuse. Above each line that is wrong stands which error is expected."""

# ruff: noqa: RET503

from __future__ import annotations

from typing import Any, Literal

from jupyter_sandbox.otp import (
    Agent,
    Caller,
    CallResult,
    CastResult,
    Child,
    Event,
    EventResult,
    GenServer,
    GenStatem,
    InitResult,
    KeepState,
    NextState,
    NoReply,
    OtpContext,
    Reply,
    Supervisor,
    Task,
)

from .accepted import Add, Counter, Door, Name, length


class WrongStateOfInit(GenServer[int]):
    def init(self, argument: Any) -> InitResult[int]:
        # expected: [return-value] got "str", expected "int
        return "zero"


class WrongStateType(GenServer[int]):
    # expected: [override] supertype defines the argument type as "int"
    def handle_cast(self, request: Any, state: str) -> NoReply[int]:
        return NoReply(len(state))


class WrongNewState(GenServer[int, str, int]):
    def handle_call(self, request: str, caller: Caller[int], state: int) -> CallResult[int, int]:
        # expected: [arg-type] expected "int"
        return Reply(state, request)


class WrongAnswer(GenServer[int, str, int]):
    def handle_call(self, request: str, caller: Caller[int], state: int) -> CallResult[int, int]:
        # expected: [arg-type] expected "int"
        return Reply(request, state)


class WrongLateAnswer(GenServer[int, str, int]):
    def handle_call(self, request: str, caller: Caller[int], state: int) -> CallResult[int, int]:
        # expected: [misc] Cannot infer value of type parameter
        self.reply(caller, request)
        return NoReply(state)


class WrongAnswerType(GenServer[int, str, int]):
    # expected: [override] incompatible with return type
    def handle_call(self, request: str, caller: Caller[int], state: int) -> Reply[str, int]:
        return Reply(request, state)


class WrongRequestType(GenServer[int, str, int]):
    # expected: [override] supertype defines the argument type as "str"
    def handle_call(self, request: bytes, caller: Caller[int], state: int) -> Reply[int, int]:
        return Reply(len(request), state)


class ReplyToACast(GenServer[int]):
    def handle_cast(self, request: str, state: int) -> CastResult[int]:
        # expected: [return-value] "Reply[int, int]"
        return Reply(state, state)


class BareStateFromACall(GenServer[int, str, int]):
    def handle_call(self, request: str, caller: Caller[int], state: int) -> CallResult[int, int]:
        # expected: [return-value] got "int"
        return state


class ForgottenRequest(GenServer[int, Add | Name, int]):
    # expected: [return] Missing return statement
    def handle_call(self, request: Add | Name, caller: Caller[int], n: int) -> CallResult[int, int]:
        match request:
            case Add(amount):
                return Reply(n + amount, n + amount)


class ForgottenReturn(GenServer[int]):
    # expected: [return] Missing return statement
    def handle_cast(self, request: str, n: int) -> CastResult[int]:
        if request == "next":
            return NoReply(n + 1)


class NotAStateOfMine(GenStatem[Literal["locked", "open"], int]):
    def locked(self, event: Event, data: int) -> EventResult[Literal["locked", "open"], int]:
        # expected: [arg-type] expected "Literal['locked', 'open']"
        return NextState("opne")

    def open(self, event: Event, data: int) -> EventResult[Literal["locked", "open"], int]:
        # expected: [arg-type] expected "int"
        return KeepState("x")


class WrongArguments(Supervisor):
    def init(self, argument: Any) -> list[Child]:
        # expected: [misc] Cannot infer value of type parameter
        return [Child(Counter, "zero"), Child(Door, 1)]


class NoChildren(Supervisor):
    # expected: [override] Return type "int" of "init" incompatible
    def init(self, argument: Any) -> int:
        return 3


async def main(self: OtpContext) -> None:
    # expected: [arg-type] "type[Counter]"
    await self.start(Counter)
    # expected: [misc] Cannot infer value of type parameter
    await self.start(Counter, "zero")
    # expected: [attr-defined] "str" has no attribute "bit_length"
    (await self.call("c", Name())).bit_length()
    # expected: [arg-type] expected "Callable[[Any, int], Any]"
    self.spawn(length, 3)
    number = await Task.await_(self, Task.async_(self, length, "abc"))
    # expected: [attr-defined] "int" has no attribute "upper"
    number.upper()
    # expected: [operator] Unsupported operand types
    self.call("c", Add(1)) + 1

    def size(items: list[str]) -> int:
        return len(items)

    # expected: [attr-defined] "int" has no attribute "upper"
    (await Agent.get(self, "agent", size)).upper()
