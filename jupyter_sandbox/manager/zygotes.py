"""The zygote that guests are forked from: started at the first need, started again when it died.

Used on the manager's permanent thread only, because the operating system ends
a zygote together with the thread that started it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..isolation.guest_process import GuestProcess
from ..isolation.zygote import Zygote
from ..model.boot import Boot
from ..model.errors import LaunchFailed, UsageError

ENTRY = "jupyter_sandbox.guest.main:run"
FLAVOURS: dict[str, tuple[str, ...]] = {
    "plain": ("jupyter_sandbox.guest.main", "jupyter_sandbox.guest.warm"),
    "sci": ("jupyter_sandbox.guest.main", "jupyter_sandbox.guest.warm", "numpy", "pandas"),
}
"""What each flavour has imported before a guest is forked."""


def flavour_modules(flavour: str) -> tuple[str, ...]:
    """The modules of a flavour. Raises UsageError for an unknown one."""
    if flavour not in FLAVOURS:
        raise UsageError("flavour", flavour, allowed=FLAVOURS)
    return FLAVOURS[flavour]


def guest_path() -> tuple[str, ...]:
    """``sys.path`` for guests: the kernel's, without its working folder, so that a file there shadows nothing."""
    package = str(Path(__file__).resolve().parents[2])
    here = {"", ".", str(Path.cwd())} - {package}
    return tuple(dict.fromkeys([*(path for path in sys.path if path not in here), package]))


class Zygotes:
    """Forks guests of one flavour. ``on_death`` is called when the zygote died by itself."""

    def __init__(self, flavour: str, on_death: Callable[[], None], preload: Sequence[str] | None = None) -> None:
        self._preload = tuple(preload) if preload is not None else flavour_modules(flavour)
        self._on_death = on_death
        self._zygote: Zygote | None = None
        self._starting = asyncio.Lock()

    async def fork(self, boot: Boot) -> GuestProcess:
        """A new guest process. A zygote that died is replaced once. Raises LaunchFailed."""
        zygote = await self.warm()
        try:
            return await zygote.fork(boot)
        except LaunchFailed:
            if zygote.alive:
                raise
        return await (await self.warm()).fork(boot)

    async def warm(self) -> Zygote:
        """The living zygote, started if need be."""
        async with self._starting:
            if self._zygote is None or not self._zygote.alive:
                if self._zygote is not None:
                    self._zygote.close()
                self._zygote = await Zygote.start(preload=self._preload, entry=ENTRY, sys_path=guest_path())
                self._zygote.on_death = self._on_death
            return self._zygote

    def close(self) -> None:
        """End the zygote and with it every guest it forked. Idempotent."""
        if self._zygote is not None:
            self._zygote.on_death = None
            self._zygote.close()
            self._zygote = None
