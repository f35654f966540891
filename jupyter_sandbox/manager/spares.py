"""Guests kept ready, so that neither a new sandbox nor a trial of code waits for an OS process.

Per flavour and profile in use there are some; what a user opens by name is no
spare's. A spare is made before it is needed and is nobody's sandbox: no code of
a user runs in it until it is taken, and it is in no list. Everybody gets a guest
of their own, and nobody gets a used one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from ..model.boot import Boot
from ..model.errors import SandboxError
from ..model.flavour import Flavour
from ..model.limits import Limits
from .handle import DEAF, GuestHandle, Listener
from .zygotes import Zygotes

SPARES = 2
"""Per flavour and profile: loading a cell into a new sandbox takes one to try it in and one to live in."""
REFILL_S = 0.05
"""New ones are made when nobody has taken any for so long: who did needs the processor now."""
_LIMITS = Limits(max_runtime=30 * 24 * 3_600_000)
"""Processor time can only be taken away later: nobody but root may give more of it to an OS process that runs."""
_ENDED = "it ended before it was needed"


class Kind(NamedTuple):
    """What spares have in common and what cannot be changed any more."""

    flavour: Flavour
    profile: str


class Shelf:
    """The spares of one kind."""

    def __init__(self, zygotes: Zygotes, kind: Kind) -> None:
        self.kind = kind
        self.ready: list[GuestHandle] = []
        self._zygotes = zygotes
        self._refill: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deaths = 0
        """Of its zygote, since somebody took a spare."""
        self._closed = False

    def pop(self) -> GuestHandle | None:
        """One that lives, the oldest first; None when there is none. A refill begins in a moment."""
        self._deaths = 0
        self.refill_soon()
        while self.ready:
            spare = self.ready.pop(0)
            if spare.usable:
                return spare
            spare.retire(_ENDED)
        return None

    def _bury(self) -> None:
        """Let go of those that ended by themselves, or with their zygote."""
        for spare in [one for one in self.ready if not one.usable]:
            self.ready.remove(spare)
            spare.retire(_ENDED)

    def refill_soon(self) -> None:
        """Fill up when nobody has taken one for a moment."""
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_s = REFILL_S * 4 ** min(self._deaths, 5)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._begin_filling)

    def mend(self) -> None:
        """The zygote died and took the spares along. One that dies again and again is tried less and less often."""
        self._deaths += 1
        self.refill_soon()

    def _begin_filling(self) -> None:
        self._timer = None
        if self._refill is None or self._refill.done():
            self._refill = asyncio.get_running_loop().create_task(self._fill())

    @property
    def full(self) -> bool:
        """Whether all spares are there."""
        return sum(spare.usable for spare in self.ready) >= SPARES

    async def _fill(self) -> None:
        self._bury()
        while len(self.ready) < SPARES:
            boot = Boot("spare", profile=self.kind.profile, limits=_LIMITS, spare=True)
            try:
                made = await GuestHandle.launch(self._zygotes.of(self.kind.flavour), boot, DEAF, 0)
            except SandboxError:
                return  # whoever needs one launches it and learns why that fails
            self.ready.append(made)

    def close(self) -> list[asyncio.Task[None]]:
        """``clear`` for good: who takes one of its last spares at that moment has no others made."""
        self._closed = True
        return self.clear()

    def clear(self) -> list[asyncio.Task[None]]:
        """End them all; returns what has to be waited for."""
        for spare in self.ready:
            spare.retire("nobody needs it")
        waits = [spare.burial for spare in self.ready if spare.burial is not None]
        self.ready = []
        if self._timer is not None:
            self._timer.cancel()
        if self._refill is not None:
            self._refill.cancel()
            waits.append(self._refill)
            self._refill = None
        return waits


class Spares:
    """All shelves of a manager."""

    def __init__(self, zygotes: Zygotes) -> None:
        self._zygotes = zygotes
        self._shelves: dict[Kind, Shelf] = {}
        self._closed = False

    async def take(self, flavour: Flavour, boot: Boot, listener: Listener, generation: int) -> GuestHandle:
        """A ready guest for ``boot``: a spare if there is one as confined, else a new one. Raises LaunchFailed.

        Trying code runs it, so a trial is protected exactly as the sandbox it is for.
        """
        shelf = self._shelves.get(Kind(flavour, boot.profile)) if not boot.openings else None
        spare = shelf.pop() if shelf is not None else None
        if spare is not None and spare.begin(boot, listener, generation):
            return spare
        return await GuestHandle.launch(self._zygotes.of(flavour), boot, listener, generation)

    async def take_trial(self, flavour: Flavour, boot: Boot) -> GuestHandle:
        """A ready guest to try code in, to be ended afterwards; what it tells besides its answer is of no interest."""
        return await self.take(flavour, replace(boot, name="trial"), DEAF, 0)

    def keep(self, kind: Kind) -> None:
        """A sandbox of this kind comes: from its first guest on, spares are kept."""
        if kind not in self._shelves and not self._closed:
            self._shelves[kind] = Shelf(self._zygotes, kind)

    @property
    def count(self) -> int:
        """Spares that are ready now."""
        return sum(len(shelf.ready) for shelf in self._shelves.values())

    @property
    def full(self) -> bool:
        """Whether every kind in use has all its spares."""
        return all(shelf.full for shelf in self._shelves.values())

    def trim(self, used: Iterable[Kind]) -> None:
        """End the spares of kinds that no sandbox uses any more."""
        keep = set(used)
        for kind in [kind for kind in self._shelves if kind not in keep]:
            self._shelves.pop(kind).close()

    def mend(self, flavour: Flavour) -> None:
        """Its zygote died and took the spares along: make others, which starts another zygote."""
        for kind, shelf in self._shelves.items():
            if kind.flavour == flavour and not self._closed:
                shelf.mend()

    def close(self) -> list[asyncio.Task[None]]:
        """End all for good; returns what has to be waited for. Idempotent."""
        self._closed = True
        shelves, self._shelves = list(self._shelves.values()), {}
        return [one for shelf in shelves for one in shelf.close()]
