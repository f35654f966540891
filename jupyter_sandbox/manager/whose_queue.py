"""Who makes the queue of a lock that any OS process can take: of a folder of ``/proc``, say.

That is not to be seen. But a queue of seconds takes many threads, and honest
sandboxes have few: so it is the one that has most of them, or one after the
other, where several have many together.
"""

from __future__ import annotations

from collections.abc import Iterable

from .handle import GuestHandle
from .watch import KEPT_ALL

FEW = 32
"""Threads. Sixty make others wait for a second, measured on two processors."""
HARMLESS = 8
"""Threads of a sandbox that can have no part in it."""
AGAIN_NS = 3_000_000_000
"""A queue lasts some time longer than who made it, and the next one who has most is not to blame for it."""


class WhoseQueue:
    """Remembers when somebody was blamed."""

    def __init__(self) -> None:
        self._blamed_ns = -AGAIN_NS

    def blame(self, guests: Iterable[GuestHandle], now_ns: int) -> None:
        """Have the guest ended that has most threads, unless all together have few."""
        able = [guest for guest in guests if guest.lookout.threads > HARMLESS]
        together = sum(guest.lookout.threads for guest in able)
        if together > FEW and now_ns - self._blamed_ns >= AGAIN_NS:
            self._blamed_ns = now_ns
            max(able, key=lambda guest: guest.lookout.threads).lookout.blame(KEPT_ALL)
