"""The actions of a state machine: what else is to happen when a callback returns. Plain frozen values."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from ..runtime.generic import Generic
from ..runtime.signals import Caller, Value
from .returns import Hibernate
from .statem_events import Event, EventTimeout, GenericTimeout, StateTimeout


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
    """Answer a call.

    >>> from jupyter_sandbox.otp import Answer, Call, Cast, GenStatem, KeepState, NextState, Node
    >>> class Queue(GenStatem):  # who asks too early is answered later
    ...     def init(self, argument):
    ...         return NextState("empty", None)
    ...     def empty(self, event, waiting):
    ...         match event:
    ...             case Call("next", caller):
    ...                 return KeepState(caller)
    ...             case Cast(("put", item)):
    ...                 return KeepState(None, Answer(waiting, item))
    >>> async def main(self):
    ...     queue = await self.start(Queue)
    ...     asked = self.send_request(queue, "next")
    ...     self.cast(queue, ("put", "bread"))
    ...     return await self.receive_response(asked)
    >>> Node().run_function(main)
    'bread'
    """

    caller: Caller[Value]
    value: Value


class SetStateTimeout(msgspec.Struct, frozen=True):
    """Send ``StateTimeout(content)`` in ``ms`` unless the state changes.

    For all timeouts: 0 comes before any message that waits, None cancels,
    UPDATE changes the content and keeps the time, setting one again starts it
    anew; ``absolute`` makes ``ms`` a time of ``self.now()``.

    >>> from jupyter_sandbox.otp import GenStatem, NextState, Node, SetStateTimeout, StateTimeout, sys
    >>> class Light(GenStatem):
    ...     def init(self, argument):
    ...         return NextState("green", 0, SetStateTimeout(100, "slowly"))
    ...     def green(self, event, changes):
    ...         match event:
    ...             case StateTimeout("slowly"):
    ...                 return NextState("red", changes + 1)
    >>> async def main(self):
    ...     light = await self.start(Light)
    ...     await self.sleep(50)
    ...     return await sys.get_state(self, light)
    >>> Node().run_function(main)
    ('green', 0)
    """

    ms: Any
    content: Any = None
    absolute: bool = False


class SetEventTimeout(msgspec.Struct, frozen=True):
    """Send ``EventTimeout(content)`` in ``ms`` unless any event comes before.

    >>> from jupyter_sandbox.otp import Cast, EventTimeout, GenStatem, NextState, Node, SetEventTimeout, sys
    >>> class Screen(GenStatem):
    ...     def init(self, argument):
    ...         return NextState("bright", 0, SetEventTimeout(100))
    ...     def bright(self, event, keys):
    ...         match event:
    ...             case Cast("key"):
    ...                 return NextState("bright", keys + 1, SetEventTimeout(100))
    ...             case EventTimeout():
    ...                 return NextState("dark", keys)
    >>> async def main(self):
    ...     screen = await self.start(Screen)
    ...     await self.sleep(60)
    ...     self.cast(screen, "key")
    ...     await self.sleep(60)
    ...     return await sys.get_state(self, screen)
    >>> Node().run_function(main)
    ('bright', 1)
    """

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
