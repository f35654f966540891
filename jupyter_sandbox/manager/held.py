"""What a guest in the making tells of its main: kept until it takes over, and no more of it than can be kept."""

from __future__ import annotations

from typing import Final

from ..wire.messages import MainExited, Pushed, TreeChanged
from .news import size

FRAMES: Final = 100
BYTES: Final = 1_000_000
"""A second of an honest guest's news is a tenth of that."""


class Held:
    """Bounded news, oldest first. How the main ended is kept in any case, its last word.

    >>> held = Held()
    >>> held.hold(MainExited(app="x", reason="normal", normal=True))
    >>> len(held.release()), len(held.release())
    (1, 0)
    """

    def __init__(self) -> None:
        self._frames: list[Pushed] = []
        self._size = 0
        self._ended: MainExited | None = None

    def hold(self, frame: Pushed) -> None:
        """Keep a frame for later, if there is room. Nobody watches the tree yet, so changes of it are no news."""
        if isinstance(frame, MainExited):
            self._ended = frame
        elif not isinstance(frame, TreeChanged) and len(self._frames) < FRAMES:
            self._size += size(frame)
            if self._size <= BYTES:
                self._frames.append(frame)

    def release(self) -> list[Pushed]:
        """All that was kept, once."""
        frames = [*self._frames, *filter(None, [self._ended])]
        self._frames, self._size, self._ended = [], 0, None
        return frames
