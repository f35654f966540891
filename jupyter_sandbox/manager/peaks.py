"""The most that a sandbox has had of each thing that is limited, over all its OS processes. Pure.

Some figures are counted by the guest, which may lie: they are numbers, and nothing is decided by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..model.given import MOST


@dataclass(frozen=True, slots=True)
class Peaks:
    """What they mean and their units stand at ``SandboxInfo``, where they are shown."""

    disk: int = 0
    files: int = 0
    open_files: int = 0
    threads: int = 0
    processes: int = 0
    mailbox: int = 0
    message: int = 0
    output: int = 0
    callback_ms: int = 0
    news: int = 0

    def risen(self, figures: Mapping[str, int]) -> Peaks:
        """With the given figures where they are higher; the same object when none is.

        >>> Peaks(threads=3).risen({"threads": 2, "files": 5}) == Peaks(files=5, threads=3)
        True
        """
        higher = {name: min(value, MOST) for name, value in figures.items() if value > getattr(self, name)}
        return replace(self, **higher) if higher else self


NO_PEAKS: Final = Peaks()
