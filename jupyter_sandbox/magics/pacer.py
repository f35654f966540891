"""At most ten pictures a second and sandbox, sixty of all, and no more bytes than pages are given: see ``budget``.

Changes that come faster are merged, none is lost; of a sandbox that is above its budget there is a whole tree instead,
and with it is told how long nothing will come after it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from ..model.bucket import TokenBucket
from ..model.views import TreeDiff, TreeView
from ..widgets.patch import apply, merge
from .alarms import Alarm, Alarms
from .budget import AT_ONCE, PER_SECOND, size_of

Change = TreeView | TreeDiff
Deliver = Callable[[str, Change, int], object]
"""Gets a sandbox, a change, and seconds: not zero when it comes in the place of others, and another one no sooner."""
INTERVAL_S = 0.1
OF_ALL = 60
"""Pictures a second, each counted for everybody who hears it. A Jupyter server passes some 700 messages on with a whole
processor, and what waits for it in the sockets is lost when they are full: the output of cells as well."""


@dataclass(slots=True)
class _Slot:
    """``order`` is held while delivering, so that two threads cannot overtake each other."""

    last: float = float("-inf")
    pending: list[Change] = field(default_factory=list)
    """In the order they came; nothing stands before a whole tree."""
    budget: TokenBucket = field(default_factory=lambda: TokenBucket.full(AT_ONCE, PER_SECOND))
    skipped: bool = False
    """Changes were left out: a whole tree has to come in their place."""
    alarm: Alarm | None = None
    order: threading.RLock = field(default_factory=threading.RLock)


class Pacer:
    """The first change is delivered at once, later ones merged until the interval is over. Any thread may offer."""

    def __init__(
        self, deliver: Deliver, interval_s: float = INTERVAL_S, *,
        trees: Mapping[str, TreeView] = MappingProxyType({}), hearers: Callable[[str], int] = lambda name: 1,
    ) -> None:  # fmt: skip
        """``trees`` are those of the sandboxes as they are now, ``hearers`` to how many a change is delivered."""
        self._deliver, self._interval, self._trees, self._hearers = deliver, interval_s, trees, hearers
        self._lock, self._alarms = threading.Lock(), Alarms()
        self._slots: dict[str, _Slot] = {}
        self._shared = TokenBucket.full(OF_ALL, OF_ALL)
        self._closed = False

    def offer(self, name: str, change: Change) -> None:
        """Deliver the change now or merged with others a little later."""
        with self._lock:
            if self._closed:
                return
            slot = self._slots.setdefault(name, _Slot())
            now = time.monotonic()
            over = slot.budget.wait_s(now)
            if over and name in self._trees:
                slot.pending, slot.skipped = [], True
            elif not slot.skipped:
                slot.pending = [change] if isinstance(change, TreeView) else [*slot.pending, change]
            wait = max(over, slot.last + self._interval - now, self._shared.wait_s(now))
            if slot.alarm is not None:
                return
            if wait > 0:
                with suppress(RuntimeError, MemoryError):  # no thread is to be had: it comes with the next change
                    slot.alarm = self._alarms.after(wait, partial(self._flush, name))
                return
        self._flush(name)

    def forget(self, name: str) -> None:
        """Drop what is pending for a sandbox."""
        with self._lock:
            slot = self._slots.pop(name, None)
            if slot is not None and slot.alarm is not None:
                slot.alarm.cancel()

    def close(self) -> None:
        """Deliver nothing any more; idempotent."""
        with self._lock:
            self._closed = True
            names = list(self._slots)
        for name in names:
            self.forget(name)
        self._alarms.close()

    def _flush(self, name: str) -> None:
        with self._lock:
            slot = self._slots.get(name)
        if slot is None:
            return
        with slot.order:
            with self._lock:
                skipped, pending = slot.skipped, slot.pending
                slot.pending, slot.alarm, slot.skipped = [], None, False
                slot.last = time.monotonic()
            # Not under the lock, for which the manager's thread waits: a large tree takes a while.
            change = self._trees.get(name) if skipped else joined(pending)
            if change is None:
                return
            hearers = self._hearers(name)
            size = size_of(change) * hearers
            with self._lock:
                self._shared = self._shared.spent(hearers, slot.last)
                slot.budget = slot.budget.spent(size, slot.last)
                pause_s = max(1, math.ceil(slot.budget.wait_s(slot.last))) if skipped else 0
            self._deliver(name, change, pause_s)


def joined(changes: Sequence[Change]) -> Change | None:
    """One change that does what all of them do, one after the other; only the first may be a whole tree."""
    diffs = [change for change in changes if isinstance(change, TreeDiff)]
    diff = merge(*diffs) if diffs else None
    if changes and isinstance(changes[0], TreeView):
        return changes[0] if diff is None else apply(changes[0], diff)
    return diff
