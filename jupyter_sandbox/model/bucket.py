"""So much at once, and so much more in each second: one rule for whatever comes unasked. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """What may come now, in any unit. ``at`` is when ``left`` was true, in seconds of a clock that only goes on.

    >>> bucket = TokenBucket.full(1_000, 200)
    >>> bucket.spent(600, 10.0).spent(500, 10.5)
    TokenBucket(most=1000, per_second=200, left=0.0, at=10.5)
    """

    most: float
    per_second: float
    left: float
    """Below nothing when more came than may."""
    at: float = 0.0

    @classmethod
    def full(cls, most: float, per_second: float) -> TokenBucket:
        """``most`` at once, ``per_second`` from then on."""
        return cls(most, per_second, most)

    def spent(self, size: float, now: float) -> TokenBucket:
        """After so much more of it."""
        left = min(self.most, self.left + (now - self.at) * self.per_second) - size
        return TokenBucket(self.most, self.per_second, left, now)

    @property
    def overdrawn(self) -> bool:
        """Whether more came than may."""
        return self.left < 0

    def wait_s(self, now: float) -> float:
        """How long nothing more may come.

        >>> TokenBucket(1_000, 200, -50.0, 10.0).wait_s(10.125)
        0.125
        """
        return max(0.0, -(self.left / self.per_second + now - self.at))
