"""How long a sandbox and its OS process have lived: by a clock that nobody sets, whatever becomes of the date."""

from __future__ import annotations

import math
import time

_S = 1_000_000_000


class Ages:
    """Of one sandbox. ``created_at`` is for people, in seconds since the epoch; all else is of ``time.monotonic_ns``.

    Safe from any thread: it reads only values that are replaced as a whole.
    """

    def __init__(self) -> None:
        self.created_at = time.time()
        self.ready_ns = 0
        """When the newest OS process was ready, 0 before there is one."""
        self._created_ns = time.monotonic_ns()
        self._ended_ns: int | None = None

    def begin(self, ready_ns: int) -> None:
        """An OS process took over that was ready then."""
        self.ready_ns, self._ended_ns = ready_ns, None

    def end(self) -> None:
        """There is none any more."""
        self._ended_ns = time.monotonic_ns()

    @property
    def runtime_s(self) -> int:
        """Whole seconds since it was created, until it ended."""
        return (self._until_ns() - self._created_ns) // _S

    @property
    def lived_s(self) -> int:
        """Of its OS process. When that has ended, a second that was begun counts: no less is told than why it ended."""
        if not self.ready_ns:
            return 0
        lived_s = max(0, self._until_ns() - self.ready_ns) / _S
        return int(lived_s) if self._ended_ns is None else math.ceil(lived_s)

    def _until_ns(self) -> int:
        ended_ns = self._ended_ns
        return time.monotonic_ns() if ended_ns is None else ended_ns
