"""The events of a state machine: what its state functions are given. Plain frozen values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..runtime.generic import Generic, TypeVar
from ..runtime.signals import Caller, Value

Request = TypeVar("Request", default=Any)
Request_co = TypeVar("Request_co", covariant=True, default=Any)


class Call(msgspec.Struct, Generic[Request_co, Value], frozen=True):
    """A call; answer it with the action ``Answer(event.caller, value)`` or ``self.reply``.

    >>> from jupyter_sandbox.otp import Answer, Call, GenStatem, Keep, NextState, Node
    >>> class Door(GenStatem):
    ...     def init(self, argument):
    ...         return NextState("closed", None)
    ...     def closed(self, event, data):
    ...         match event:
    ...             case Call("who is there?", caller):
    ...                 return Keep(Answer(caller, f"nobody, it is {event.content!r}"))
    >>> async def main(self):
    ...     return await self.call(await self.start(Door), "who is there?")
    >>> Node().run_function(main)
    "nobody, it is 'who is there?'"
    """

    content: Request_co
    caller: Caller[Value]


class Cast(msgspec.Struct, Generic[Request_co], frozen=True):
    """A cast.

    >>> from jupyter_sandbox.otp import Cast, GenStatem, NextState, Node, sys
    >>> class Switch(GenStatem):
    ...     def init(self, presses):
    ...         return NextState("off", presses)
    ...     def off(self, event, presses):
    ...         match event:
    ...             case Cast(("press", times)):
    ...                 return NextState("on", presses + times)
    >>> async def main(self):
    ...     switch = await self.start(Switch, 0)
    ...     self.cast(switch, ("press", 3))
    ...     return await sys.get_state(self, switch)
    >>> Node().run_function(main)
    ('on', 3)
    """

    content: Request_co


class Info(msgspec.Struct, frozen=True):
    """Any other message, exit and monitor messages among them.

    >>> from jupyter_sandbox.otp import Down, GenStatem, Info, NextState, Node, sys
    >>> class Widow(GenStatem):
    ...     def init(self, other):
    ...         self.monitor(other)
    ...         return NextState("together", None)
    ...     def together(self, event, data):
    ...         match event:
    ...             case Info(Down(reason=reason)):
    ...                 return NextState("alone", reason)
    >>> async def main(self):
    ...     async def other(self):
    ...         await self.sleep(10)
    ...     widow = await self.start(Widow, self.spawn(other))
    ...     await self.sleep(20)
    ...     return await sys.get_state(self, widow)
    >>> Node().run_function(main)
    ('alone', 'normal')
    """

    content: Any


class Internal(msgspec.Struct, frozen=True):
    """An event that the machine put in front of its own queue with ``NextEvent``.

    >>> from jupyter_sandbox.otp import GenStatem, Internal, NextEvent, NextState, Node, sys
    >>> class Loader(GenStatem):
    ...     def init(self, names):
    ...         return NextState("empty", names, NextEvent(Internal("load")))
    ...     def empty(self, event, names):
    ...         match event:
    ...             case Internal("load"):
    ...                 return NextState("loaded", [name.upper() for name in names])
    >>> async def main(self):
    ...     return await sys.get_state(self, await self.start(Loader, ["a", "b"]))
    >>> Node().run_function(main)
    ('loaded', ['A', 'B'])
    """

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
    """The state has lasted as long as ``SetStateTimeout`` allowed.

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
    ...     await self.sleep(150)
    ...     return await sys.get_state(self, light)
    >>> Node().run_function(main)
    ('red', 1)
    """

    content: Any


class EventTimeout(msgspec.Struct, frozen=True):
    """No event came within the time of ``SetEventTimeout``.

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
    ...     await self.sleep(120)
    ...     return await sys.get_state(self, screen)
    >>> Node().run_function(main)
    ('dark', 1)
    """

    content: Any


class GenericTimeout(msgspec.Struct, frozen=True):
    """The time of ``SetTimeout(name, ...)`` is up.

    >>> from jupyter_sandbox.otp import GenericTimeout, GenStatem, NextState, Node, SetTimeout, sys
    >>> class Egg(GenStatem):
    ...     def init(self, argument):
    ...         return NextState("soft", None, SetTimeout("cook", 300, "enough"))
    ...     def soft(self, event, data):
    ...         match event:
    ...             case GenericTimeout("cook", content):
    ...                 return NextState("hard", content)
    >>> async def main(self):
    ...     egg = await self.start(Egg)
    ...     await self.sleep(400)
    ...     return await sys.get_state(self, egg)
    >>> Node().run_function(main)
    ('hard', 'enough')
    """

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
