"""Saves a quiet system and fills a fresh node from it. Pickles are written and opened only inside guests.

Every process is a blob of its own, so that what cannot be saved is named with
its process. What is running Python code at that moment, a callback that
waits, cannot be saved; the masters of applications are the one exception,
because what they know can be read and handed to a new one.
"""

from __future__ import annotations

import operator
import pickle
from collections import deque
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from ..code.uncollected import uncollected
from ..code.versions import VersionTable
from ..model.code import Bundle
from ..model.errors import SnapshotError
from ..otp import application, inspect
from ..runtime import Node, plain
from ..runtime.context import Context, set_class
from ..runtime.operations import Receive
from ..runtime.process import Process
from ..runtime.signals import INIT
from . import held_values
from .aside import HandlerTimeout
from .code_server import CodeServer
from .snapshot_reader import Reader
from .snapshot_writer import Writer, said

_FORMAT: Final = 3
_COPIES: Final = 3
"""So often it is in memory once more before it has left."""
_OF_THE_KIND: Final = frozenset({"context", "behaviour", "dispatch"})
_NOT_SAVED: Final = frozenset({"node", "number", "pid", "coro", "message", "since", "upgrade", "wait"})
_COUNTERS: Final = frozenset({"sent", "other_tags", "process_spawns", "process_exits", "restarts"})
"""The kernel counts over all guests of a sandbox, and these have been counted."""
_OF_THE_GUEST: Final = frozenset(
    {
        "answers", "asked", "copy", "current", "drivers", "first_limits", "isolation", "journal", "loader", "longest",
        "lot", "lots", "max_mailbox", "max_processes", "most_processes", "name", "outside", "outside_waiting", "policy",
        "processes", "ready", "sends", "sink", "told", "trace", "uncounted", "watch",
    }
)  # fmt: skip
_FIELDS: Final = [name for name in Process.__slots__ if name not in _NOT_SAVED | _OF_THE_KIND]
"""What is saved of a process itself."""
_values: Final = operator.attrgetter(*_FIELDS)
_NEW: Final = _values(Process(Node(), 0, plain.run_plain))
_OF_NODE: Final = [name for name in Node.__slots__ if name not in _COUNTERS | _OF_THE_GUEST]


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot as bytes, how many processes are in it, and which values of modules are not."""

    blob: bytes
    processes: int
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot read back as far as that needs no code of the user's."""

    bundle: Bundle
    table: VersionTable
    app: str | None
    node: bytes
    kinds: tuple[bytes, ...]
    """What processes run: many have the same."""
    processes: tuple[tuple[int, int, bytes], ...]
    """Number, place of its kind, and what else there is to it."""
    held: held_values.Held | None
    """What modules hold. Snapshots that were taken before it was saved do not even have the field."""


def take(node: Node, code: CodeServer, app: str | None) -> Taken:
    """Save everything. Raises SnapshotError that names the process which cannot be saved, and why."""
    refuse_busy(node)
    writer = Writer(node.name)
    taken = _taken(node, code, app, writer)
    writer.make_sure_of_memory(_COPIES * len(taken.blob))
    return taken


@uncollected()  # thousands of objects come at once and none of them is garbage: a tenth of the time
def _taken(node: Node, code: CodeServer, app: str | None, writer: Writer) -> Taken:
    held = _held(node, code, writer)
    kinds = _Kinds(writer)
    processes = tuple(
        (process.number, kinds.place(process), _process_blob(process, writer)) for process in node.processes.values()
    )
    facts: dict[str, Any] = {name: getattr(node, name) for name in _OF_NODE}
    facts["ready"] = list(node.ready)
    blob = writer.dumps(facts, "the node's tables and timers")
    saved = Saved(code.bundle, code.table, app, blob, tuple(kinds.blobs), processes, held)
    shown = sum(not process.hidden for process in node.processes.values())
    return Taken(writer.whole((_FORMAT, saved)), shown, () if held is None else held.lost)


def opened(blob: bytes) -> Saved:
    """The outer part of a snapshot. Raises SnapshotError for bytes that are none of ours."""
    try:
        number, saved = pickle.loads(blob)
    except Exception as error:
        raise SnapshotError(f"the snapshot cannot be read ({error}); take it again") from None
    if number != _FORMAT or not isinstance(saved, Saved):
        raise SnapshotError("the snapshot is of another version of jupyter_sandbox; take it again")
    return saved


