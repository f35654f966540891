"""The record of one process. Only the runtime changes it; behaviours own ``state``, ``context`` and ``dispatch``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from ..model.ids import PID_TAG, Pid, Ref
from .signals import Entry

if TYPE_CHECKING:
    from .node import Node

IDLE: Final = 0
"""Nothing to do: waits for its next message between callbacks."""
READY: Final = 1
"""Stands in the run queue, or is next."""
WAITING: Final = 2
"""A callback is suspended in an await that a message cannot end."""
RECEIVING: Final = 3
"""A callback is suspended in a receive: every new message is looked at."""
SUSPENDED: Final = 4
"""sys:suspend: only system messages and exit signals are handled."""
DEAD: Final = 5

HIBERNATED: Final = "hibernated"
"""As ``timer``: no timeout, but the next message is to be noticed, as if there were one."""

STATUS_NAMES: Final = ("waiting", "running", "running", "waiting", "suspended", "exiting")

Running = Coroutine[Any, Any, None]
Dispatch = Callable[["Process", Entry], Running | None]


class Process:
    """One process of a node. Slots that most processes never use stay None until they do."""

    __slots__ = (
        "aliases", "ancestors", "behaviour", "callers", "context", "coro", "debug", "dictionary", "dispatch", "doom",
        "group", "hidden", "label", "links", "mailbox", "message", "monitored_by", "monitors", "name", "node", "number",
        "parent", "pid", "resume", "scanned", "since", "starter", "state", "status", "steps", "suspended", "timer",
        "token", "trap_exit", "upgrade", "wait",
    )  # fmt: skip

    since: int
    """When the wait in progress began; nothing before the first one."""

    def __init__(self, node: Node, number: int, dispatch: Dispatch) -> None:
        self.node = node
        self.number = number
        self.pid = Pid(PID_TAG | number)
        self.dispatch = dispatch
        self.status = IDLE
        self.mailbox: deque[Entry] | None = None
        self.context: Any = None
        self.state: Any = None
        self.behaviour: Any = None
        """What it runs: a behaviour's class or a function."""
        self.coro: Running | None = None
        self.resume: Any = None
        """What the suspended callback is resumed with: a value, or a Raise."""
        self.token = 0
        """The number of the wait in progress: replies and timeouts of another wait are late and dropped."""
        self.wait: Any = None
        """What it waits for: a Receive, or a short tuple for humans."""
        self.scanned = 0
        self.doom: Any = None
        """A one-tuple with the exit reason once a fatal exit signal has arrived."""
        self.trap_exit = False
        self.suspended = False
        self.hidden = False
        self.group: str | None = None
        """The application it belongs to: inherited at spawn, like a group leader."""
        self.upgrade: Any = None
        """A code change that waits until the callback in progress is done."""
        self.links: dict[Pid, None] | None = None
        self.monitors: dict[Ref, Any] | None = None
        self.monitored_by: dict[Ref, tuple[Pid, object]] | None = None
        self.callers: dict[int, Pid] | None = None
        """Calls taken in and not answered yet: tag to caller."""
        self.aliases: dict[Ref, str] | None = None
        self.name: str | None = None
        self.label: Any = None
        self.parent: Pid | None = None
        self.ancestors: tuple[Any, ...] = ()
        self.starter: tuple[Pid, int] | None = None
        """Who waits for the start acknowledgement, until it is given."""
        self.timer: Any = None
        """The behaviour's own timeout in force."""
        self.message: Any = None
        """The entry being handled, for crash reports."""
        self.dictionary: dict[Any, Any] | None = None
        self.debug: Any = None
        self.steps = 0

    @property
    def alive(self) -> bool:
        return self.status != DEAD

    def __repr__(self) -> str:
        return f"<process {self.name or self.pid}>"
