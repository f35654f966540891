"""The node: one deterministic system of processes. Same seed and same inputs give the same steps.

It never reads a clock, draws no entropy of its own, opens nothing and starts
no thread: time and inputs are handed in, work and replies are handed out.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from ..model.ids import FIRST_CLIENT, REF_TAG, Pid, Ref
from . import delivery, entrance, lifecycle, scheduler, steps, timers, trail
from .context import Context
from .inputs import Ask, Input, JournalEntry, OutsideWork, Reply, RunResult
from .isolate import isolate
from .process import Process
from .signals import Entry
from .tables import Tables

if TYPE_CHECKING:
    from ..model.views import StepView


class Policy(Protocol):
    """Chooses which ready process takes the next step. Must decide from its arguments and own seed alone."""

    def choose(self, ready: deque[Process]) -> int:
        """Index into ``ready``."""


Sink = Callable[[str, Process, Any], None]


class Watch(NamedTuple):
    """Who sees what steps do to processes, and changes nothing."""

    before: Callable[[Process, Entry], None] | None = None
    """Told which process is about to handle what."""
    after: Callable[[Process], None] | None = None
    """Told which process has taken a step, or is done with what it handled."""


class Node:
    """One actor system.

    >>> from jupyter_sandbox.otp import GenServer, Node, Reply
    >>> class Counter(GenServer):
    ...     def init(self, start):
    ...         return start
    ...     def handle_call(self, request, caller, n):
    ...         return Reply(n, n + 1)
    >>> async def main(self):
    ...     pid = await self.start(Counter, 7)
    ...     return [await self.call(pid, "next"), await self.call(pid, "next")]
    >>> node = Node()
    >>> node.run_function(main)
    [7, 8]
    """

    __slots__ = (
        "aliases", "answers", "asked", "copy", "current", "dead_names", "digest", "drivers", "first_limits", "folded",
        "globals", "isolation", "journal", "loader", "longest", "lot", "lots", "max_mailbox", "max_processes",
        "most_processes", "name", "names", "next_client", "next_number", "next_tag", "now_ms", "other_tags",
        "outside", "outside_waiting", "policy", "process_exits", "process_spawns", "processes", "ready", "restarts",
        "seed", "sends", "sent", "sink", "spare", "stale", "tables", "timer_heap", "timers", "told", "trace", "trail",
        "uncounted", "watch", "woken", "young",
    )  # fmt: skip

    context_class: type[Context] = Context
    """What ``self`` is in plain processes."""
    begins: ClassVar[Mapping[Any, Any]] = {}
    """How a process begins, for a dispatch whose processes mostly are up at once; optional, it only saves time."""
    drains: ClassVar[Mapping[Any, Any]] = {}
    """How a behaviour handles many messages in a row, by its dispatch; optional, it only saves time."""

    def __init__(
        self,
        name: str = "node",
        *,
        seed: int = 0,
        isolation: str = "copy",
        policy: Policy | None = None,
        sink: Sink | None = None,
        max_processes: int = 1_000_000,
        max_mailbox: int = 1_000_000,
        journal: bool = True,
    ) -> None:
        self.policy, self.sink = policy, sink
        self.most_processes = 0
        """That lived at one time, before any death so far: births are not looked at."""
        self.uncounted = 0
        """Births that were counted of processes whose deaths will not be."""
        self.processes: dict[Pid, Process] = {}
        self.names: dict[str, Pid] = {}
        self.dead_names: dict[Pid, str] = {}
        self.aliases: dict[Ref, Pid] = {}
        self.ready: deque[Process] = deque()
        self.woken: Process | None = None
        self.current: Process | None = None
        self.spare = steps.MAX_HOPS
        """Hand-overs that are left before the run queue gets its turn."""
        self.timer_heap: list[Any] = []
        self.timers: dict[Ref, Any] = {}
        self.young: list[Any] = []
        self.stale = 0
        self.tables = Tables()
        self.globals: dict[str, Any] = {}
        """What behaviours of the whole node keep here by name: the application controller."""
        self.next_number = self.next_tag = 1
        self.next_client = FIRST_CLIENT
        self.now_ms = 0
        self.trail: list[int] = []
        """The numbers of the processes that took the newest steps; the older ones are folded into ``digest``."""
        self.folded = 0
        """How many steps are in ``digest``."""
        self.lot: list[int] = []
        """The numbers of the whole lot of steps that was folded last."""
        self.lots: list[tuple[int, int]] = []
        """How many steps were folded, and the digest then, for each lot since the journal began."""
        self.drivers: list[Any] = []
        """Drivers of callbacks that have nothing to do, see ``operations.driver``."""
        self.journal: list[JournalEntry] | None = [] if journal else None
        self.loader: Callable[[Any, dict[str, Any]], None] | None = None
        self.answers: list[Reply] = []
        self.asked: dict[int, int] = {}
        """The Asks that are not answered yet: tag to id."""
        self.outside: list[OutsideWork] = []
        self.outside_waiting: dict[int, Process] = {}
        self.trace: Sink | None = None
        """Like sink, but told of every message; set only while someone looks."""
        self.sends: Sink | None = None
        """The trace, if it is interested in no replies."""
        self.watch = Watch()
        """More than a trace tells; set only together with one."""
        self.told: list[str] | None = None
        self.sent = self.other_tags = self.process_spawns = self.process_exits = self.restarts = 0
        self.become(name, seed, isolation, max_processes, max_mailbox)

    def become(self, name: str, seed: int, isolation: str, max_processes: int, max_mailbox: int) -> None:
        """Be the node that would have been made with these facts: for one in which nothing has happened yet."""
        self.name, self.seed, self.isolation = name, seed, isolation
        self.copy: Callable[[Any], Any] = isolate if isolation == "copy" else _share
        self.max_processes, self.max_mailbox = max_processes, max_mailbox
        self.longest = min(1, max_mailbox)
        """Messages that waited at one process at most so far: no mailbox need be looked at until it is longer."""
        self.first_limits = max_processes, max_mailbox
        """Those that the journal begins with."""
        self.digest = seed

    # --- how far it is ---------------------------------------------------------------------------------------------

    @property
    def step_number(self) -> int:
        """How many steps were taken."""
        return self.folded + len(self.trail)

    @property
    def messages_sent(self) -> int:
        """Messages, casts and calls so far. A call takes a tag; tags that were taken for something else are counted."""
        return self.sent + self.next_tag - 1 - self.other_tags

    @property
    def hash(self) -> int:
        """The rolling hash over all steps so far: equal hashes mean that the same was done in the same order."""
        trail.fold(self)
        return hash((self.digest, self.next_tag, self.next_number, *self.trail))

    @hash.setter
    def hash(self, value: int) -> None:
        self.folded = self.step_number
        self.trail.clear()
        self.lot = []
        self.digest = value

    @property
    def living(self) -> int:
        """How many processes there are, without those that nobody is shown."""
        return self.process_spawns - self.process_exits - self.uncounted

    def begin_journal(self) -> None:
        """What came in so far is forgotten; the limits of now are the first ones."""
        if self.journal is not None:
            self.journal.clear()
        self.lots.clear()
        self.first_limits = self.max_processes, self.max_mailbox

    # --- from outside -------------------------------------------------------------------------------------------

    def admit(self, what: Input) -> None:
        """Let an input in, before the next step; it is journalled with that step's number."""
        if type(what) is Ask:
            entrance.ask(self, what)
        else:
            entrance.admit(self, what)

    def ask(self, what: Ask, now_ms: int) -> Reply | None:
        """Let a call from outside in and run; its answer, or None if it is not there yet (see ``take_replies``).

        The quick way from code that is no process, such as a coroutine of asyncio.

        >>> from jupyter_sandbox.otp import GenServer, Node, Reply
        >>> from jupyter_sandbox.runtime import Ask
        >>> class Upper(GenServer):
        ...     def handle_call(self, request, caller, state):
        ...         return Reply(request.upper(), state)
        >>> async def main(self):
        ...     await self.start(Upper, name="upper")
        >>> node = Node()
        >>> node.run_function(main)
        >>> node.ask(Ask(1, "upper", "hello"), node.now_ms).value
        'HELLO'
        """
        if now_ms > self.now_ms:
            entrance.tick(self, now_ms)
        return scheduler.ask(self, what)

    def run(self, now_ms: int, max_steps: int = 1_000_000_000) -> RunResult:
        """Take steps until nothing can run at ``now_ms`` or ``max_steps`` are taken; a cut never changes the order."""
        if now_ms > self.now_ms:
            entrance.tick(self, now_ms)
        return scheduler.run(self, max_steps)

    def step(self, now_ms: int) -> StepView | None:
        """Take one step and tell it; None when nothing can run at ``now_ms``."""
        if now_ms > self.now_ms:
            entrance.tick(self, now_ms)
        return scheduler.told_step(self)

    def take_replies(self) -> list[Reply]:
        """The outcomes of Applies since last asked."""
        answers, self.answers = self.answers, []
        return answers

    def take_outside(self) -> list[OutsideWork]:
        """The work asked for outside since last asked."""
        work, self.outside = self.outside, []
        return work

    def next_deadline(self) -> int | None:
        """When the next live timer is due, in node milliseconds."""
        return timers.next_deadline(self)

    def run_function(self, function: Any, *args: Any, until_ms: int | None = None) -> Any:
        """Run ``async def function(self, *args)`` to its end in virtual time; its result. For tests and tools.

        Raises what the function raised; RuntimeError when it can never end.
        """
        return entrance.run_function(self, function, args, until_ms)

    # --- for behaviours and contexts -------------------------------------------------------------------------------

    def lookup(self, target: Any) -> Process | None:
        """The living process that a pid, a registered name, an alias or a via target means."""
        return delivery.lookup(self, target)

    def new_ref(self) -> Ref:
        """A reference that this node never used before."""
        self.next_tag = tag = self.next_tag + 1
        self.other_tags += 1
        return Ref(REF_TAG | tag)

    def emit(self, kind: str, process: Process, data: Any) -> None:
        """Tell the sink of something that happened in the life of a process."""
        if self.sink is not None:
            self.sink(kind, process, data)

    def random_stream(self, purpose: str) -> random.Random:
        """A random stream of its own per purpose, all from the seed."""
        return random.Random(f"{self.seed}:{purpose}")

    def exit_process(self, process: Process, reason: Any) -> None:
        """End a process: names and tables are released before links and monitors fire."""
        lifecycle.exit_process(self, process, reason)


def _share(value: Any) -> Any:
    return value
