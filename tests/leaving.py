"""What a test leaves behind of the OS process that runs it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_sandbox.isolation import sweeper
from jupyter_sandbox.manager.manager import SandboxManager

from .waiting import until


@contextmanager
def nothing_left() -> Iterator[None]:
    """What happens inside leaves no file open and no child, not even a zombie.

    Only what is new counts, and only if it stays: what tests before this one left to the collector ends when it likes.
    Managers that live on for other tests are waited for: making spares, they open files whenever they get to it.
    """
    until(_managers_rest, "a manager does not get its spares")
    before = belongings()
    yield
    until(lambda: belongings() <= before, f"left behind, but for what was there: {before}")


def _managers_rest() -> bool:
    managers = [one for one in gc.get_objects() if type(one) is SandboxManager]
    return all(one.closed or one._spares is None or one._spares.full for one in managers)


def guests_of(zygote: int) -> set[int]:
    """The children of a zygote, without the one that waits for the end of the kernel."""
    found = map(int, Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split())
    return {pid for pid in found if name_of(pid) != sweeper.NAME}


def name_of(pid: int) -> str:
    """Of an OS process, empty when it is no more."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def belongings() -> frozenset[tuple[str, str]]:
    """Open files, by number and by what they are, and children."""
    found = {("child", pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
    return frozenset(found)
