"""What is known of one sandbox's life, what can happen to it, and what can have to be done: three closed types.

Plain frozen values. ``manager.state`` decides with them, ``manager.unit`` acts
on them; nothing here does either.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.sandbox import SandboxStatus as S

# --- state ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Life:
    """What is decided about one sandbox.

    ``generation`` numbers its guests from 1: a restart, a restore and a step
    back each bring a new one, and news of an older one is ignored.
    """

    id: int
    name: str
    status: S = S.STARTING
    reason: str = ""
    generation: int = 0
    present: bool = False
    """A guest of this generation lives, so that looking is possible."""
    main: str | None = None
    resting: S = S.RUNNING
    """Where a reload returns to."""
    destroyed: bool = False
    over: bool = False
    """The main application has ended, as its guest says, which an honest one says once."""


# --- events: what happened ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GuestTook:
    """A guest that is completely built took over; any guest before it is to be retired."""

    generation: int
    paused: bool = False
    main: str | None = None


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """The first guest, or the one of a restart, could not be built."""

    reason: str


@dataclass(frozen=True, slots=True)
class RestartBegan:
    pass


@dataclass(frozen=True, slots=True)
class Paused:
    generation: int


@dataclass(frozen=True, slots=True)
class Resumed:
    generation: int


@dataclass(frozen=True, slots=True)
class ReloadBegan:
    generation: int


@dataclass(frozen=True, slots=True)
class ReloadEnded:
    """Loaded or refused: either way the sandbox goes on as before."""

    generation: int


@dataclass(frozen=True, slots=True)
class MainStarted:
    generation: int
    main: str


@dataclass(frozen=True, slots=True)
class MainEnded:
    """The main application ended by itself: its supervisor gave up, or it stopped normally."""

    generation: int
    reason: str
    normal: bool


@dataclass(frozen=True, slots=True)
class StopBegan:
    generation: int


@dataclass(frozen=True, slots=True)
class StopEnded:
    generation: int


@dataclass(frozen=True, slots=True)
class StopRefused:
    """The guest did not stop its application in time."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class GuestExited:
    """The OS process of a guest ended; ``reason`` is its exit status in words, ``dump`` the stack that it left,
    both with words of the guest's; ``signal`` is what the operating system says."""

    generation: int
    reason: str
    dump: str = ""
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryOver:
    generation: int
    used: int
    limit: int
    kill: bool
    process: str = ""
    """Whose callback ran, if one did."""
    over: bool = True
    """Whether it has more than it may, and not just all of it."""


@dataclass(frozen=True, slots=True)
class DiskOver:
    """Its folder holds more bytes or files than it may, or there is too much to be looked at."""

    generation: int
    used: int
    files: int
    process: str = ""
    """Whose callback ran, if one did."""
    unseen: str = ""
    """As in ``Holdings``."""


@dataclass(frozen=True, slots=True)
class RuntimeOver:
    generation: int
    limit_ms: int


@dataclass(frozen=True, slots=True)
class HandlerOver:
    """One callback ran over its budget. ``attempt`` counts from 1; the last one ends the guest.

    ``process`` is what the guest calls it ('' when it could not say), ``dump``
    the stacks it wrote when it was asked: before the first attempt and, for
    the last one, after it.
    """

    generation: int
    attempt: int
    last: bool
    process: str
    budget_ms: int
    dump: str = ""
    importing: bool = False
    """It is no callback but what a module does while it is loaded, or our own work on that."""
    stopped: bool = False
    """A signal keeps the OS process from going on, SIGSTOP say."""
    changing: bool = False
    """It is no callback but the change of a process to new code."""
    waits: bool = False
    """It may be no callback but another thread, for which the first one waits."""
    deaf: bool = False
    """It is no callback either, but another thread of its OS process, for which the first one waits."""


@dataclass(frozen=True, slots=True)
class LimitCounted:
    """A limit was reached that the node itself counts (process_limit, mailbox_limit), or one that was ``seen``.

    ``ends``: it ends the sandbox.
    """

    generation: int
    limit: str
    message: str
    seen: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class ProtocolBroken:
    """The guest sent something that the protocol does not allow; ``limit`` is what its alert goes by."""

    generation: int
    message: str
    limit: str = "protocol"


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The guest is in a state that nobody can vouch for, so it has to go."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class DestroyAsked:
    pass


LifeEvent = (
    GuestTook | BuildFailed | RestartBegan | Paused | Resumed | ReloadBegan | ReloadEnded | MainStarted | MainEnded
    | StopBegan | StopEnded | StopRefused | GuestExited | MemoryOver | DiskOver | RuntimeOver | HandlerOver
    | LimitCounted | ProtocolBroken | GivenUp | DestroyAsked
)  # fmt: skip


# --- actions: what to do --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retire:
    """End the guest of this generation now and release what it holds."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Raise in the running callback of this guest."""

    generation: int


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell observers the new facts."""


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """``again``: it may come again and again, as the sandbox likes."""

    limit: str
    message: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """A notice for the user: what ``process`` did, with the lines that show where."""

    text: str
    process: str
    traceback: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove the sandbox, its analytics and its snapshots."""


Action = Retire | Interrupt | Announce | RaiseAlert | Tell | Forget
