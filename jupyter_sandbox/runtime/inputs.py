"""Everything that can enter a node from outside, as a closed union: what the journal holds.

None of these can be part of a cycle, so a long journal is no load for the cyclic collector (``gc=False``).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.ids import Pid


class Apply(msgspec.Struct, frozen=True, gc=False):
    """Run ``async def function(ctx, *args)`` in a hidden client process; its outcome is taken with ``take_replies``.

    ``function`` is ``module:qualname``, so that a journal can be written down.
    """

    id: int
    function: str
    args: tuple[Any, ...] = ()


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Call a process from outside without a client process, the quick way; ``take_replies`` has the answer.

    ``target`` is a pid or a registered name. Nobody waits inside, so there is no timeout.
    """

    id: int
    target: Any
    request: Any


class Tell(msgspec.Struct, frozen=True, gc=False):
    """Put a message or a cast from outside into a mailbox at once; nobody waits for anything.

    ``opener``, when given, is the ``module:qualname`` of a function that makes
    the message from ``message``, so that a journal can hold it closed.
    """

    target: Pid
    message: Any
    cast: bool = False
    opener: str = ""


class OutsideDone(msgspec.Struct, frozen=True, gc=False):
    """The result of work that a process asked for with ``await self.outside(...)``."""

    id: int
    ok: bool
    value: Any = None


class Tick(msgspec.Struct, frozen=True, gc=False):
    """The clock moved on, in milliseconds of the node's own time."""

    now_ms: int


class LoadCode(msgspec.Struct, frozen=True):
    """Modules changed. The node hands the bundle to its loader, live and in a replay alike."""

    bundle: Any
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class SetLimits(msgspec.Struct, frozen=True, gc=False):
    """From now on a node has so many processes at most, and a mailbox so many messages."""

    max_processes: int
    max_mailbox: int


Input = Apply | Ask | Tell | OutsideDone | Tick | LoadCode | SetLimits
JournalEntry = tuple[int, Input]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """How an Apply or Ask ended. ``error`` is None when ``ok``."""

    id: int
    ok: bool
    value: Any = None
    error: BaseException | None = None


class OutsideWork(msgspec.Struct, frozen=True, gc=False):
    """Work to be done off the node: a callable for a thread, or an awaitable for an asyncio loop."""

    id: int
    work: Any


class RunResult(msgspec.Struct, frozen=True, gc=False):
    """``idle``: nothing can run before ``next_deadline_ms`` (None: before an input)."""

    steps: int
    next_deadline_ms: int | None
    idle: bool
