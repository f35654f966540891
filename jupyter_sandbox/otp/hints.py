"""Names for what callbacks return, and for what can be started: for checkers and readers, empty at run time.

``CallResult[int, str]`` says in one word which values ``handle_call`` may
return. Nothing at run time may look inside: a return value is judged by its type.

>>> from typing import Literal
>>> from jupyter_sandbox.otp import (
...     KEEP, Call, CastResult, Event, EventResult, GenServer, GenStatem, InitResult, NextState, NoReply, Stop)
>>> class Basket(GenServer[list[str]]):
...     def init(self, argument: int) -> InitResult[list[str]]:
...         return [] if argument > 0 else Stop("too small")
...     def handle_cast(self, request: str, items: list[str]) -> CastResult[list[str]]:
...         return NoReply([*items, request])
>>> State = Literal["open", "closed"]
>>> class Door(GenStatem[State, int, int, str]):
...     def closed(self, event: Event[int, str], code: int) -> EventResult[State, int]:
...         match event:
...             case Call(entered, _) if entered == code:
...                 return NextState("open")
...         return KEEP
>>> Basket.__mro__[1] is GenServer[list[str]] is GenServer
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Union

from ..runtime.generic import Generic, TypeVar
from ..runtime.operations import State_co
from ..runtime.signals import Value, Value_co
from .returns import Ignore, NoReply, Ok, Reply, Stop
from .statem_returns import Data_co, Keep, KeepState, NextState, RepeatState, StopAndReply

Argument = TypeVar("Argument", default=Any)
Argument_contra = TypeVar("Argument_contra", contravariant=True, default=Any)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    Maybe = Union[Value, Coroutine[Any, Any, Value]]  # noqa: UP007 (a bare type variable may not begin an alias)
    InitResult = Union[State_co, Ok[State_co], Ignore, Stop[State_co]]  # noqa: UP007
    CallResult = Reply[Value_co, State_co] | NoReply[State_co] | Stop[State_co, Value_co]
    CastResult = NoReply[State_co] | Stop[State_co]
    EventResult = (
        NextState[State_co, Data_co] | KeepState[Data_co] | Keep | RepeatState[Data_co]
        | Stop[Data_co] | StopAndReply[Data_co]
    )  # fmt: skip
else:

    class Maybe(Generic):
        """The value, or a coroutine that gives it: a callback may be ``def`` or ``async def``."""

    class InitResult(Generic):
        """What ``init`` may return: ``InitResult[State]``."""

    class CallResult(Generic):
        """What ``handle_call`` may return: ``CallResult[Answer, State]``."""

    class CastResult(Generic):
        """What ``handle_cast``, ``handle_info`` and ``handle_continue`` may return: ``CastResult[State]``."""

    class EventResult(Generic):
        """What a state machine's callbacks may return: ``EventResult[State, Data]``."""


class Startable(Protocol[Argument_contra]):
    """A behaviour whose init takes this kind of argument."""

    def init(self, argument: Argument_contra, /) -> Any:
        """The first state."""


Behaviour = type[Startable[Argument]]
"""The class of such a behaviour."""
