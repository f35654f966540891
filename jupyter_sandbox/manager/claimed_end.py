"""The end of an application, which is a claim of its guest, held against what the OS process does since. Pure."""

from __future__ import annotations

from typing import Final

AFTER_END_NS: Final = 200_000_000
"""Processor time that is no sign of work: what ending itself takes."""
PER_QUESTION_NS: Final = 1_000_000
"""And as much more for each question that it was asked since."""


class ClaimedEnd:
    """Of one guest.

    >>> claim = ClaimedEnd()
    >>> claim.works_on(5_000_000_000), claim.works_on(5_100_000_000), claim.works_on(5_300_000_000)
    (False, False, True)
    """

    def __init__(self) -> None:
        self.questions = 0
        """How often it was asked for something."""
        self._seen: tuple[int, int] | None = None
        """What it had run and been asked when it was first seen to have ended."""

    def withdraw(self) -> None:
        """It goes on, and says so."""
        self._seen = None

    def works_on(self, ran_ns: int) -> bool:
        """Whether it has computed more than who has ended; ``ran_ns`` is all its processor time, -1 if unknown."""
        if self._seen is None:
            self._seen = ran_ns, self.questions
        before_ns, before = self._seen
        return ran_ns < 0 or ran_ns - before_ns > AFTER_END_NS + (self.questions - before) * PER_QUESTION_NS
