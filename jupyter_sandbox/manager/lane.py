"""The queue of one sandbox: whatever changes its code, its guest or whether it steps goes one after another."""

from __future__ import annotations

import asyncio
import time

from ..model.errors import SandboxBusy


class Lane:
    """Of the sandbox ``name``. Who is in it says what it does, for those that do not wait for ever.

    >>> async def main():
    ...     lane = Lane("shop")
    ...     async with lane.turn("it is being restarted"):
    ...         try:
    ...             async with lane.turn("it is being paused", within_s=0):
    ...                 pass
    ...         except SandboxBusy as busy:
    ...             return str(busy)
    >>> asyncio.run(main())
    "sandbox 'shop' is busy: it is being restarted, for 0 s now. Try again when that is over: %sandbox info shop"
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = asyncio.Lock()
        self._doing, self._since = "", 0.0

    def turn(self, doing: str, within_s: float | None = None) -> Turn:
        """Wait for the turn, then have the lane. Raises SandboxBusy, with what goes on, when it is not ``within_s``."""
        return Turn(self, doing, within_s)

    async def enter(self, doing: str, within_s: float | None) -> None:
        """Have it until ``leave``; raises as ``turn`` does."""
        if within_s is None:  # a clock that never rings takes as long to set as one that does
            await self._lock.acquire()
        else:
            try:
                async with asyncio.timeout(within_s):
                    await self._lock.acquire()
            except TimeoutError:
                raise self._busy() from None
        self._doing, self._since = doing, time.monotonic()

    def leave(self) -> None:
        """Let the next one have it."""
        self._lock.release()

    def _busy(self) -> SandboxBusy:
        name, for_s = self._name, time.monotonic() - self._since
        return SandboxBusy(
            f"sandbox {name!r} is busy: {self._doing}, for {for_s:.0f} s now. Try again when that is over: "
            f"%sandbox info {name}"
        )


class Turn:
    """A lane for as long as a block lasts. No generator: each is a stranger to the processor at a first sandbox."""

    __slots__ = ("_doing", "_lane", "_within_s")

    def __init__(self, lane: Lane, doing: str, within_s: float | None) -> None:
        self._lane, self._doing, self._within_s = lane, doing, within_s

    async def __aenter__(self) -> None:
        await self._lane.enter(self._doing, self._within_s)

    async def __aexit__(self, *_: object) -> None:
        self._lane.leave()
