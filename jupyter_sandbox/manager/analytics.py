"""What one sandbox did, counted: the guide's counters, a ring of recent events, experiment steps with their result.

Pure: the time is passed in. Counters of a guest are totals since that guest
began; the ones of earlier guests are carried as a base, so that nothing is
counted twice and nothing is lost over a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

import msgspec

from ..model.views import Counters, Event
from ..wire.encoding import encode
from .newest import Newest, decoder, memory_of
from .peaks import NO_PEAKS, Peaks

RECENT = 10
"""The guide shows the newest ten."""
KEPT, KEPT_BYTES = 1_000, 2_000_000
_TOTALS = ("process_spawns", "process_exits", "messages_sent", "supervisor_restarts", "steps")
_NOTHING = Counters()
_event = decoder(Event)


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One event as ``recent_events`` shows it; ``at`` in seconds since the epoch.

    Python's collector does not walk through it (``Packed`` says why): a cycle that the notebook made and recorded
    lasts as long as Python.
    """

    at: float
    type: str
    told: bytes | dict[str, object]
    """An Event's bytes, or what the notebook recorded, as it came."""

    def plain(self) -> dict[str, object]:
        """The guide's form: timestamp, type, data."""
        return {"timestamp": datetime.fromtimestamp(self.at, UTC), "type": self.type, "data": _data(self.told)}


@dataclass(slots=True)
class SandboxAnalytics:
    """Analytics of one sandbox, fed by the manager's thread.

    ``capture`` keeps only these kinds of a node's events (the cinema_debugger
    block); experiment steps are always kept, because the user made them.
    """

    capture: frozenset[str] | None = None
    event_count: int = 0
    """Everything that was recorded, also what the ring no longer holds and what the guest dropped."""
    memory_peak: int = 0
    peaks: Peaks = NO_PEAKS
    dropped: int = 0
    current: Counters = _NOTHING
    _base: Counters = _NOTHING
    _recent: Newest[Recorded] = field(default_factory=lambda: Newest(KEPT, KEPT_BYTES, _memory_of))

    def sample(self, counters: Counters, events: Sequence[Event], dropped: int, now: float) -> None:
        """One batch of a guest: its totals so far and the events since the last batch."""
        self.current = counters
        self.rose(processes=counters.processes, mailbox=counters.longest_queue)
        self.dropped += dropped
        wanted = [event for event in events if self.wants(event.kind)]
        self.event_count += len(wanted) + dropped
        self._recent.extend(Recorded(now, event.kind, encode(event)) for event in wanted)

    def wants(self, kind: str) -> bool:
        """Whether events of this kind are recorded."""
        return self.capture is None or kind in self.capture

    def record(self, kind: str, data: dict[str, object], now: float) -> None:
        """One event of the manager's own, such as an experiment step."""
        self.event_count += 1
        self._recent.append(Recorded(now, kind, data))

    def memory(self, used: int) -> None:
        """A reading of private memory in bytes."""
        self.memory_peak = max(self.memory_peak, used)

    def rose(self, **figures: int) -> None:
        """Readings of what is limited, by their names in ``Peaks``."""
        self.peaks = self.peaks.risen(figures)

    def message(self, size: int) -> None:
        """A message into it or a reply out of it; there may be thousands a second."""
        if size > self.peaks.message:
            self.rose(message=size)

    def next_guest(self, *, replays_history: bool = False) -> None:
        """Another guest counts from zero; one that replays history counts it again, in place of the one before."""
        if not replays_history:
            self._base = self.totals()
        self.current = _NOTHING

    def totals(self) -> Counters:
        """Counters over all guests; the ones that describe a moment are those of the current guest."""
        if self._base is _NOTHING:
            return self.current
        return replace(
            self.current, **{name: getattr(self._base, name) + getattr(self.current, name) for name in _TOTALS}
        )

    def recent(self, limit: int = RECENT, kinds: Iterable[str] = ()) -> list[dict[str, object]]:
        """The newest events, newest first."""
        wanted = frozenset(kinds)
        chosen = (event for event in reversed(self._recent) if not wanted or event.type in wanted)
        return [event.plain() for event in islice(chosen, max(0, limit))]

    def metrics(self, runtime_s: int) -> dict[str, object]:
        """The guide's ``get_metrics``: runtime_seconds, event_count, metrics, recent_events."""
        totals = self.totals()
        return {
            "runtime_seconds": runtime_s,
            "event_count": self.event_count,
            "metrics": {
                "process_spawns": totals.process_spawns,
                "process_exits": totals.process_exits,
                "messages_sent": totals.messages_sent,
                "supervisor_restarts": totals.supervisor_restarts,
                "memory_peak": self.memory_peak,
            },
            "recent_events": self.recent(),
        }


def _memory_of(recorded: Recorded) -> int:
    return memory_of(recorded.told)


def _data(told: bytes | dict[str, object]) -> dict[str, object]:
    if isinstance(told, dict):
        return told
    event = _event(told)
    return {**event.data, **{name: value for name, value in asdict(event).items() if name not in ("kind", "data")}}
