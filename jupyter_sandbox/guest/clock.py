"""The node's clock: milliseconds since the guest began, standing still while it is paused. Reads no clock itself."""

from __future__ import annotations


class NodeClock:
    """Turns readings of a monotonic clock (nanoseconds) into the node's time.

    >>> clock = NodeClock(1_000_000_000)
    >>> clock.pause(3_000_000_000); clock.resume(9_000_000_000); clock.now_ms(10_000_000_000)
    3000
    """

    def __init__(self, started_ns: int, *, virtual: bool = False) -> None:
        self._zero_ns = started_ns
        self._paused_ns: int | None = None
        self._virtual = virtual
        self._jumped_ms = 0

    @property
    def paused(self) -> bool:
        """Whether time stands still."""
        return self._paused_ns is not None

    @property
    def virtual(self) -> bool:
        """Whether time moves only by jumping to the next deadline."""
        return self._virtual

    def now_ms(self, reading_ns: int) -> int:
        """The node's time at this reading."""
        if self._virtual:
            return self._jumped_ms
        at = reading_ns if self._paused_ns is None else self._paused_ns
        return (at - self._zero_ns) // 1_000_000

    def pause(self, reading_ns: int) -> None:
        """Stop time. Pausing twice changes nothing."""
        if self._paused_ns is None:
            self._paused_ns = reading_ns

    def resume(self, reading_ns: int) -> None:
        """Let time go on from where it stopped."""
        if self._paused_ns is not None:
            self._zero_ns += reading_ns - self._paused_ns
            self._paused_ns = None

    def jump(self, to_ms: int, reading_ns: int) -> None:
        """Move time forward to ``to_ms``: to a deadline while stepping or in virtual time, to a restored moment."""
        ahead = to_ms - self.now_ms(reading_ns)
        if ahead > 0:
            self._zero_ns -= ahead * 1_000_000
            self._jumped_ms += ahead
