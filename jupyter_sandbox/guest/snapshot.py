"""Saves a quiet system and fills a fresh node from it. Pickles are written and opened only in here, inside guests.

Every process is a blob of its own, so that what cannot be saved is named with
its process. What is running Python code at that moment, a callback that
waits, cannot be saved; the masters of applications are the one exception,
because what they know can be read and handed to a new one.
"""

from __future__ import annotations

import io
import itertools
import operator
import pickle
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from typing import Any, Final

from ..code.uncollected import uncollected
from ..code.versions import VersionTable
from ..model.anatomy import own_name
from ..model.code import Bundle
from ..model.errors import SnapshotError
from ..otp import application, inspect
from ..runtime import Node, plain
from ..runtime.context import Context
from ..runtime.crashes import text_of
from ..runtime.operations import Receive
from ..runtime.process import Process
from ..runtime.signals import INIT
from . import held_values
from .aside import HandlerTimeout
from .bounded import Bounded, Overfull
from .code_server import CodeServer
from .refilling import SAVED, count_parts
from .too_large import MOST, Endless, TooLarge, no_memory, too_large
from .tracebacks import diagnostic_of, one_line

_FORMAT: Final = 3
_LARGE: Final = 10_000
_COPIES: Final = 3
"""So often it is in memory once more before it has left."""
_ALL: Final = "the state of the sandbox"
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
    writer = _Writer(node.name)
    taken = _taken(node, code, app, writer)
    writer.make_sure_of_memory(_COPIES * len(taken.blob))
    return taken


@uncollected()  # thousands of objects come at once and none of them is garbage: a tenth of the time
def _taken(node: Node, code: CodeServer, app: str | None, writer: _Writer) -> Taken:
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
    reader = _Reader(node, processes)
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
    for number, kind, blob in saved.processes:
        _fill(reader, processes[number], kinds[kind], blob)
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


def _held(node: Node, code: CodeServer, writer: _Writer) -> held_values.Held | None:
    """What modules hold; from here on the writer knows it."""
    try:
        held, writer.met = held_values.taken(code.values, node.seed, len(node.processes), writer.try_dumps)
    except HandlerTimeout:
        raise
    except BaseException as error:  # the user's classes may raise anything anywhere
        raise SnapshotError(f"what modules hold at their top level cannot be saved: {_said(error)}") from None
    if held is not None:
        writer.take(len(held.blob))
    return held


class _Kinds:
    """Behaviour, context and dispatch of processes, each combination saved once."""

    def __init__(self, writer: _Writer) -> None:
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


def _process_blob(process: Process, writer: _Writer) -> bytes:
    """What a process has that a new one has not: most of its fields were never used."""
    values = _values(process)
    facts = dict(compress(zip(_FIELDS, values, strict=True), map(operator.is_not, values, _NEW)))
    master = None if process.coro is None else _master(process)
    if master is not None:
        facts["since"] = process.since  # it waits on in the restored system
    return writer.dumps((facts, master), process)


def _fill(reader: _Reader, process: Process, kind: tuple[Any, Any, Any], blob: bytes) -> None:
    facts, master = reader.loads(blob, f"process {process.pid}")
    for name, value in facts.items():
        setattr(process, name, value)
    context, process.behaviour, process.dispatch = kind
    process.context = context(process)
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


