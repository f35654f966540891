"""What a state machine's callbacks are given and return: events, actions and results, as types of plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..runtime.signals import Caller
from .returns import Hibernate

# --- events: what has happened ------------------------------------------------------------------------------------------


class Call(msgspec.Struct, frozen=True):
    """Somebody calls and waits: answer with ``Answer(caller, value)`` or, from any process, ``self.reply``."""

    caller: Caller
    content: Any = None


class Cast(msgspec.Struct, frozen=True):
    """A cast."""

    content: Any = None


class Info(msgspec.Struct, frozen=True):
    """Any other message: a plain one, a Down, a trapped Exit."""

    content: Any = None


class Internal(msgspec.Struct, frozen=True):
    """An event that the machine gave itself with ``NextEvent(Internal(...))``."""

    content: Any = None


class Enter(msgspec.Struct, frozen=True):
    """The machine has come into the present state from ``old``; only with ``state_enter = True``."""

    old: Any = None


class StateTimedOut(msgspec.Struct, frozen=True):
    """The time of a ``StateTimeout`` is up."""

    content: Any = None


class EventTimedOut(msgspec.Struct, frozen=True):
    """The time of an ``EventTimeout`` is up: no event came."""

    content: Any = None


class TimedOut(msgspec.Struct, frozen=True):
    """The time of the ``GenericTimeout`` called ``name`` is up."""

    name: Any
    content: Any = None


Event = Call | Cast | Info | Internal | Enter | StateTimedOut | EventTimedOut | TimedOut
Given = Call | Cast | Info | Internal | StateTimedOut | EventTimedOut | TimedOut
"""The events that a machine may give itself."""
GIVEN: Final = (Call, Cast, Info, Internal, StateTimedOut, EventTimedOut, TimedOut)

# --- actions: what a result asks for --------------------------------------------------------------------------------------


class Postpone(msgspec.Struct, frozen=True):
    """Try this event again when the state has changed, before newer events."""


class NextEvent(msgspec.Struct, frozen=True):
    """Handle ``event`` next, before all that wait; several of them in the given order."""

    event: Any


class Answer(msgspec.Struct, frozen=True):
    """Answer a call: ``Answer(caller, value)``."""

    caller: Caller
    value: Any = None


class StateTimeout(msgspec.Struct, frozen=True):
    """``StateTimedOut(content)`` in ``ms`` milliseconds, unless the state changes before.

    For all timeouts: 0 comes before any message that waits; None or ``"cancel"``
    takes the timeout back; ``"update"`` changes its content and keeps its time;
    setting it again starts it anew; ``absolute`` makes ``ms`` a time of ``self.now()``.
    """

    ms: int | str | None
    content: Any = None
    absolute: bool = False


class EventTimeout(msgspec.Struct, frozen=True):
    """``EventTimedOut(content)`` in ``ms`` milliseconds, unless any event comes before. A bare number means the same."""

    ms: int | str | None
    content: Any = None
    absolute: bool = False


class GenericTimeout(msgspec.Struct, frozen=True):
    """``TimedOut(name, content)`` in ``ms`` milliseconds, whatever happens meanwhile."""

    name: Any
    ms: int | str | None
    content: Any = None
    absolute: bool = False


POSTPONE: Final = Postpone()
Action = Postpone | NextEvent | Answer | StateTimeout | EventTimeout | GenericTimeout | Hibernate | int
Actions = Action | Sequence[Action]

# --- results ----------------------------------------------------------------------------------------------------------


class NextState(msgspec.Struct, frozen=True):
    """Go to ``state``, with new data if given. From init: the state to begin in."""

    state: Any
    data: Any = msgspec.UNSET
    actions: Actions = ()


class KeepState(msgspec.Struct, frozen=True):
    """Stay in this state, with new data if given."""

    data: Any = msgspec.UNSET
    actions: Actions = ()


class RepeatState(msgspec.Struct, frozen=True):
    """Stay in this state but have its ``Enter`` again."""

    data: Any = msgspec.UNSET
    actions: Actions = ()


class StopAndReply(msgspec.Struct, frozen=True):
    """Send the ``Answer`` actions in ``replies``, then stop as ``Stop(reason, data)`` does."""

    reason: Any
    replies: Answer | Sequence[Answer] = ()
    data: Any = msgspec.UNSET
