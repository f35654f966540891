"""A frame that a guest has begun and not ended: how long its end may be waited for. Pure.

Time is counted in looks and not by the clock, so that a kernel that was busy, and read nothing, blames no guest for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..wire.framing import MAX_FRAME

LOOK_S = 0.5
"""Between two looks."""
LOOKS = 10
"""So many looks may find the frame unfinished, while it is read and its guest does nothing else: 5 s."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What there was of a frame when the count began, and the looks since then.

    >>> begun = Begun(8)
    >>> for _ in range(LOOKS):
    ...     begun = begun.seen()
    >>> begun.too_long, begun.grown(9).too_long, begun.grown(8 + MAX_FRAME).too_long
    (True, True, False)
    """

    size: int
    looks: int = 0

    def seen(self) -> Begun:
        """It is still not finished."""
        return replace(self, looks=self.looks + 1)

    def grown(self, size: int) -> Begun:
        """There is more of it. Whoever sends byte by byte gains nothing; a long answer comes in many pieces."""
        return Begun(size) if size >= self.size + MAX_FRAME else self

    @property
    def too_long(self) -> bool:
        """Whether nobody waits for the rest any more."""
        return self.looks >= LOOKS
