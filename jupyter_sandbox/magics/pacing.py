"""At most ten pictures a second and sandbox: changes that come faster are merged, none is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..model.views import TreeDiff, TreeView
from ..widgets.patch import apply, merge

Change = TreeView | TreeDiff
INTERVAL_S = 0.1


@dataclass(slots=True)
class _Slot:
    """``order`` is held while delivering, so that two threads cannot overtake each other."""

    last: float = float("-inf")
    pending: Change | None = None
    timer: threading.Timer | None = None
    order: threading.RLock = field(default_factory=threading.RLock)


class Pacer:
    """The first change is delivered at once, later ones merged until the interval is over. Any thread may offer."""

    def __init__(self, deliver: Callable[[str, Change], None], interval_s: float = INTERVAL_S) -> None:
        self._deliver, self._interval = deliver, interval_s
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._closed = False

    def offer(self, name: str, change: Change) -> None:
        """Deliver the change now or merged with others a little later."""
        with self._lock:
            if self._closed:
                return
            slot = self._slots.setdefault(name, _Slot())
            slot.pending = change if slot.pending is None else joined(slot.pending, change)
            wait = slot.last + self._interval - time.monotonic()
            if slot.timer is not None:
                return
            if wait > 0:
                slot.timer = threading.Timer(wait, self._flush, (name,))
                slot.timer.daemon = True
                slot.timer.start()
                return
        self._flush(name)

    def forget(self, name: str) -> None:
        """Drop what is pending for a sandbox."""
        with self._lock:
            slot = self._slots.pop(name, None)
            if slot is not None and slot.timer is not None:
                slot.timer.cancel()

    def close(self) -> None:
        """Deliver nothing any more; idempotent."""
        with self._lock:
            self._closed = True
            names = list(self._slots)
        for name in names:
            self.forget(name)

    def _flush(self, name: str) -> None:
        with self._lock:
            slot = self._slots.get(name)
        if slot is None:
            return
        with slot.order:
            with self._lock:
                change, slot.pending, slot.timer = slot.pending, None, None
                slot.last = time.monotonic()
            if change is not None:
                self._deliver(name, change)


def joined(first: Change, second: Change) -> Change:
    """One change that does what both do, one after the other."""
    if isinstance(second, TreeView):
        return second
    return apply(first, second) if isinstance(first, TreeView) else merge(first, second)
