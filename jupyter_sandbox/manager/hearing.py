"""Whether a guest hears what it is asked for.

Its first thread reads and answers. Where another one of its threads computes in
C and holds Python's lock, that one waits, and nothing of the node goes on: no
callback runs, so none is over its budget, and what it is sent lies unread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Ear(Protocol):
    """What is seen of its OS process."""

    def unread(self) -> bool: ...
    def waits(self) -> bool: ...


class Mouth(Protocol):
    """What is heard of it."""

    @property
    def heard(self) -> int:
        """How often it was."""

    @property
    def pauses(self) -> bool:
        """Whether nobody listens to it for now."""


@dataclass(slots=True)
class Looks:
    """How often a thread that waits, or does not, was looked at while one thing lasted."""

    count: int = 0
    waits: int = 0

    def saw(self, waits: bool) -> None:
        """One more."""
        self.count += 1
        self.waits += waits

    @property
    def mostly_waits(self) -> bool:
        """One that waits for Python's lock is woken now and then to ask for it, and waits for a processor before."""
        return self.waits > 0 and self.waits * 4 >= self.count


class Hearing:
    """Of one guest, looked at again and again."""

    def __init__(self, ear: Ear, mouth: Mouth) -> None:
        self._ear, self._mouth = ear, mouth
        self._heard = 0
        self._since_ns, self._looks = 0, Looks()

    def look(self, now_ns: int, *, rests: bool) -> None:
        """Call while it is asked for something; ``rests``: no callback runs."""
        if not rests or self._mouth.pauses or self._mouth.heard != self._heard or not self._ear.unread():
            self._heard, self._since_ns, self._looks = self._mouth.heard, 0, Looks()
            return
        self._since_ns = self._since_ns or now_ns
        self._looks.saw(self._ear.waits())

    @property
    def doubtful(self) -> bool:
        """Whether the last look found something unread."""
        return self._looks.count > 0

    @property
    def deaf_since_ns(self) -> int:
        """When it was first seen not to hear; 0 while it does.

        Its first thread is then found waiting again and again. One that computes, as it does to compile a large module,
        will read later.
        """
        return self._since_ns if self._looks.mostly_waits else 0
