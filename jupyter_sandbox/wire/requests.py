"""What the kernel asks of a guest. Python arguments travel as pickles (``args``), which only the guest opens."""

from __future__ import annotations

import msgspec

from ..model.boot import Boot
from ..model.code import Bundle, ModuleCode
from ..model.limits import Limits
from ..model.listed import Many


class Request(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of everything the kernel asks. ``id`` is answered by exactly one Answer with the same id."""

    id: int


# --- code -------------------------------------------------------------------------------------------------------


class Bring(Request, frozen=True, kw_only=True):
    """Modules for the Load that follows, which may be more than one frame holds; none of them runs yet.

    A module with source and no code is compiled by the guest that gets it: the throw-away trial guest. Answer: Brought,
    for as many of them as were taken; the others are to be sent again.
    """

    modules: Many[ModuleCode]
    anew: bool = False
    """Forget what was brought before: whoever brought it has given up."""


class Load(Request, frozen=True, kw_only=True):
    """Load or hot-reload modules: suspend users, load, code_change, resume. Answer: Loaded or Failed (old kept)."""

    bundle: Bundle
    brought: int = 0
    """How many modules were brought for it, which come before those of the bundle."""
    trial: bool = False
    """Only try: import the modules in this throw-away guest and report. Answer: Tried or Failed."""


class Versions(Request, frozen=True, kw_only=True):
    """Answer: VersionList."""


class Execute(Request, frozen=True, kw_only=True):
    """Run a cell in a process of its own. Answer: Value of the last expression."""

    source: str
    file: str
    timeout_ms: int | None = None
    most: int | None = None
    """Bytes that the value may have; without it what is too much is left out."""


class CallOff(Request, frozen=True, kw_only=True):
    """Nobody waits for an Execute any more: end its cell's process. Answer: Done, also when it has ended by itself."""

    request: int


# --- life -------------------------------------------------------------------------------------------------------


class Begin(Request, frozen=True, kw_only=True):
    """To a spare guest, before anything else: it is this sandbox from now on. Answer: Done."""

    boot: Boot


class Start(Request, frozen=True, kw_only=True):
    """Start ``main`` (``module.Class``: application, supervisor or server) as application ``app``. Answer: Done."""

    app: str
    main: str
    args: bytes = b""
    """Pickled tuple of arguments for start/init; empty means the default."""
    env: bytes = b""
    """Pickled mapping."""
    dependencies: list[str] = msgspec.field(default_factory=list)
    version: str = "1.0.0"
    description: str = ""
    registered: list[str] = msgspec.field(default_factory=list)


class Stop(Request, frozen=True, kw_only=True):
    """Stop the application in order; the node lives on. Answer: Done."""

    app: str


class Shutdown(Request, frozen=True, kw_only=True):
    """Stop everything in order, then exit the OS process. Answer: Done, then end of stream."""

    grace_ms: int = 2_000


# --- acting on processes. ``target`` is a registered name, a path in the tree (shop/front) or a pid (<0.7.0>) -------


class Call(Request, frozen=True, kw_only=True):
    """GenServer call from outside. Answer: Value."""

    target: str
    args: bytes
    """Pickled request."""
    timeout_ms: int | None = 5_000
    most: int = 1 << 20
    """Bytes that the reply may have."""


class Cast(Request, frozen=True, kw_only=True):
    target: str
    args: bytes


class Send(Request, frozen=True, kw_only=True):
    """Plain message. Answer: Sent with the pid it went to."""

    target: str
    args: bytes


class Spawn(Request, frozen=True, kw_only=True):
    """Spawn ``module.function`` or start ``module.Class`` outside any tree. Answer: Sent with the new pid."""

    function: str
    args: bytes = b""
    name: str | None = None


class Kill(Request, frozen=True, kw_only=True):
    """exit(target, reason). Answer: Done."""

    target: str
    reason: str = "kill"


class Suspend(Request, frozen=True, kw_only=True):
    """sys:suspend. Answer: Done."""

    target: str


class Unsuspend(Request, frozen=True, kw_only=True):
    """sys:resume. Answer: Done."""

    target: str


class GetState(Request, frozen=True, kw_only=True):
    """sys:get_state. Answer: Value."""

    target: str
    most: int | None = None
    """Bytes that the state may have; without it what is too much is left out."""


class SetState(Request, frozen=True, kw_only=True):
    """sys:replace_state. Answer: Value (the new state)."""

    target: str
    args: bytes


class ChildAction(Request, frozen=True, kw_only=True):
    """A supervisor function on a child id. Answer: Value of the OTP result."""

    action: str
    """restart_child · terminate_child · delete_child · restart (the first two together: it does not count)"""
    supervisor: str
    child: str


class Children(Request, frozen=True, kw_only=True):
    """which_children. Answer: Value, a list of (id, pid or 'undefined'/'restarting', type, modules)."""

    target: str


# --- looking ------------------------------------------------------------------------------------------------------


class Tree(Request, frozen=True, kw_only=True):
    """Answer: TreeReply."""


class Inspect(Request, frozen=True, kw_only=True):
    """Answer: InspectReply."""

    target: str


class Events(Request, frozen=True, kw_only=True):
    """Newest first. Answer: EventList."""

    limit: int = 50
    kinds: list[str] = msgspec.field(default_factory=list)
    target: str | None = None


class Why(Request, frozen=True, kw_only=True):
    """Newest first. Answer: WhyList."""

    target: str
    limit: int = 1


class Waits(Request, frozen=True, kw_only=True):
    """Who waits for whom in the middle of a callback. Answer: WaitList."""


class Flush(Request, frozen=True, kw_only=True):
    """Push the sample that is due next now. Answer: Done, after it."""


class Watch(Request, frozen=True, kw_only=True):
    """Push TreeDiff frames at most every ``interval_ms`` while something changes; 0 stops. Answer: TreeReply."""

    interval_ms: int


# --- execution control --------------------------------------------------------------------------------------------


class Pause(Request, frozen=True, kw_only=True):
    """Stop stepping and stop the node's clock. Answer: Paused."""


class Resume(Request, frozen=True, kw_only=True):
    """Answer: Done."""


class Step(Request, frozen=True, kw_only=True):
    """Take up to ``count`` steps while paused; time jumps to the next deadline when only timers wait.

    Answer: Stepped.
    """

    count: int = 1


class Until(Request, frozen=True, kw_only=True):
    """Step while paused until a step matches; every given field must match. Answer: Stepped."""

    process: str | None = None
    kind: str | None = None
    contains: str | None = None
    step: int | None = None
    max_steps: int = 10_000


class SetLimits(Request, frozen=True, kw_only=True):
    """From now on these limits count, as far as the node counts them itself. Answer: Done."""

    limits: Limits


# --- state --------------------------------------------------------------------------------------------------------


class TakeSnapshot(Request, frozen=True, kw_only=True):
    """Answer: SnapshotBlob. The blob is opaque to the kernel."""


class RestoreSnapshot(Request, frozen=True, kw_only=True):
    """Fill this fresh guest from a blob. Answer: Done; on Failed the guest is to be thrown away."""

    blob: bytes


class TakeJournal(Request, frozen=True, kw_only=True):
    """Answer: SnapshotBlob holding the journal so far, opaque to the kernel."""


class ReplayJournal(Request, frozen=True, kw_only=True):
    """Fill this fresh guest by running a journal up to a step, then stay paused. Answer: Stepped (last step told)."""

    blob: bytes
    until_step: int


KernelFrame = (
    Begin | Bring | Load | Versions | Execute | CallOff | SetLimits | Start | Stop | Shutdown
    | Call | Cast | Send | Spawn | Kill | Suspend | Unsuspend
    | GetState | SetState | ChildAction | Children | Tree | Inspect | Events | Why | Waits | Flush | Watch
    | Pause | Resume | Step
    | Until | TakeSnapshot | RestoreSnapshot | TakeJournal | ReplayJournal
)  # fmt: skip
