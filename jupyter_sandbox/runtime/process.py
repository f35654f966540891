"""The record of one process. Only the runtime changes it; behaviours own ``state``, ``context`` and ``dispatch``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from ..model.ids import PID_TAG, Pid, Ref
from .signals import Entry

if TYPE_CHECKING:
    from .node import Node

FRESH: Final = 0
"""As READY, and all there is to do is its messages: no callback is suspended, no exit signal fatal, no sys:suspend."""
READY: Final = 1
"""Stands in the run queue, is next, or takes a step. ``status <= READY`` asks for both."""
IDLE: Final = 2
"""Nothing to do: waits for its next message between callbacks."""
WAITING: Final = 3
"""A callback is suspended in an await that a message cannot end."""
RECEIVING: Final = 4
"""A callback is suspended in a receive: every new message is looked at."""
SUSPENDED: Final = 5
"""sys:suspend: only system messages and exit signals are handled."""
DEAD: Final = 6

HIBERNATED: Final = "hibernated"
"""As ``timer``: no timeout, but the next message is to be noticed, as if there were one."""

STATUS_NAMES: Final = ("running", "running", "waiting", "running", "waiting", "suspended", "exiting")

Running = Coroutine[Any, Any, None]
Dispatch = Callable[["Process", Entry], Running | None]


class Process:
    """One process of a node. Slots that most processes never use stay None until they do."""

    __slots__ = (
        "aliases", "ancestors", "behaviour", "callers", "context", "coro", "debug", "dictionary", "dispatch", "doom",
        "group", "hidden", "label", "lineage", "links", "mailbox", "message", "monitored_by", "monitors", "name",
        "node", "number", "parent", "pid", "resume", "scanned", "since", "starter", "state", "status", "steps",
        "suspended", "timer", "token", "trap_exit", "upgrade", "wait",
    )  # fmt: skip

    node: Node
    number: int
    pid: Pid
    dispatch: Dispatch
    status: int
    mailbox: deque[Entry] | None
    context: Any
    state: Any
    behaviour: Any
    """What it runs: a behaviour's class or a function."""
    coro: Running | None
    resume: Any
    """What the suspended callback is resumed with: a value, or a Raise."""
    token: int
    """The number of the wait in progress: replies and timeouts of another wait are late and dropped."""
    wait: Any
    """What it waits for: a Receive, or a short tuple for humans."""
    since: int
    """When the wait in progress began; nothing before the first one."""
    scanned: int
    doom: Any
    """A one-tuple with the exit reason once a fatal exit signal has arrived."""
    trap_exit: bool
    suspended: bool
    hidden: bool
    group: str | None
    """The application it belongs to: inherited at spawn, like a group leader."""
    upgrade: Any
    """A code change that waits until the callback in progress is done."""
    links: dict[Pid, None] | None
    monitors: dict[Ref, Any] | None
    monitored_by: dict[Ref, tuple[Pid, object]] | None
    callers: dict[int, Pid] | None
    """Calls taken in and not answered yet: tag to caller."""
    aliases: dict[Ref, str] | None
    name: str | None
    label: Any
    parent: Pid | None
    ancestors: tuple[Any, ...]
    lineage: tuple[Any, ...] | None
    """What the ancestors of a child are, once there is one: all children that find the same share it."""
    starter: tuple[Pid, int] | None
    """Who waits for the start acknowledgement, until it is given."""
    timer: Any
    """The behaviour's own timeout in force."""
    message: Any
    """The entry being handled, for crash reports."""
    dictionary: dict[Any, Any] | None
    debug: Any
    steps: int

    def __init__(self, node: Node, number: int, dispatch: Dispatch) -> None:
        self.node = node
        self.number = number
        self.pid = Pid(PID_TAG | number)
        self.dispatch = dispatch
        self.status = FRESH
        self.mailbox = self.context = self.state = self.behaviour = self.coro = self.resume = self.wait = None
        self.doom = self.group = self.upgrade = self.links = self.monitors = self.monitored_by = self.callers = None
        self.aliases = self.name = self.label = self.lineage = self.parent = self.starter = self.timer = None
        self.message = self.dictionary = self.debug = None
        self.trap_exit = self.suspended = self.hidden = False
        self.token = self.scanned = self.steps = 0
        self.ancestors = ()

    @property
    def alive(self) -> bool:
        return self.status != DEAD

    def __repr__(self) -> str:
        return f"<process {self.name or self.pid}>"
