"""Whether a guest hears what it is asked for.

Its first thread reads and answers. Where another one of its threads computes in
C and holds Python's lock, that one waits, and nothing of the node goes on: no
callback runs, so none is over its budget, and what it is sent lies unread.
"""

from __future__ import annotations

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


class Hearing:
    """Of one guest, looked at again and again."""

    def __init__(self, ear: Ear, mouth: Mouth) -> None:
        self._ear, self._mouth = ear, mouth
        self._heard = 0
        self._since_ns = self._looks = self._waits = 0

    def look(self, now_ns: int, *, rests: bool) -> None:
        """Call while it is asked for something; ``rests``: no callback runs."""
        if not rests or self._mouth.pauses or self._mouth.heard != self._heard or not self._ear.unread():
            self._heard, self._since_ns, self._looks, self._waits = self._mouth.heard, 0, 0, 0
            return
        self._since_ns = self._since_ns or now_ns
        self._looks += 1
        self._waits += self._ear.waits()

    @property
    def doubtful(self) -> bool:
        """Whether the last look found something unread."""
        return self._looks > 0

    @property
    def deaf_since_ns(self) -> int:
        """When it was first seen not to hear; 0 while it does.

        Its first thread is then found waiting again and again, though it is woken now and then to ask for the lock, and
        waits for a processor before it can. One that computes, as it does to compile a large module, will read later.
        """
        return self._since_ns if self._waits * 4 >= self._looks else 0
