"""Frozen pictures of a running sandbox, ready to be drawn or sent: views never refer to live objects."""

from __future__ import annotations

from dataclasses import dataclass, field

from .listed import Deeds, Facts, Many

ProcessStatus = str
"""running · waiting · suspended · restarting · stopped · exiting; without a process only stopped or restarting"""


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One process (or one child entry without a process) as seen at one step.

    ``key`` is stable over restarts: the path in the supervision tree
    (``shop/front``) or the pid's text for a process outside any tree.
    ``parent`` is the key of the supervisor above, None for a root.
    ``state`` and ``message`` texts are bounded representations.
    """

    key: str
    pid: str | None
    name: str
    kind: str
    """supervisor · worker · process (outside any tree) · application"""
    behaviour: str
    """The class it runs: ``counter.Counter``; for a plain process its function."""
    status: ProcessStatus
    parent: str | None = None
    registered: str | None = None
    state: str = ""
    queue: int = 0
    restarts: int = 0
    steps: int = 0
    strategy: str | None = None
    budget_left: int | None = None
    budget: int | None = None
    period_s: int | None = None
    links: Many[str] = ()
    monitors: Many[str] = ()
    last_exit: str | None = None
    code_version: int = 0


@dataclass(frozen=True, slots=True)
class TreeView:
    """All processes of a sandbox in tree order: a parent stands before its children, siblings in start order."""

    sandbox: str
    step: int
    now_ms: int
    processes: Many[ProcessView] = ()


@dataclass(frozen=True, slots=True)
class TreeDiff:
    """What changed from one TreeView to the next. ``order`` lists all keys in tree order when it changed."""

    sandbox: str
    step: int
    now_ms: int
    changed: Many[ProcessView] = ()
    removed: Many[str] = ()
    order: Many[str] | None = None


@dataclass(frozen=True, slots=True)
class StepView:
    """One step told: who handled what from whom, its state before and after, what it did.

    ``did`` holds short phrases in order: ``sent ('add', 1) to back``, ``spawned <0.9.0>``,
    ``replied 3 to <0.4.0>``, ``exited: ...``.
    """

    step: int
    pid: str
    name: str
    kind: str
    """call · cast · info · exit · down · timeout · resume · start · system"""
    message: str
    sender: str
    state_before: str
    state_after: str
    did: Deeds[str] = ()
    now_ms: int = 0

    def line(self) -> str:
        """The step on one line, as ``%sandbox step`` shows it."""
        if self.name == "outside":
            return f"#{self.step} outside {'; '.join(self.did) or 'has its answer'}"
        text = f"#{self.step} {self.name} handled {self.kind} {self.message}"
        if self.sender:
            text += f" from {self.sender}"
        if self.state_before or self.state_after:
            same = self.state_before == self.state_after
            text += f" · state {self.state_after}" if same else f" · state {self.state_before} → {self.state_after}"
        return text + (f" · {'; '.join(self.did)}" if self.did else "")


@dataclass(frozen=True, slots=True)
class Event:
    """Something a node did. ``kind`` is one of EVENT_KINDS; ``data`` holds short texts and numbers."""

    step: int
    now_ms: int
    kind: str
    pid: str
    name: str
    text: str
    data: Facts = field(default_factory=dict)


EVENT_KINDS = (
    "process_spawn", "process_exit", "supervisor_restart", "supervisor_gave_up", "crash", "message_send",
    "message_handled", "state_change", "code_change", "code_load", "limit", "log",
    "application_start", "application_stop", "experiment_step",
)  # fmt: skip

CAPTURED_KINDS = ("message_send", "message_handled", "state_change")
"""Only told when they are captured: there are as many of them as there are messages."""


@dataclass(frozen=True, slots=True)
class WhyView:
    """A restart or an exit explained, newest first in a list: cause, exit, decision, budget, state after."""

    key: str
    name: str
    step: int
    now_ms: int
    reason: str
    cause: str
    """``TypeError in handle_call at In[2] line 9`` or the exit signal and its sender."""
    message: str
    traceback: Many[str]
    supervisor: str
    decision: str
    """``one_for_one restart 1 of 3 in 5 s``, ``not restarted: temporary``, ``gave up: ...``"""
    stopped: Many[str] = ()
    started: Many[str] = ()
    state_after: str = ""
    earlier: bool = False
    """Whether an OS process did it that another one has replaced since: its steps and its clock are those of then."""

    def line(self) -> str:
        """``TypeError in handle_call at In[2] line 9 → exit → one_for_one restart 1 of 3 in 5 s → state back to 0``."""
        parts = [self.cause or self.reason, "exit", self.decision]
        if self.state_after:
            parts.append(f"state back to {self.state_after}")
        told = " → ".join(part for part in parts if part)
        return f"in an earlier OS process: {told}" if self.earlier else told


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything about one process: its view, mailbox (bounded texts), links, monitors, last events."""

    process: ProcessView
    mailbox: Many[str] = ()
    mailbox_omitted: int = 0
    waiting_for: str = ""
    links: Many[str] = ()
    monitors: Many[str] = ()
    monitored_by: Many[str] = ()
    events: Many[Event] = ()
    initial_call: str = ""
    ancestors: Many[str] = ()


def _s(ms: int) -> str:
    """A time on the clock of a sandbox, as the table of events shows it."""
    return f"{ms / 1000:.3f} s"


@dataclass(frozen=True, slots=True)
class WaitView:
    """A process that waits in the middle of a callback: for what, for whom, since when.

    ``what`` is call, start (of a child), end (of another process), message, sleep
    or outside. ``target`` is empty for the last three. ``cycle`` names a
    deadlock's processes, each waiting for the next and the last for the first.
    """

    pid: str
    name: str
    what: str
    target: str
    target_pid: str
    message: str
    since_ms: int
    until_ms: int | None = None
    target_does: str = ""
    """What the process that is waited for is doing, in words."""
    cycle: Many[str] = ()

    def line(self) -> str:
        """``front waits for a reply from back to 'next' since t = 0.020 s · deadlock: front → back → front``.

        ``t`` is a time on the clock of the sandbox, as in ``%sandbox events``; it is no duration.
        """
        whom = {"call": f"a reply from {self.target}", "start": f"the start of {self.target}",
                "end": f"the end of {self.target}", "message": "a message", "sleep": "its sleep to end",
                "outside": "work outside"}.get(self.what, f"something unknown ({self.what})")  # fmt: skip
        text = f"{self.name} waits for {whom}" + (f" to {self.message}" if self.message else "")
        text += f" since t = {_s(self.since_ms)}"
        text += "" if self.until_ms is None else f", until t = {_s(self.until_ms)}"
        if self.cycle:
            return f"{text} · deadlock: {' → '.join((*self.cycle, self.cycle[0]))}"
        return f"{text} · {self.target} {self.target_does}" if self.target_does else text


@dataclass(frozen=True, slots=True)
class ModuleVersion:
    """One loaded version of a module; ``current`` and at most one ``old`` are kept."""

    module: str
    version: int
    digest: str
    current: bool
    file: str
    loaded_step: int
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """The guide's counters and what the guest can tell of itself at one moment."""

    process_spawns: int = 0
    process_exits: int = 0
    messages_sent: int = 0
    supervisor_restarts: int = 0
    processes: int = 0
    steps: int = 0
    now_ms: int = 0
    longest_queue: int = 0
    outside_pending: int = 0
