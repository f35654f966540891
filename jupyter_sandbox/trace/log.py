"""The event log of a node: a ring of what happened, put into words only when somebody reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from ..model.anatomy import own_name
from ..model.ids import FIRST_CLIENT, Pid
from ..model.reasons import said
from ..model.text import short_text
from ..model.views import Event, WhyView
from .history import History

_Raw = tuple[int, int, str, Pid | str, str | None, Any]
"""Step, milliseconds, kind, pid, name, what: as it was, to be put into words by ``_event``."""
_UNREAD: Final = 1_000
"""How many events ``take_unread`` hands on at most."""
_EXPLAINED: Final = frozenset({"crash", "supervisor_restart", "supervisor_gave_up", "restart_done"})
"""The kinds that the restart history is told, too."""


class EventLog:
    """A sink for a node: call it with what happened, read ``Event`` values from it.

    ``capacity`` events are kept; ``dropped`` counts the older ones. ``wanted``
    limits which kinds are handed on by ``take_unread``, None means all.
    """

    def __init__(self, capacity: int = 10_000, wanted: frozenset[str] | None = None) -> None:
        self._ring: deque[_Raw] = deque(maxlen=capacity)
        self._wanted = wanted
        self._noted = 0
        self._tellers: list[Callable[[], int]] = []
        """Each says how many events it noted."""
        self.words: dict[str, Callable[[Any], str]] = {}
        """How the data of a kind of event is put into words; other kinds are known here."""
        self._read = 0
        """How many there were when take_unread was last asked."""
        self._unwanted = 0
        """How many since then it does not hand on."""
        self.history = History()

    @property
    def total(self) -> int:
        """How many events there were."""
        return self._noted + sum(told() for told in self._tellers)

    @property
    def dropped(self) -> int:
        """How many events the ring has lost."""
        return self.total - len(self._ring)

    def __call__(self, kind: str, process: Any, data: Any) -> None:
        """Note an event; ``process`` is the runtime's record."""
        if kind in _EXPLAINED:
            if kind == "restart_done":
                id, state = data
                self.history.settled(_child_key(process, id), state)
                return
            if kind == "crash":
                self._crash("" if process.hidden else repr(process.pid), data)
                data = said(data[1], 300)
            else:
                self._decision(process, data)
        node = process.node
        self._keep((node.step_number, node.now_ms, kind, process.pid, process.name, data))

    def teller(self, node: Any) -> Callable[[str, Any, Any], None]:
        """A function that notes what a process of this node did, like a call of the log but in a third of the time.

        For what comes with every message. Its kinds are wanted ones, and ``words`` knows how to tell them.
        """
        append = self._ring.append
        told = 0

        def tell(kind: str, process: Any, data: Any) -> None:
            nonlocal told
            told += 1
            append((node.folded + len(node.trail), node.now_ms, kind, process.pid, process.name, data))

        self._tellers.append(lambda: told)
        return tell

    def note(self, kind: str, step: int, now_ms: int, who: tuple[str, str], text: str) -> None:
        """An event that is in words already; ``who`` is pid and name."""
        self._keep((step, now_ms, kind, *who, text))

    def _keep(self, raw: _Raw) -> None:
        self._ring.append(raw)
        self._noted += 1
        if self._wanted is not None and raw[2] not in self._wanted:
            self._unwanted += 1

    def newest(self, limit: int, kinds: Iterable[str] = (), names: tuple[str, ...] = ()) -> list[Event]:
        """Up to ``limit`` events, newest first, of these kinds and about these processes (all when empty)."""
        wanted = frozenset(kinds)
        found: list[Event] = []
        for raw in reversed(self._ring):
            if wanted and raw[2] not in wanted:
                continue
            if names and _name(raw) not in names and str(raw[3]) not in names:
                continue
            found.append(self._event(raw))
            if len(found) == limit:
                break
        return found

    def take_unread(self) -> tuple[list[Event], int]:
        """The events since last asked, oldest first, and how many more there were."""
        wanted, found = self._wanted, deque[_Raw](maxlen=_UNREAD)
        total = self.total
        fresh = min(total - self._read, len(self._ring))
        for raw in islice(self._ring, len(self._ring) - fresh, None):
            if wanted is None or raw[2] in wanted:
                found.append(raw)
        dropped = total - self._read - self._unwanted - len(found)
        self._read, self._unwanted = total, 0
        return [self._event(raw) for raw in found], dropped

    def _event(self, raw: _Raw) -> Event:
        step, now_ms, kind, pid, _, data = raw
        words = self.words.get(kind)
        text = _text(kind, data) if words is None else words(data)
        return Event(step, now_ms, kind, "" if _is_client(pid) else str(pid), _name(raw), text, {})

    def _crash(self, pid: str, data: Any) -> None:
        if len(data) == 3:
            self.history.crashed(pid, data[0], data[2])
        else:
            self.history.crashed(pid, None, None)

    def _decision(self, process: Any, record: Any) -> None:
        key = _child_key(process, record.id)
        entry = process.state.entries.get(record.id)
        name = record.id if entry is None or not isinstance(entry.child.name, str) else entry.child.name
        where = WhyView(
            key=key, name=_shown(name), step=process.node.step_number, now_ms=process.node.now_ms, reason="",
            cause="", message="", traceback=(), supervisor=process.name or own_name(process.behaviour),
            decision=record.decision,
            stopped=tuple(map(_shown, record.stopped)), started=tuple(map(_shown, record.started)),
        )  # fmt: skip
        self.history.decided(where, repr(record.pid), record.reason)


def _child_key(process: Any, id: Any) -> str:
    return f"{process.name or own_name(process.behaviour)}/{_shown(id)}"


def _shown(id: Any) -> str:
    """The id of a child as keys have it; it may be of any class, and none of its code is to run here."""
    return id if type(id) is str else short_text(id, 40)


def _is_client(pid: Pid | str) -> bool:
    return isinstance(pid, Pid) and pid.number >= FIRST_CLIENT


def _name(raw: _Raw) -> str:
    return raw[4] or ("outside" if _is_client(raw[3]) else "")


def _text(kind: str, data: Any) -> str:
    if kind == "process_spawn":
        if not isinstance(data, Pid):
            return ""
        return "started from outside" if data.number >= FIRST_CLIENT else f"started by {data!r}"
    if kind == "process_exit":
        return f"exited: {said(data, 200)}"
    if kind == "application_stop":
        return f"{data[0]} ended: {said(data[1], 200)}"
    if kind in ("supervisor_restart", "supervisor_gave_up"):
        others = "".join(f", {word} {', '.join(map(_shown, ids))}" for word, ids in _others(data) if ids)
        return f"{_shown(data.id)}: {data.decision}{others}"
    if kind == "log":
        return f"[{data[0]}] {data[1]}"
    if kind == "limit":
        return f"{data[0]}: {data[1]}"
    return data if isinstance(data, str) else short_text(data, 300)


def _others(record: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    waits = ", after " in record.decision  # the delay of a back-off has only begun
    return ("stopped", record.stopped), ("to be started" if waits else "started", record.started)
