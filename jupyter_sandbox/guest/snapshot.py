"""Saves a quiet system and fills a fresh node from it. Pickles are written and opened only in here, inside guests.

Every process is a blob of its own, so that what cannot be saved is named with
its process. What is running Python code at that moment, a callback that
waits, cannot be saved; the masters of applications are the one exception,
because what they know can be read and handed to a new one.
"""

from __future__ import annotations

import io
import pickle
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from ..code.versions import VersionTable
from ..model.code import Bundle
from ..model.errors import SnapshotError
from ..otp import application, inspect
from ..runtime import Node, plain
from ..runtime.context import Context
from ..runtime.operations import Receive
from ..runtime.process import Process
from ..runtime.signals import INIT
from .code_server import CodeServer

_FORMAT: Final = 2
_NOT_SAVED: Final = frozenset({"node", "number", "pid", "context", "coro", "message", "since", "upgrade", "wait"})
_COUNTERS: Final = frozenset({"sent", "other_tags", "process_spawns", "process_exits", "restarts"})
"""The kernel counts over all guests of a sandbox, and these have been counted."""
_OF_THE_GUEST: Final = frozenset(
    {
        "answers", "asked", "copy", "current", "drivers", "isolation", "journal", "loader", "max_mailbox",
        "max_processes", "name", "outside", "outside_waiting", "policy", "processes", "ready", "sink", "told", "trace",
    }
)  # fmt: skip
_OF_NODE: Final = [name for name in Node.__slots__ if name not in _COUNTERS | _OF_THE_GUEST]


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot as bytes, and how many processes are in it."""

    blob: bytes
    processes: int


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot read back as far as that needs no code of the user's."""

    bundle: Bundle
    table: VersionTable
    app: str | None
    node: bytes
    processes: tuple[tuple[int, bytes], ...]


def take(node: Node, code: CodeServer, app: str | None) -> Taken:
    """Save everything. Raises SnapshotError that names the process which cannot be saved, and why."""
    refuse_busy(node)
    processes = tuple((process.number, _process_blob(process)) for process in node.processes.values())
    facts: dict[str, Any] = {name: getattr(node, name) for name in _OF_NODE}
    facts["ready"] = list(node.ready)
    saved = Saved(code.bundle, code.table, app, _dumps(facts, "the node's tables and timers"), processes)
    shown = sum(not process.hidden for process in node.processes.values())
    return Taken(pickle.dumps((_FORMAT, saved), pickle.HIGHEST_PROTOCOL), shown)


def opened(blob: bytes) -> Saved:
    """The outer part of a snapshot. Raises SnapshotError for bytes that are none of ours."""
    try:
        number, saved = pickle.loads(blob)
    except Exception as error:
        raise SnapshotError(f"the snapshot cannot be read ({error}); take it again") from None
    if number != _FORMAT or not isinstance(saved, Saved):
        raise SnapshotError("the snapshot is of another version of jupyter_sandbox; take it again")
    return saved


def restore(node: Node, code: CodeServer, saved: Saved) -> None:
    """Fill a fresh node whose code is loaded. Raises SnapshotError; the node must be thrown away then."""
    code.restore_table(saved.table)
    for number, _ in saved.processes:
        process = Process(node, number, plain.run_plain)
        node.processes[process.pid] = process
    facts = _loads(node, saved.node, "the node")
    ready = facts.pop("ready")
    node.other_tags += facts["next_tag"] - node.next_tag  # those taken before are no calls of this guest
    for name, value in facts.items():
        setattr(node, name, value)
    node.ready = deque(ready)
    for number, blob in saved.processes:
        _fill(node, number, blob)


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


def _process_blob(process: Process) -> bytes:
    facts = {name: getattr(process, name) for name in Process.__slots__ if name not in _NOT_SAVED}
    facts["context"] = type(process.context)
    facts["master"] = _master(process)
    return _dumps(facts, f"the state of {process.name or process.pid}")


def _fill(node: Node, number: int, blob: bytes) -> None:
    process = next(found for found in node.processes.values() if found.number == number)
    facts = _loads(node, blob, f"process {process.pid}")
    context, master = facts.pop("context"), facts.pop("master")
    for name, value in facts.items():
        setattr(process, name, value)
    process.context = context(process)
    if master is not None:
        _go_on_as_master(node, process, *master)


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


# --- pickles ----------------------------------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """The node, processes and contexts are never copied: they are named."""

    def persistent_id(self, value: Any) -> Any:
        return _named(value)


def _named(value: Any) -> Any:
    if isinstance(value, Process):
        return ("process", value.number)
    if isinstance(value, Node):
        return ("node", 0)
    if isinstance(value, Context):
        return ("context", value._process.number)
    return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, node: Node) -> None:
        super().__init__(io.BytesIO(data))
        self._node = node
        self._by_number = {process.number: process for process in node.processes.values()}

    def persistent_load(self, name: Any) -> Any:
        kind, number = name
        if kind == "node":
            return self._node
        process = self._by_number.get(number)
        return process.context if kind == "context" and process is not None else process


def _dumps(value: Any, what: str) -> bytes:
    out = io.BytesIO()
    try:
        _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(value)
        return out.getvalue()
    except Exception as plain_error:  # the user's __reduce__ may raise anything
        return _dumps_by_value(value, what, plain_error)


def _dumps_by_value(value: Any, what: str, first: Exception) -> bytes:
    """Functions and classes made inside functions travel by value, for which cloudpickle knows how."""
    import cloudpickle

    class ByValue(cloudpickle.Pickler):  # type: ignore[misc]
        def persistent_id(self, value: Any) -> Any:
            return _named(value)

    out = io.BytesIO()
    try:
        ByValue(out).dump(value)
    except Exception:
        raise SnapshotError(
            f"{what} cannot be saved: {first}. Keep plain data in states, and open files and connections through "
            "`await self.outside(...)`"
        ) from None
    return out.getvalue()


def _loads(node: Node, data: bytes, what: str) -> Any:
    try:
        return _Unpickler(data, node).load()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise SnapshotError(f"{what} cannot be restored ({why}); load the code it was saved with") from None
