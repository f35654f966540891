"""What a supervisor's decisions are about: its flags and children, the events that come in, the actions that go out.

Data only; ``restart`` decides.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..model.ids import Pid
from .child import Child

STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
AUTO_SHUTDOWN: Final = ("never", "any_significant", "all_significant")


@dataclass(frozen=True, slots=True)
class Flags:
    """A supervisor's flags; Elixir's defaults: 3 restarts in 5 seconds."""

    strategy: str = "one_for_one"
    intensity: int = 3
    period_s: int = 5
    auto_shutdown: str = "never"
    dynamic: bool = False
    """Children come and go one by one and have no id (``simple_one_for_one``, DynamicSupervisor)."""
    max_children: int | None = None
    extra_arguments: tuple[Any, ...] = ()


class Entry(msgspec.Struct):
    """One child: its specification and the process that runs it. ``restarting``: waits for its next attempt."""

    child: Child
    pid: Pid | None = None
    restarting: bool = False
    was: Pid | None = None
    """The process that ended last."""
    restarts: int = 0
    ignored: bool = False
    started_s: int = 0
    """When it was started, as far as a back-off must know it."""
    attempts: int = 0
    """Restarts in a row, which its back-off counts."""
    wait: int = 0
    """The number of the delay that it waits for, 0 for none."""
    last: tuple[Any, ...] = ()
    """A one-tuple with the state of its predecessor that the next start is to offer."""


@dataclass(slots=True)
class State:
    """A supervisor's children in start order, its restart window and the rest of a plan that is being carried out."""

    flags: Flags
    entries: dict[Any, Entry] = field(default_factory=dict)
    by_pid: dict[Pid, Any] = field(default_factory=dict)
    window: deque[int] = field(default_factory=deque)
    """Whole seconds of the restarts that still count."""
    plan: deque[Action] = field(default_factory=deque)
    group: dict[Any, None] = field(default_factory=dict)
    """The ids being restarted together, while that goes on."""
    failed: Any = None
    """The id whose exit set off the restart in progress."""
    closing: Any = None
    """The reason to exit with once all children are stopped."""
    template: Child | None = None
    """The only specification of a ``simple_one_for_one``; its children are numbered by ``serial``."""
    serial: int = 0
    abandoned: int = 0
    """Children of a template that were stopped between two attempts: OTP goes on counting them as restarting."""
    waits: int = 0
    """How many delays there have been."""

    argument: Any = None
    """What init was given: a code change runs the new init with it."""

    @property
    def dynamic(self) -> bool:
        """Whether children have no id."""
        return self.flags.dynamic


# --- events ---------------------------------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True):
    """Start all children in order."""


class Exited(msgspec.Struct, frozen=True):
    """A process died that may be a child."""

    pid: Pid
    reason: Any
    last: tuple[Any, ...] = ()
    """A one-tuple with the state that it left, if it is to be kept."""


class Started(msgspec.Struct, frozen=True):
    """``pid`` None: the child's init said ignore. ``info``: a one-tuple with what the start function gave besides."""

    id: Any
    pid: Pid | None
    info: tuple[Any, ...] = ()


class NotStarted(msgspec.Struct, frozen=True):
    id: Any
    reason: Any


class Stopped(msgspec.Struct, frozen=True):
    id: Any


class TryAgain(msgspec.Struct, frozen=True):
    """The retry that an earlier Retry asked for has come round."""

    id: Any


class WaitOver(msgspec.Struct, frozen=True):
    """The time that an earlier Wait asked for is over."""

    id: Any
    number: int


class Close(msgspec.Struct, frozen=True):
    """Stop everything in reverse order and exit."""

    reason: Any


Event = Begin | Exited | Started | NotStarted | Stopped | TryAgain | WaitOver | Close

# --- actions --------------------------------------------------------------------------------------------------------


class Start(msgspec.Struct, frozen=True):
    """Start the child, linked, and wait for its acknowledgement."""

    id: Any


class StopChild(msgspec.Struct, frozen=True):
    """Shut the child down as its specification says, and wait until it is gone."""

    id: Any


class StopAll(msgspec.Struct, frozen=True):
    """Shut all children down at once, unordered, under one shared time (``simple_one_for_one``)."""


class Retry(msgspec.Struct, frozen=True):
    """Send yourself a TryAgain: messages that wait are served before it."""

    id: Any


class Wait(msgspec.Struct, frozen=True):
    """Send yourself a WaitOver in ``ms`` milliseconds (the back-off of a child; never without one)."""

    id: Any
    ms: int
    number: int


class Record(msgspec.Struct, frozen=True):
    """Write down what was decided and why: the restart history of this supervisor."""

    id: Any
    pid: Pid | None
    reason: Any
    decision: str
    stopped: tuple[Any, ...] = ()
    started: tuple[Any, ...] = ()


class GiveUp(msgspec.Struct, frozen=True):
    """Everything is stopped: exit with this reason."""

    reason: Any


Action = Start | StopChild | StopAll | Retry | Wait | Record | GiveUp
