"""What is known of a sandbox from outside: status, facts, code sources, and the updates that observers get."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .limits import OPEN_FILES, Limits
from .protection import Protection
from .views import Counters, StepView, TreeDiff, TreeView


class SandboxStatus(enum.StrEnum):
    """Life of a sandbox; the legal moves between them stand in ``manager.state``."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    RELOADING = "reloading"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """One line of ``%sandbox list``; ``reason`` says why it crashed or stopped."""

    id: int
    name: str
    app_name: str
    status: SandboxStatus
    reason: str
    created_at: float
    """Seconds since the epoch."""
    os_pid: int | None
    main: str | None
    limits: Limits
    protection: Protection | None
    memory: int = 0
    """Bytes of private memory above the empty sandbox."""
    memory_peak: int = 0
    runtime_s: int = 0
    """Since it was created, over all its OS processes."""
    counters: Counters = field(default_factory=Counters)
    modules: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    alerted_at: tuple[float, ...] = ()
    """When each of them was raised, in seconds since the epoch."""
    flavour: str = "plain"
    """What it had imported before its own code ran."""
    disk_peak: int = 0
    """Bytes in its folder and in files that it deleted and keeps open, at most so far."""
    open_files_peak: int = 0
    most_files: int = OPEN_FILES
    """How many it may have open, or might before it ended: in ``off`` the operating system sets no limit."""
    files_peak: int = 0
    """Files and folders in its folder, and files that it deleted and keeps."""
    threads_peak: int = 0
    processes_peak: int = 0
    """Processes of the node that lived at one time, as the guest counts them."""
    mailbox_peak: int = 0
    """Messages that waited at one process, as the guest counts them."""
    message_peak: int = 0
    """Bytes of the largest message into it or reply out of it, refused ones among them."""
    output_peak: int = 0
    """Bytes that one cell printed on one stream, shown or dropped."""
    callback_peak_ms: int = 0
    """How long one callback was seen to run."""
    processor_ms: int = 0
    """Processor time of this OS process, or of the last one until it ended."""
    news_peak: int = 0
    """Things that it told at once, of the ``AT_ONCE`` that it may."""
    printed: int = 0
    """Bytes of output that were shown or kept, over all its guests."""
    ready_ns: int = 0
    """When its newest OS process was ready, by ``time.monotonic_ns``: from then on ``max_runtime`` counts."""
    lived_s: int = 0
    """Whole seconds that this OS process has had, or had until it ended."""


@dataclass(frozen=True, slots=True)
class InfoChanged:
    info: SandboxInfo


@dataclass(frozen=True, slots=True)
class Removed:
    name: str
    id: int


@dataclass(frozen=True, slots=True)
class TreeReplaced:
    """A whole tree: sent first, and after anything that makes diffs impossible."""

    name: str
    tree: TreeView


@dataclass(frozen=True, slots=True)
class TreePatched:
    name: str
    diff: TreeDiff


@dataclass(frozen=True, slots=True)
class StepsTold:
    name: str
    steps: tuple[StepView, ...]
    step: int


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """``limit``: process_limit, memory_limit, runtime_limit, cpu_limit, mailbox_limit, message_limit, output_limit,
    disk_limit, file_limit, files_limit, threads_limit, watches_limit, news_limit, protocol, hang, crash."""

    name: str
    limit: str
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class NoticeTold:
    name: str
    level: str
    text: str
    process: str = ""
    traceback: tuple[str, ...] = ()
    logged: str = ""
    """Erlang's level of a line that a program logged."""
    at: float = 0.0
    """When the kernel heard it, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class OutputArrived:
    """Text a guest printed; ``stream`` is stdout or stderr; ``dropped`` counts bytes not shown."""

    name: str
    stream: str
    text: str
    dropped: int = 0


Update = (
    InfoChanged | Removed | TreeReplaced | TreePatched | StepsTold | AlertRaised | NoticeTold | OutputArrived
)  # fmt: skip
"""What ``SandboxManager.subscribe`` delivers, in order, from the manager's thread."""
