"""The event log of a node: a ring of what happened, put into words only when somebody reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from ..model.ids import FIRST_CLIENT, Pid
from ..model.reasons import said
from ..model.text import short_text
from ..model.views import Event, WhyView
from .history import History

_Raw = tuple[int, int, str, Pid | str, str, Any]
_EXPLAINED: Final = frozenset({"crash", "supervisor_restart", "supervisor_gave_up", "restart_done"})
"""The kinds that the restart history is told, too."""


class EventLog:
    """A sink for a node: call it with what happened, read ``Event`` values from it.

    ``capacity`` events are kept; ``dropped`` counts the older ones. ``wanted``
    limits which kinds are handed on by ``take_unread``, None means all.
    """

    def __init__(self, capacity: int = 10_000, wanted: frozenset[str] | None = None) -> None:
        self._ring: deque[_Raw] = deque(maxlen=capacity)
        self._unread: deque[_Raw] = deque(maxlen=1_000)
        self._wanted = wanted
        self.total = 0
        self._since_read = 0
        """How many events take_unread would have handed on, had it room for all."""
        self.history = History()

    @property
    def dropped(self) -> int:
        """How many events the ring has lost."""
        return self.total - len(self._ring)

    def __call__(self, kind: str, process: Any, data: Any) -> None:
        """Note an event; ``process`` is the runtime's record."""
        node = process.node
        name = process.name or ("outside" if process.number >= FIRST_CLIENT else "")
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
        raw = (
            node.folded + len(node.trail), node.now_ms, kind, "" if process.hidden else process.pid, name, data
        )  # fmt: skip
        self.total += 1  # as _keep does; every message of a traced node comes by here
        self._ring.append(raw)
        if self._wanted is None or kind in self._wanted:
            self._since_read += 1
            self._unread.append(raw)

    def note(self, kind: str, step: int, now_ms: int, who: tuple[str, str], text: str) -> None:
        """An event that is in words already; ``who`` is pid and name."""
        self._keep((step, now_ms, kind, *who, text))

    def _keep(self, raw: _Raw) -> None:
        self.total += 1
        self._ring.append(raw)
        if self._wanted is None or raw[2] in self._wanted:
            self._since_read += 1
            self._unread.append(raw)

    def newest(self, limit: int, kinds: Iterable[str] = (), names: tuple[str, ...] = ()) -> list[Event]:
        """Up to ``limit`` events, newest first, of these kinds and about these processes (all when empty)."""
        wanted = frozenset(kinds)
        found: list[Event] = []
        for raw in reversed(self._ring):
            if (wanted and raw[2] not in wanted) or (names and raw[4] not in names and str(raw[3]) not in names):
                continue
            found.append(_event(raw))
            if len(found) == limit:
                break
        return found

    def take_unread(self) -> tuple[list[Event], int]:
        """The events since last asked, oldest first, and how many more there were."""
        events = [_event(raw) for raw in self._unread]
        dropped = self._since_read - len(events)
        self._unread.clear()
        self._since_read = 0
        return events, dropped

    def _crash(self, pid: str, data: Any) -> None:
        if len(data) == 3:
            self.history.crashed(pid, data[0], data[2])
        else:
            self.history.crashed(pid, None, None)

    def _decision(self, process: Any, record: Any) -> None:
        key = _child_key(process, record.id)
        where = WhyView(
            key=key, name=str(record.id), step=process.node.step_number, now_ms=process.node.now_ms, reason="",
            cause="", message="", traceback=(), supervisor=process.name or process.behaviour.__name__,
            decision=record.decision,
            stopped=tuple(str(id) for id in record.stopped), started=tuple(str(id) for id in record.started),
        )  # fmt: skip
        self.history.decided(where, repr(record.pid), record.reason)


def _child_key(process: Any, id: Any) -> str:
    return f"{process.name or process.behaviour.__name__}/{id}"


def _event(raw: _Raw) -> Event:
    step, now_ms, kind, pid, name, data = raw
    return Event(step, now_ms, kind, str(pid), name, _text(kind, data), {})


def _text(kind: str, data: Any) -> str:
    if kind == "process_spawn":
        if not isinstance(data, Pid):
            return ""
        return "started from outside" if data.number >= FIRST_CLIENT else f"started by {data!r}"
    if kind == "process_exit":
        return f"exited: {short_text(data, 200)}"
    if kind in ("supervisor_restart", "supervisor_gave_up"):
        others = "".join(f", {word} {', '.join(map(str, ids))}" for word, ids in _others(data) if ids)
        return f"{data.id}: {data.decision}{others}"
    if kind == "log":
        return f"[{data[0]}] {data[1]}"
    if kind == "limit":
        return f"{data[0]}: {data[1]}"
    return data if isinstance(data, str) else short_text(data, 300)


def _others(record: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    return ("stopped", record.stopped), ("started", record.started)
