"""The zygotes that guests are forked from, one per flavour: started at the first need, started again when one died or
did not answer any more.

Used on the manager's permanent thread only, because the operating system ends
a zygote together with the thread that started it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Collection
from importlib.machinery import PathFinder
from pathlib import Path

from ..isolation.exec_zygote import search_path
from ..isolation.guest_process import GuestProcess
from ..isolation.zygote import Zygote
from ..model.boot import Boot
from ..model.errors import LaunchFailed, PreimportFailed, UsageError
from ..model.flavour import NAMED, Flavour
from .errands import GuestErrands, errands_of

ENTRY = "jupyter_sandbox.guest.main:Program"
PRELOAD = ("jupyter_sandbox.guest.main", "jupyter_sandbox.guest.warm")
"""What every guest needs, so that it is there before a guest is forked."""
IDLE_KEPT = 2
"""Zygotes that no sandbox comes from any more, kept for the next one; each holds the memory of what it imported."""


def guest_path() -> tuple[str, ...]:
    """``sys.path`` for guests: the kernel's, without its working folder, so that a file there shadows nothing."""
    package = str(Path(__file__).resolve().parents[2])
    here = {"", ".", *_working_folder()} - {package}
    return tuple(path for path in search_path(sys.path) if path not in here)


def _working_folder() -> list[str]:
    try:
        return [os.getcwd()]
    except OSError:  # the folder is gone
        return []


class FlavourZygote:
    """Forks guests of one flavour. ``on_death`` is called when its zygote died by itself."""

    def __init__(self, flavour: Flavour, on_death: Callable[[], None]) -> None:
        self.flavour = flavour
        self._on_death = on_death
        self._zygote: Zygote | None = None
        self._starting = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def fork(self, boot: Boot) -> GuestProcess:
        """A new guest process. A zygote that died, or did not answer and was killed, is replaced once.

        Raises LaunchFailed.
        """
        zygote = await self.warm()
        try:
            return await zygote.fork(boot)
        except LaunchFailed:
            if zygote.alive:
                raise
        return await (await self.warm()).fork(boot)

    async def warm(self) -> Zygote:
        """The living zygote, started if need be. Raises LaunchFailed, UsageError for a module that is not there."""
        async with self._starting:
            if self._zygote is None or not self._zygote.alive:
                self._let_go()
                self._must_be_open()
                zygote = await self._start()
                try:
                    self._must_be_open()
                except LaunchFailed:  # nobody else would end it
                    await zygote.close()
                    raise
                self._zygote = zygote
                zygote.on_death = self._on_death
            return self._zygote

    def _must_be_open(self) -> None:
        if self._closed:
            raise LaunchFailed("the sandbox launcher was closed; create the sandbox again")

    async def _start(self) -> Zygote:
        """Whoever is interrupted does not wait until it has ended: it may be busy with an import."""
        starting = asyncio.get_running_loop().create_task(self._started())
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.cancel()
            self._leave(asyncio.get_running_loop().create_task(_called_off(starting)))
            raise

    async def _started(self) -> Zygote:
        fetch = GuestErrands(errands_of(asyncio.get_running_loop())).fetch
        try:
            return await Zygote.start(
                preload=PRELOAD, preimport=self.flavour.modules, entry=ENTRY, sys_path=guest_path(), fetch=fetch
            )
        except PreimportFailed as failed:
            if failed.missing:
                raise _missing(self.flavour, failed.modules) from None
            raise PreimportFailed(f"flavour {self.flavour.name!r} cannot be had: {failed}", failed.modules) from None

    @property
    def pid(self) -> int | None:
        """The zygote's OS process; None while there is none."""
        return self._zygote.pid if self._zygote is not None and self._zygote.alive else None

    def close(self) -> set[asyncio.Task[None]]:
        """End the zygote and with it every guest it forked, for good; what has to be waited for. Idempotent."""
        self._closed = True
        self._let_go()
        return self._leaving

    def _let_go(self) -> None:
        """Guests can take their time to end: nobody who wants another one waits for that."""
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.on_death = None
            self._leave(asyncio.get_running_loop().create_task(zygote.close()))

    def _leave(self, leaving: asyncio.Task[None]) -> None:
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


async def _called_off(starting: asyncio.Task[Zygote]) -> None:
    """Wait until a start that was cancelled has left nothing."""
    await asyncio.wait([starting])
    if not starting.cancelled() and starting.exception() is None:
        await starting.result().close()  # it was ready at that very moment


def _beside(module: str) -> bool:
    """Whether a module that guests do not find stands in the kernel's working folder. Imports nothing of it."""
    return PathFinder.find_spec(module.partition(".")[0], _working_folder()) is not None


def _missing(flavour: Flavour, modules: tuple[str, ...]) -> UsageError:
    if beside := [module for module in modules if _beside(module)]:
        hint = (
            "it is in the working folder, which no sandbox imports from, so that a file there takes the place of no "
            "library; load it into the sandbox with %%sandbox module, or move it to a folder of its own and append "
            "the absolute path of that to sys.path"
        )
        return UsageError("preimport", " and ".join(beside), hint=hint, kind="preimport_failed")
    named = " and ".join(modules)
    install = f"install what is missing: %pip install {' '.join(module.partition('.')[0] for module in modules)}"
    for name, has in NAMED.items():
        if has and set(modules) <= set(has):
            needs = f"flavour {name!r} needs {' and '.join(has)}, and there is no {named} on the search path"
            return UsageError(needs, hint=install, kind="preimport_failed")
    hint = f"no such module on the search path of the notebook; {install}, or load code of your own into the sandbox"
    return UsageError("preimport", named, hint=f"{hint}: %%sandbox module", kind="preimport_failed")


class Zygotes:
    """All flavours that are in use. ``on_death`` is told whose zygote died by itself; its guests have died with it."""

    def __init__(self, on_death: Callable[[Flavour], None]) -> None:
        self._on_death = on_death
        self._kept: dict[Flavour, FlavourZygote] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    def of(self, flavour: Flavour) -> FlavourZygote:
        """Where guests of this flavour come from. Nothing is started before one is wanted."""
        kept = self._kept.pop(flavour, None) or FlavourZygote(flavour, lambda: self._on_death(flavour))
        if self._closed:
            kept.close()
        self._kept[flavour] = kept  # at the end: the one used last
        return kept

    def trim(self, used: Collection[Flavour]) -> None:
        """End the zygotes that are not used, but for the newest of them."""
        idle = [flavour for flavour in self._kept if flavour not in used]
        for flavour in idle[: max(0, len(idle) - IDLE_KEPT)]:
            self._end(self._kept.pop(flavour))

    def _end(self, kept: FlavourZygote) -> None:
        for leaving in kept.close():
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """End all at once, for good, and wait for that, also for those that were ended before. Idempotent."""
        self._closed = True
        while self._kept:
            self._end(self._kept.popitem()[1])
        if self._leaving:
            await asyncio.wait(self._leaving)