# --- pickles ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes one pickle after another. The node, processes and contexts are never copied: they are named.

    All of them together have to travel in one frame, so that there is an end to it before it takes long. ``sandbox``
    stands in the commands that errors tell the user to type.
    """

    def __init__(self, sandbox: str) -> None:
        contexts = dict.fromkeys(_with_subclasses(Context), _context_by_name)
        self._named: dict[type, Any] = {Process: _process_by_name, Node: _node_by_name, **contexts}
        self._sandbox, self._room = sandbox, MOST
        self.met: held_values.Met = {}
        """What each pickle begins with: it is in another one."""
        self._begin()

    def _begin(self) -> None:
        self._out = Bounded()
        self._pickler = pickle.Pickler(self._out, pickle.HIGHEST_PROTOCOL)
        self._pickler.dispatch_table = {**SAVED, **self._named}

    def dumps(self, value: Any, of: Process | str) -> bytes:
        """Raises SnapshotError that says of what it was."""
        try:
            blob = self._plainly(value)
        except (Overfull, MemoryError) as error:
            raise self._too_much(error, of) from None
        except HandlerTimeout as error:
            raise _takes_too_long(error, of) from None
        except BaseException:  # the user's __reduce__ may raise anything
            blob = self._dumps_by_value(value, of)
        self._room -= len(blob)
        return blob

    def _plainly(self, value: Any) -> bytes:
        self._out.clear(self._room)
        if self.met:
            self._pickler.memo = self.met
        else:
            self._pickler.clear_memo()
        self._pickler.dump(value)
        blob = self._out.getvalue()
        if len(blob) > _LARGE:
            self._begin()  # forgetting takes as long as the longest memory it ever had
        return blob

    def _dumps_by_value(self, value: Any, of: Process | str) -> bytes:
        """Functions and classes made inside functions travel by value, for which cloudpickle knows how.

        Its error is the one to tell: what only plain pickle cannot save is no obstacle.
        """
        try:
            return self._by_value(value, self.met, self._room)[0]
        except (Overfull, MemoryError) as error:
            raise self._too_much(error, of) from None
        except HandlerTimeout as error:
            raise _takes_too_long(error, of) from None
        except BaseException as error:
            raise SnapshotError(
                f"{_of(of)} cannot be saved: {_said(error)}. Keep plain data in states, and open files and connections "
                "through `await self.outside(...)`"
            ) from None

    def _by_value(self, value: Any, met: held_values.Met, room: int) -> tuple[bytes, held_values.Met]:
        import cloudpickle

        self._out.clear(room)
        pickler = cloudpickle.Pickler(self._out)
        pickler.dispatch_table = {**pickler.dispatch_table, itertools.count: count_parts, **self._named}
        if met:
            pickler.memo = met
        pickler.dump(value)
        return self._out.getvalue(), pickler.memo.copy()

    def try_dumps(self, value: Any, met: held_values.Met, room: int) -> tuple[bytes, held_values.Met]:
        """A pickle that begins with what another one has met, and what it has met then.

        Raises whatever the hooks of the value raise, and Overfull.
        """
        try:
            self._out.clear(room)
            self._pickler.memo = met
            self._pickler.dump(value)
            return self._out.getvalue(), self._pickler.memo.copy()
        except (Overfull, MemoryError, HandlerTimeout):
            raise
        except BaseException:
            return self._by_value(value, met, room)
        finally:
            self._begin()

    def take(self, size: int) -> None:
        """So much of the room is used."""
        self._room -= size

    def whole(self, saved: Any) -> bytes:
        """All that was written, in one. Raises SnapshotError."""
        try:
            blob = pickle.dumps(saved, pickle.HIGHEST_PROTOCOL)
        except MemoryError as error:
            raise self._too_much(error, _ALL, MOST - self._room) from None
        if len(blob) > MOST:
            raise self._too_much(Overfull(), _ALL, len(blob))
        return blob

    def make_sure_of_memory(self, size: int) -> None:
        """What was saved is copied on its way; an answer must not fail half way. Untouched memory costs nothing."""
        try:
            bytes(size)
        except MemoryError as error:
            raise self._too_much(error, _ALL, MOST - self._room) from None

    def _too_much(self, error: Overfull | MemoryError, of: Process | str, size: int | None = None) -> TooLarge:
        """``size`` is how much it is, as far as that is known: it may be more."""
        others = MOST - self._room if size is None else 0
        size = self._out.wanted if size is None else size
        if isinstance(error, MemoryError):
            return no_memory(_of(of), size, self._sandbox)
        return too_large(_of(of), size, others)


def _of(of: Process | str) -> str:
    return of if isinstance(of, str) else f"the state of {of.name or of.pid}"


def _takes_too_long(error: HandlerTimeout, of: Process | str) -> Endless:
    place = diagnostic_of(error)
    where = f", at {place.file} line {place.line}" if place else ""
    return Endless(
        f"{_of(of)} cannot be saved: saving it took longer than handler_budget allows{where}. Look for an endless loop "
        "in how its class is pickled"
    )


def _said(error: BaseException) -> str:
    """In words, whatever the user's exception makes of them."""
    return text_of(error)[:500] or own_name(type(error))


def _with_subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(_with_subclasses, kind.__subclasses__()))


def _process_by_name(process: Process) -> Any:
    return _named, ("process", process.number)


def _context_by_name(context: Context) -> Any:
    return _named, ("context", context._process.number)


def _node_by_name(_: Node) -> Any:
    return _named, ("node", 0)


def _named(kind: str, number: int) -> Any:
    """Stands in pickles for what is only named there; reading one puts its own function in this place."""
    raise AssertionError("only a snapshot can be asked for it")


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, node: Node, processes: dict[int, Process], met: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._node, self._processes, self._met = node, processes, met

    def find_class(self, module: str, name: str) -> Any:
        return self._find if name == "_named" and module == __name__ else super().find_class(module, name)

    def persistent_load(self, number: str) -> Any:
        return self._met[int(number)]

    def _find(self, kind: str, number: int) -> Any:
        if kind == "node":
            return self._node
        process = self._processes.get(number)
        return process.context if kind == "context" and process is not None else process


class _Reader:
    """Reads one pickle after another: what each begins with has been read from another one."""

    def __init__(self, node: Node, processes: dict[int, Process]) -> None:
        self._node, self._processes = node, processes
        self.met: Sequence[Any] = ()

    def loads(self, data: bytes, what: str) -> Any:
        """Raises SnapshotError that says of what it was."""
        return self._read(data, self.met, what)[0]

    def loads_with(self, met: Sequence[Any], data: bytes, what: str) -> tuple[Any, dict[int, Any]]:
        """The same of a pickle that begins with these, and what it has met then, by number."""
        value, unpickler = self._read(data, met, what)
        return value, unpickler.memo.copy()

    def _read(self, data: bytes, met: Sequence[Any], what: str) -> tuple[Any, Any]:
        unpickler = _Unpickler(_meeting(len(met)) + data, self._node, self._processes, met)
        try:
            if met:
                unpickler.load()
            return unpickler.load(), unpickler
        except BaseException as error:  # the user's __setstate__ may raise anything
            why = one_line(error)
            raise SnapshotError(f"{what} cannot be restored ({why}); load the code it was saved with") from None


@lru_cache(maxsize=1)
def _meeting(count: int) -> bytes:
    """A pickle that does nothing but give their numbers to so many objects."""
    if not count:
        return b""
    each = (pickle.PERSID + str(number).encode() + b"\n" + pickle.MEMOIZE + pickle.POP for number in range(count))
    return pickle.PROTO + bytes([pickle.HIGHEST_PROTOCOL]) + b"".join(each) + pickle.NONE + pickle.STOP