@uncollected()
def restore(node: Node, code: CodeServer, saved: Saved) -> None:
    """Fill a fresh node whose code is loaded. Raises SnapshotError; the node must be thrown away then."""
    code.restore_table(saved.table)
    processes = {number: Process(node, number, plain.run_plain) for number, _, _ in saved.processes}
    node.processes.update((process.pid, process) for process in processes.values())
    reader = Reader(node, processes)
    held = held_of(saved)
    if held is not None:
        reader.met = held_values.put_back(held, lambda blob, met: reader.loads_with(met, blob, "what modules hold"))
    facts = reader.loads(saved.node, "the node")
    ready = facts.pop("ready")
    node.other_tags += facts["next_tag"] - node.next_tag  # those taken before are no calls of this guest
    for name, value in facts.items():
        setattr(node, name, value)
    node.ready = deque(ready)
    kinds = [reader.loads(blob, "what a process runs") for blob in saved.kinds]
    for number, kind, _ in saved.processes:
        _give_kind(processes[number], *kinds[kind])
    for number, _, blob in saved.processes:
        _fill(reader, processes[number], blob)
    shown = sum(not process.hidden for process in processes.values())
    node.uncounted = node.process_spawns - node.process_exits - shown


def held_of(saved: Saved) -> held_values.Held | None:
    """What modules hold; None for a snapshot that has nothing of it, also of an earlier version of jupyter_sandbox."""
    held: held_values.Held | None = getattr(saved, "held", None)
    return held


def refuse_busy(node: Node) -> None:
    """Raise SnapshotError when something is in the middle of running."""
    for process in node.processes.values():
        if process.coro is None or _master(process) is not None:
            continue
        if process.hidden:
            raise SnapshotError("a request from outside is still being answered; take the snapshot when it is done")
        name = process.name or repr(process.pid)
        waits = inspect.waiting_for(node, process)
        doing = f"waits for {waits}" if waits else "runs"
        raise SnapshotError(
            f"process {name} is in the middle of {inspect.behaviour_name(process.behaviour)} and {doing}: that cannot "
            "be saved. Stop it, or keep what it knows in the state of a GenServer"
        )


def _held(node: Node, code: CodeServer, writer: Writer) -> held_values.Held | None:
    """What modules hold; from here on the writer knows it."""
    try:
        held, writer.met = held_values.taken(code.values, node.seed, len(node.processes), writer.try_dumps)
    except HandlerTimeout:
        raise
    except BaseException as error:  # the user's classes may raise anything anywhere
        raise SnapshotError(f"what modules hold at their top level cannot be saved: {said(error)}") from None
    if held is not None:
        writer.take(len(held.blob))
    return held


class _Kinds:
    """Behaviour, context and dispatch of processes, each combination saved once."""

    def __init__(self, writer: Writer) -> None:
        self.blobs: list[bytes] = []
        self._writer = writer
        self._places: dict[tuple[int, int, int], int] = {}

    def place(self, process: Process) -> int:
        """Where that of a process stands."""
        kind = type(process.context), process.behaviour, process.dispatch
        key = id(kind[0]), id(kind[1]), id(kind[2])
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.blobs)
            self.blobs.append(self._writer.dumps(kind, f"what {process.name or process.pid} runs"))
        return place


def _process_blob(process: Process, writer: Writer) -> bytes:
    """What a process has that a new one has not: most of its fields were never used."""
    values = _values(process)
    facts = dict(compress(zip(_FIELDS, values, strict=True), map(operator.is_not, values, _NEW)))
    master = None if process.coro is None else _master(process)
    if master is not None:
        facts["since"] = process.since  # it waits on in the restored system
    return writer.dumps((facts, master), process)


def _give_kind(process: Process, context: type[Context], behaviour: Any, dispatch: Any) -> None:
    """Before anything of any process is read: each may hold the ``self`` of each, and a module may already do."""
    process.behaviour, process.dispatch = behaviour, dispatch
    if process.context is None:
        process.context = context(process)
    else:
        set_class(process.context, context)


def _fill(reader: Reader, process: Process, blob: bytes) -> None:
    facts, master = reader.loads(blob, f"process {process.pid}")
    for name, value in facts.items():
        setattr(process, name, value)
    if master is not None:
        _go_on_as_master(process.node, process, *master)


def _master(process: Process) -> tuple[str, Any] | None:
    """The application that a process is the master of, and the state its ``start`` gave; None for all others."""
    waiting: Any = process.coro
    while waiting is not None and getattr(waiting, "cr_code", None) is not application.attend.__code__:
        waiting = getattr(waiting, "cr_await", None)
    frame = getattr(waiting, "cr_frame", None)
    if frame is None or "message" in frame.f_locals:
        return None
    return frame.f_locals["entry"].spec.name, frame.f_locals["state"]


def _go_on_as_master(node: Node, process: Process, name: str, state: Any) -> None:
    """Bring a new master to where the saved one waits, without a step: a replay counts steps."""
    entry = application.applications(node)[name]
    args = (entry, entry.spec.module(process), entry.top, state)
    running = plain.run_plain(process, (INIT, (application.attend, args), None))
    assert running is not None
    process.coro = running
    _, match, default, _, _ = running.send(None)
    process.wait = Receive(match, default)
    if not hasattr(process, "since"):  # a snapshot that was taken before it was saved
        process.since = node.now_ms
