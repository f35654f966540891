"""What the callbacks of a state machine are given and return: events, actions, returns. Plain frozen values."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..runtime.generic import Generic, TypeVar
from ..runtime.operations import State_co
from ..runtime.signals import Caller, Value
from .returns import Hibernate, Stop

Request = TypeVar("Request", default=Any)
Request_co = TypeVar("Request_co", covariant=True, default=Any)
Data_co = TypeVar("Data_co", covariant=True, default=Any)

# --- events -----------------------------------------------------------------------------------------------------------


class Call(msgspec.Struct, Generic[Request_co, Value], frozen=True):
    """A call; answer it with the action ``Answer(event.caller, value)`` or ``self.reply``."""

    content: Request_co
    caller: Caller[Value]


class Cast(msgspec.Struct, Generic[Request_co], frozen=True):
    """A cast."""

    content: Request_co


class Info(msgspec.Struct, frozen=True):
    """Any other message, exit and monitor messages among them."""

    content: Any


class Internal(msgspec.Struct, frozen=True):
    """An event that the machine put in front of its own queue with ``NextEvent``."""

    content: Any


class Enter(msgspec.Struct, frozen=True):
    """The state was just entered, from ``old_state``. Only with ``state_enter = True``.

    >>> from jupyter_sandbox.otp import KEEP, Cast, Enter, GenStatem, KeepState, NextState, Node, RepeatState, sys
    >>> class Lamp(GenStatem):
    ...     state_enter = True
    ...     def init(self, argument):
    ...         return NextState("off", [])
    ...     def off(self, event, seen):
    ...         match event:
    ...             case Enter(old):
    ...                 return KeepState([*seen, f"{old} to off"])
    ...             case Cast("press"):
    ...                 return NextState("on", seen)
    ...     def on(self, event, seen):
    ...         match event:
    ...             case Enter(old):
    ...                 return KeepState([*seen, f"{old} to on"])
    ...             case Cast("again"):
    ...                 return RepeatState(seen)
    ...             case Cast("press"):
    ...                 return NextState("off", seen)
    >>> async def main(self):
    ...     lamp = await self.start(Lamp)
    ...     for order in ("press", "again", "press"):
    ...         self.cast(lamp, order)
    ...     return (await sys.get_state(self, lamp))[1]
    >>> Node().run_function(main)
    ['off to off', 'off to on', 'on to on', 'on to off']
    """

    old_state: Any


class StateTimeout(msgspec.Struct, frozen=True):
    """The state has lasted as long as ``SetStateTimeout`` allowed."""

    content: Any


class EventTimeout(msgspec.Struct, frozen=True):
    """No event came within the time of ``SetEventTimeout``."""

    content: Any


class GenericTimeout(msgspec.Struct, frozen=True):
    """The time of ``SetTimeout(name, ...)`` is up."""

    name: Any
    content: Any


if TYPE_CHECKING:
    Event = (
        Call[Request, Value] | Cast[Request] | Info | Internal | Enter | StateTimeout | EventTimeout | GenericTimeout
    )
else:

    class Event(Generic):
        """Any of the events, for annotations: ``Event[Request, Answer]``."""


EVENTS: Final = (Call, Cast, Info, Internal, Enter, StateTimeout, EventTimeout, GenericTimeout)

# --- actions ----------------------------------------------------------------------------------------------------------


class Special(Enum):
    """Actions and times without parts."""

    POSTPONE = "postpone"
    UPDATE = "update"

    def __repr__(self) -> str:
        return self.name


POSTPONE: Final = Special.POSTPONE
"""Keep the event for the next state: it is taken again when the state changes."""
UPDATE: Final = Special.UPDATE
"""As the time of a timeout: leave its end where it is and change its content."""


class NextEvent(msgspec.Struct, frozen=True):
    """Handle this event before any that waits; several keep their order.

    >>> from jupyter_sandbox.otp import (
    ...     Call, GenStatem, Internal, Keep, KeepState, NextEvent, NextState, Node, StopAndReply)
    >>> class Parser(GenStatem):  # cuts what comes in into lines, one internal event each
    ...     mode = "handle_event_function"
    ...     def init(self, argument):
    ...         return NextState("reading", ())
    ...     def handle_event(self, event, state, lines):
    ...         match event:
    ...             case Internal(line):
    ...                 return KeepState((*lines, line))
    ...             case Call("end", caller):
    ...                 return StopAndReply("normal", Answer(caller, lines))
    ...             case Call(text, caller):
    ...                 return Keep([Answer(caller, "ok"), *(NextEvent(Internal(line)) for line in text.split())])
    >>> async def main(self):
    ...     parser = await self.start(Parser)
    ...     await self.call(parser, "one two")
    ...     return await self.call(parser, "end")
    >>> Node().run_function(main)
    ('one', 'two')
    """

    event: Event


class Answer(msgspec.Struct, Generic[Value], frozen=True):
    """Answer a call."""

    caller: Caller[Value]
    value: Value


class SetStateTimeout(msgspec.Struct, frozen=True):
    """Send ``StateTimeout(content)`` in ``ms`` unless the state changes.

    For all timeouts: 0 comes before any message that waits, None cancels,
    UPDATE changes the content and keeps the time, setting one again starts it
    anew; ``absolute`` makes ``ms`` a time of ``self.now()``.
    """

    ms: Any
    content: Any = None
    absolute: bool = False


class SetEventTimeout(msgspec.Struct, frozen=True):
    """Send ``EventTimeout(content)`` in ``ms`` unless any event comes before."""

    ms: Any
    content: Any = None
    absolute: bool = False


class SetTimeout(msgspec.Struct, frozen=True):
    """Send ``GenericTimeout(name, content)`` in ``ms``, whatever happens before.

    >>> from jupyter_sandbox.otp import (
    ...     EventTimeout, GenericTimeout, GenStatem, Info, KeepState, NextState, Node, SetEventTimeout, SetTimeout)
    >>> class Watcher(GenStatem):
    ...     mode = "handle_event_function"
    ...     def init(self, owner):
    ...         return NextState("awake", owner, [SetTimeout("report", 250), SetEventTimeout(100)])
    ...     def handle_event(self, event, state, owner):
    ...         match event:
    ...             case Info("noise"):
    ...                 return KeepState(owner, SetEventTimeout(100))
    ...             case EventTimeout():
    ...                 self.send(owner, f"quiet at {self.now()}")
    ...             case GenericTimeout("report"):
    ...                 self.send(owner, f"report at {self.now()}")
    ...         return KeepState(owner)
    >>> async def main(self):
    ...     watcher = await self.start(Watcher, self.pid)
    ...     await self.sleep(60)
    ...     self.send(watcher, "noise")
    ...     return [await self.receive(str), await self.receive(str)]
    >>> Node().run_function(main)
    ['quiet at 160', 'report at 250']
    """

    name: Any
    ms: Any
    content: Any = None
    absolute: bool = False


Timer = SetStateTimeout | SetEventTimeout | SetTimeout
Action = Special | NextEvent | Answer | Timer | Hibernate

# --- returns ----------------------------------------------------------------------------------------------------------


class NextState(msgspec.Struct, Generic[State_co, Data_co], frozen=True):
    """Go to a state, with new data if given. From init: the first state."""

    state: State_co
    data: Data_co | msgspec.UnsetType = msgspec.UNSET
    actions: Any = ()


class KeepState(msgspec.Struct, Generic[Data_co], frozen=True):
    """Stay, with new data."""

    data: Data_co
    actions: Any = ()


class Keep(msgspec.Struct, frozen=True):
    """Stay, and keep the data, too."""

    actions: Any = ()


class RepeatState(msgspec.Struct, Generic[Data_co], frozen=True):
    """Stay, but enter the state again, with new data if given. Postponed events are not taken again."""

    data: Data_co | msgspec.UnsetType = msgspec.UNSET
    actions: Any = ()


class StopAndReply(msgspec.Struct, Generic[Data_co], frozen=True):
    """Send the answers, one or several, then stop as ``Stop(reason, data)`` does."""

    reason: Any
    replies: Any
    data: Data_co | msgspec.UnsetType = msgspec.UNSET


KEEP: Final = Keep()
Result = NextState | KeepState | Keep | RepeatState | Stop | StopAndReply


def timer_key(timer: Timer) -> Any:
    """Which of a machine's timers this is about: a machine has one for its state, one for events, one per name."""
    match timer:
        case SetStateTimeout():
            return "state_timeout"
        case SetEventTimeout():
            return "timeout"
        case SetTimeout(name=name):
            return ("timeout", name)


def timer_event(key: Any, content: Any) -> Event:
    """The event of a timer that ended."""
    if key == "state_timeout":
        return StateTimeout(content)
    return EventTimeout(content) if key == "timeout" else GenericTimeout(key[1], content)
