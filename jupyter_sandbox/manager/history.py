"""What earlier guests of a sandbox did: their events and their supervisors' decisions, bounded. Pure.

A restart, a restore and a step back each bring a fresh guest; people go on
asking about what was before. A guest that lives is asked for all it knows
before another takes its place; of one that died there is what it had told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from ..model.views import Event, WhyView
from .newest import Packed

EVENTS_KEPT, DECISIONS_KEPT = 1_000, 200
KEPT_BYTES = 2_000_000
"""Of memory, for each of: events and decisions, of earlier guests and of the present one."""


class History:
    """Newest first in all answers; the present guest's own part is only given when that guest cannot be asked."""

    def __init__(self) -> None:
        self._past, self._present = _events(), _events()
        self._past_decisions, self._present_decisions = _decisions(), _decisions()
        self._known, self._known_decisions = _Known(), _Known()
        """What ``all_told`` was given: the present guest tells the newest of it once more in its next news."""

    def told(self, events: Iterable[Event], decisions: Iterable[WhyView]) -> None:
        """News of the present guest, oldest first."""
        self._present.extend(filter(self._known.is_new, events))
        self._present_decisions.extend(filter(self._known_decisions.is_new, decisions))

    def all_told(self, events: Sequence[Event], decisions: Sequence[WhyView]) -> None:
        """Everything the present guest knew when it was asked, newest first, in place of what it told until then."""
        self._known, self._known_decisions = _Known(events), _Known(decisions)
        since, since_decisions = list(self._present), list(self._present_decisions)
        self._present, self._present_decisions = _events(), _decisions()
        self._present.extend(reversed(events))
        self._present_decisions.extend(reversed(decisions))
        self.told(since, since_decisions)

    def next_guest(self, replayed_from: int | None = None) -> None:
        """The present guest is past. One that replays does everything from that step on again, so that is forgotten."""
        self._known, self._known_decisions = _Known(), _Known()
        if not (self._present or self._present_decisions):
            return
        if replayed_from is None:
            self._past.take(self._present)
            self._past_decisions.take(self._present_decisions)
            return
        self._past.extend(event for event in self._present if event.step < replayed_from)
        self._past_decisions.extend(entry for entry in self._present_decisions if entry.step < replayed_from)
        self._present.clear()
        self._present_decisions.clear()

    def events(
        self, limit: int, kinds: Collection[str] = (), target: str | None = None, *, present: bool = False
    ) -> list[Event]:  # fmt: skip
        """The newest events of earlier guests, and with ``present`` what is known of the last one."""
        names = _names(target)
        known = [*self._past, *self._present] if present else [*self._past]
        found = [
            event for event in reversed(known)
            if (not kinds or event.kind in kinds) and (not names or {event.pid, event.name} & names)
        ]  # fmt: skip
        return found[: max(0, limit)]

    def why(self, target: str, limit: int, *, present: bool = False) -> list[WhyView]:
        """The newest decisions about a process that earlier guests told."""
        names = _names(target)
        known = [replace(entry, earlier=True) for entry in self._past_decisions]
        if present:
            known += self._present_decisions
        found = [entry for entry in reversed(known) if not names or {entry.key, entry.name} & names]
        return found[: max(0, limit)]


class _Known:
    """How far a guest has told everything: until this step, and of that what it had done by then."""

    def __init__(self, newest_first: Sequence[Event | WhyView] = ()) -> None:
        self._step = newest_first[0].step if newest_first else -1
        self._of_that_step = [_identity(one) for one in newest_first if one.step == self._step]

    def is_new(self, one: Event | WhyView) -> bool:
        return one.step > self._step or (one.step == self._step and _identity(one) not in self._of_that_step)


def _identity(one: Event | WhyView) -> tuple[str, ...]:
    """Within its step. Not all it says: how much of a traceback is told depends on who asks."""
    return (one.kind, one.pid, one.text) if isinstance(one, Event) else (one.key, one.decision)


def _events() -> Packed[Event]:
    return Packed(Event, EVENTS_KEPT, KEPT_BYTES)


def _decisions() -> Packed[WhyView]:
    return Packed(WhyView, DECISIONS_KEPT, KEPT_BYTES)


def _names(target: str | None) -> set[str]:
    return {target, target.rpartition("/")[2]} if target else set()
