"""Everything that can enter a node from outside, as a closed union: what the journal holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Apply:
    """Run ``async def function(ctx, *args)`` in a hidden client process; its outcome is taken with ``take_replies``.

    ``function`` is ``module:qualname``, so that a journal can be written down.
    """

    id: int
    function: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class OutsideDone:
    """The result of work that a process asked for with ``await self.outside(...)``."""

    id: int
    ok: bool
    value: Any = None


@dataclass(frozen=True, slots=True)
class Tick:
    """The clock moved on, in milliseconds of the node's own time."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class LoadCode:
    """Modules changed. The node hands the bundle to its loader, live and in a replay alike."""

    bundle: Any
    options: dict[str, Any] = field(default_factory=dict)


Input = Apply | OutsideDone | Tick | LoadCode
JournalEntry = tuple[int, Input]


@dataclass(frozen=True, slots=True)
class Reply:
    """How an Apply ended. ``error`` is None when ``ok``."""

    id: int
    ok: bool
    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class OutsideWork:
    """Work to be done off the node: a callable for a thread, or an awaitable for an asyncio loop."""

    id: int
    work: Any


@dataclass(frozen=True, slots=True)
class RunResult:
    """``idle``: nothing can run before ``next_deadline_ms`` (None: before an input)."""

    steps: int
    next_deadline_ms: int | None
    idle: bool
