"""What a test leaves behind of the OS process that runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .waiting import until


@contextmanager
def nothing_left() -> Iterator[None]:
    """What happens inside leaves no file open and no child, not even a zombie.

    Only what is new counts, and only if it stays: what tests before this one left to the collector ends when it likes.
    """
    before = belongings()
    yield
    until(lambda: belongings() <= before, within_s=5.0, otherwise=f"left behind, but for what was there: {before}")


def belongings() -> frozenset[tuple[str, str]]:
    """Open files, by number and by what they are, and children."""
    found = {("child", pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
    return frozenset(found)
