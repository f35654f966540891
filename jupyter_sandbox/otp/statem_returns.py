"""What the callbacks of a state machine return. Plain frozen values."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..runtime.generic import Generic, TypeVar
from ..runtime.operations import State_co
from .returns import Stop

Data_co = TypeVar("Data_co", covariant=True, default=Any)


class NextState(msgspec.Struct, Generic[State_co, Data_co], frozen=True):
    """Go to a state, with new data if given. From init: the first state.

    >>> from jupyter_sandbox.otp import Cast, GenStatem, NextState, Node, sys
    >>> class Turnstile(GenStatem):
    ...     def init(self, argument):
    ...         return NextState("locked", 0)
    ...     def locked(self, event, coins):
    ...         return NextState("open", coins + 1) if event == Cast("coin") else None
    ...     def open(self, event, coins):
    ...         return NextState("locked") if event == Cast("push") else None
    >>> async def main(self):
    ...     turnstile = await self.start(Turnstile)
    ...     for event in ("coin", "push", "coin"):
    ...         self.cast(turnstile, event)
    ...     return await sys.get_state(self, turnstile)
    >>> Node().run_function(main)
    ('open', 2)
    """

    state: State_co
    data: Data_co | msgspec.UnsetType = msgspec.UNSET
    actions: Any = ()


class KeepState(msgspec.Struct, Generic[Data_co], frozen=True):
    """Stay, with new data.

    >>> from jupyter_sandbox.otp import Cast, GenStatem, KeepState, NextState, Node, sys
    >>> class Collector(GenStatem):
    ...     def init(self, argument):
    ...         return NextState("collecting", ())
    ...     def collecting(self, event, items):
    ...         match event:
    ...             case Cast(item):
    ...                 return KeepState((*items, item))
    >>> async def main(self):
    ...     collector = await self.start(Collector)
    ...     self.cast(collector, "a")
    ...     self.cast(collector, "b")
    ...     return await sys.get_state(self, collector)
    >>> Node().run_function(main)
    ('collecting', ('a', 'b'))
    """

    data: Data_co
    actions: Any = ()


class Keep(msgspec.Struct, frozen=True):
    """Stay, and keep the data, too.

    >>> from jupyter_sandbox.otp import Answer, Call, GenStatem, Keep, NextState, Node
    >>> class Constant(GenStatem):
    ...     def init(self, value):
    ...         return NextState("fixed", value)
    ...     def fixed(self, event, value):
    ...         match event:
    ...             case Call(_, caller):
    ...                 return Keep(Answer(caller, value))
    >>> async def main(self):
    ...     constant = await self.start(Constant, 42)
    ...     return await self.call(constant, "value")
    >>> Node().run_function(main)
    42
    """

    actions: Any = ()


class RepeatState(msgspec.Struct, Generic[Data_co], frozen=True):
    """Stay, but enter the state again, with new data if given. Postponed events are not taken again.

    >>> from jupyter_sandbox.otp import Cast, Enter, GenStatem, KeepState, NextState, Node, RepeatState, sys
    >>> class Bell(GenStatem):
    ...     state_enter = True
    ...     def init(self, argument):
    ...         return NextState("ringing", 0)
    ...     def ringing(self, event, rung):
    ...         match event:
    ...             case Enter():
    ...                 return KeepState(rung + 1)
    ...             case Cast("again"):
    ...                 return RepeatState(rung)
    >>> async def main(self):
    ...     bell = await self.start(Bell)
    ...     self.cast(bell, "again")
    ...     return await sys.get_state(self, bell)
    >>> Node().run_function(main)
    ('ringing', 2)
    """

    data: Data_co | msgspec.UnsetType = msgspec.UNSET
    actions: Any = ()


class StopAndReply(msgspec.Struct, Generic[Data_co], frozen=True):
    """Send the answers, one or several, then stop as ``Stop(reason, data)`` does.

    >>> from jupyter_sandbox.otp import Answer, Call, Down, GenStatem, NextState, Node, StopAndReply
    >>> class Till(GenStatem):
    ...     def init(self, money):
    ...         return NextState("open", money)
    ...     def open(self, event, money):
    ...         match event:
    ...             case Call("close", caller):
    ...                 return StopAndReply("normal", Answer(caller, money))
    >>> async def main(self):
    ...     till, _ = await self.start_monitor(Till, 70)
    ...     return await self.call(till, "close"), (await self.receive(Down)).reason
    >>> Node().run_function(main)
    (70, 'normal')
    """

    reason: Any
    replies: Any
    data: Data_co | msgspec.UnsetType = msgspec.UNSET


KEEP: Final = Keep()
Result = NextState | KeepState | Keep | RepeatState | Stop | StopAndReply
