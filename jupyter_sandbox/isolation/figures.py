"""What Linux says of one OS process again and again, by files that stay open.

They belong to the process, not to its number, and nobody has to look for their
names again: whoever does may have to wait, see ``brief``.
"""

from __future__ import annotations

import os
from contextlib import suppress

from . import brief, system

_NAMES = ("statm", "status", "stat")
_SHORT, _LONG = 512, 1 << 14
_THREADS = 17
"""Place of their number behind the name in ``stat``."""


class Figures:
    """Whoever makes it may have to wait; reading takes microseconds. Raises OSError if there is no such OS process."""

    def __init__(self, pid: int) -> None:
        self._files: dict[str, int] = {}
        try:
            for name in _NAMES if system.LINUX else ():
                self._files[name] = brief.opened(f"/proc/{pid}/{name}")
        except OSError:
            self.close()
            raise

    def statm(self) -> bytes:
        """Pages of memory. Raises OSError, as the next one, when it is no more."""
        return self._read("statm", _SHORT)

    def status(self) -> bytes:
        """Much in words, line by line; all groups of its user among it, who may be in thousands."""
        most = _LONG
        while len(text := self._read("status", most)) == most:
            most *= 4
        return text

    def state(self) -> bytes:
        """What its first thread does: R, S, D, T, Z; nothing when it is no more."""
        return brief.state_in(self._stat())

    def threads(self) -> int:
        """How many there are; 0 when it is no more."""
        words = self._stat().rpartition(b")")[2].split()
        return int(words[_THREADS]) if len(words) > _THREADS else 0

    def _stat(self) -> bytes:
        try:
            return self._read("stat", _SHORT)
        except OSError:
            return b""

    def _read(self, name: str, most: int) -> bytes:
        return brief.read_at_start(self._files.get(name, -1), most)

    def close(self) -> None:
        """Idempotent, and from any thread."""
        with suppress(KeyError):  # there is none any more, for another thread may do the same
            while True:
                os.close(self._files.popitem()[1])
