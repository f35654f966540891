"""Something that is done at once, and when it is asked for again soon after, once more in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Seldom:
    """At most once in ``interval_s``; the last time it is asked for is never lost. On the manager's thread."""

    def __init__(self, act: Callable[[], None], interval_s: float) -> None:
        self._act, self._interval_s = act, interval_s
        self._at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Now, or together with others in a moment."""
        loop = asyncio.get_running_loop()
        wait_s = self._at + self._interval_s - loop.time()
        if self._timer is not None:
            return
        if wait_s > 0:
            self._timer = loop.call_later(wait_s, self._again)
            return
        self._at = loop.time()
        self._act()

    def _again(self) -> None:
        self._timer = None
        self.soon()

    def cancel(self) -> None:
        """What was put off is not done any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
