"""One guest kept ready for the next trial of code, so that loading a cell does not wait for an OS process.

Every trial gets a guest of its own and ends it; the spare is only made before
it is needed. Nothing of a sandbox ever runs in it until it is taken.
"""

from __future__ import annotations

import asyncio

from ..model.boot import Boot
from ..model.errors import SandboxError
from ..model.limits import Limits
from ..model.openings import Openings
from .handle import DEAF, GuestHandle
from .zygotes import Zygotes

_NAME = "trial"
REFILL_S = 0.05
"""The next spare is made a moment later: the load that took this one needs the processor now."""


class Spares:
    """Holds at most one ready guest with the default limits."""

    def __init__(self, zygotes: Zygotes) -> None:
        self._zygotes = zygotes
        self._ready: GuestHandle | None = None
        self._refill: asyncio.Task[None] | None = None
        self._closed = False

    async def take(self, limits: Limits, profile: str, openings: Openings) -> GuestHandle:
        """A ready guest for a trial, the spare if it is as confined and may use as much memory. Raises LaunchFailed.

        Trying code runs it, so a trial is protected exactly as the sandbox.
        """
        boot = Boot(name=_NAME, limits=limits, profile=profile, openings=openings)
        if limits.max_memory != Limits().max_memory or profile or openings:
            return await self._launch(boot)
        spare, self._ready = self._ready, None
        if not self._closed and (self._refill is None or self._refill.done()):
            self._refill = asyncio.get_running_loop().create_task(self._make())
        if spare is not None and not spare.status and not spare.retired:
            return spare
        return await self._launch(boot)

    def drop(self) -> None:
        """End the spare: nobody seems to need one soon."""
        if self._refill is not None:
            self._refill.cancel()
        spare, self._ready = self._ready, None
        if spare is not None:
            spare.retire("nobody needs it")

    async def _make(self) -> None:
        await asyncio.sleep(REFILL_S)
        try:
            self._ready = await self._launch(Boot(_NAME))
        except SandboxError:
            return  # whoever needs one launches it and learns why that fails

    async def _launch(self, boot: Boot) -> GuestHandle:
        return await GuestHandle.launch(self._zygotes, boot, DEAF, 0)

    async def close(self) -> None:
        """End the spare for good. Idempotent."""
        self._closed = True
        spare = self._ready
        self.drop()
        if self._refill is not None:
            await asyncio.wait([self._refill])
        if spare is not None:
            await spare.ended()
