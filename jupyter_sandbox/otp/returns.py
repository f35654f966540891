"""What callbacks return. The names are Elixir's and Erlang's return tuples, as types."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..runtime.generic import Generic
from ..runtime.operations import Reply as Reply
from ..runtime.operations import State_co
from ..runtime.signals import Value_co


class Continue(msgspec.Struct, frozen=True):
    """Run ``handle_continue(argument, state)`` before any message that waits in the mailbox."""

    argument: Any = None


class After(msgspec.Struct, frozen=True):
    """If no message arrives within ``ms`` milliseconds, ``handle_info(TIMEOUT, state)`` is called."""

    ms: int


class Hibernate(msgspec.Struct, frozen=True):
    """Nothing to save memory from here; it shows in process_info, and that is all it does."""


Then = Continue | After | Hibernate | None

TIMEOUT: Final = "timeout"
"""The message that an After leaves."""


class Ok(msgspec.Struct, Generic[State_co], frozen=True):
    """``{ok, State}`` of init; a bare state means the same."""

    state: State_co
    then: Then = None


class NoReply(msgspec.Struct, Generic[State_co], frozen=True, gc=False):
    """``{noreply, State}``: go on with the new state; a caller is answered later with ``self.reply``."""

    state: State_co
    then: Then = None


class Stop(msgspec.Struct, Generic[State_co, Value_co], frozen=True):
    """``{stop, Reason, State}``: terminate runs, the caller gets ``reply`` if there is one, then the process exits.

    From init, ``Stop(reason)`` makes the start fail with that reason.
    """

    reason: Any
    state: State_co | msgspec.UnsetType = msgspec.UNSET
    reply: Value_co | msgspec.UnsetType = msgspec.UNSET


class Ignore(msgspec.Struct, frozen=True):
    """``ignore`` of init: the process does not run, and that is no failure."""


class Error(msgspec.Struct, frozen=True):
    """``{error, Reason}`` of code_change: keep the old code and state."""

    reason: Any


IGNORE: Final = Ignore()
HIBERNATE: Final = Hibernate()
NO_STATE: Final = (Reply, NoReply, Error, Continue, After, Hibernate)
"""What init cannot mean as a first state: a return value of another callback, or half of one."""
