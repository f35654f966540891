"""Operations that change what runs in a sandbox: build, start, stop, restart, pause, step, step back.

A new guest is always built completely beside the old one and then takes over,
so that a failure at any point leaves the old one as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..isolation.aside import in_thread
from ..model.errors import SandboxBusy, SandboxError, SandboxGone, UsageError
from ..model.sandbox import SandboxStatus, StepsTold, TreeReplaced
from ..model.views import TreeView
from ..wire import messages as wire
from .handle import GuestHandle
from .history import DECISIONS_KEPT, EVENTS_KEPT
from .life import BuildFailed, MainStarted, Paused, RestartBegan, Resumed, StopBegan, StopEnded, StopRefused
from .loading import admit, default_main, load_into, main_name, prepare, remember, whole
from .loop import unbroken
from .news import deeds, past
from .news import whole as seen_whole
from .reports import Stepped
from .spec import Main
from .unit import Unit

A = TypeVar("A", bound=wire.Answer)
START_S = 15.0
STOP_S = 10.0
FAREWELL_S = 1.0
PATIENCE_S = 1.0
"""How long a pause waits for its turn."""
STATE_S = 30.0
"""For snapshots and replays: their work grows with the system."""


class Fresh:
    """A guest beside the present one, ended unless it took over."""

    def __init__(self, unit: Unit, launch: Awaitable[GuestHandle] | None = None) -> None:
        self._unit, self._launch = unit, launch

    async def __aenter__(self) -> GuestHandle:
        self._guest = await (self._launch or self._unit.launch())
        return self._guest

    async def __aexit__(self, *_: object) -> None:
        self._unit.discard(self._guest, "it was not needed any more")


async def start_main(unit: Unit, guest: GuestHandle, main: Main) -> None:
    """Start the application of a sandbox in a guest; a start that takes too long or is interrupted is called off."""

    def make(number: int) -> wire.Request:
        return wire.Start(
            id=number, app=unit.app_name, main=main.name, args=main.args, env=unit.spec.env,
            dependencies=list(unit.spec.dependencies), description=f"Sandbox {unit.name}",
        )  # fmt: skip

    try:
        await unit.ask(make, wire.Done, START_S, guest=guest)
    except (asyncio.CancelledError, SandboxBusy):
        guest.tell(lambda number: wire.Stop(id=number, app=unit.app_name))
        raise


async def create(unit: Unit, code: object, main: Main | None) -> None:
    """The first guest, launched while the code is tried in another one."""
    if code is None and main is None:
        await build(unit, None)
        return
    launch = asyncio.get_running_loop().create_task(unit.launch())
    try:
        if code is not None:
            remember(unit, await prepare(unit, code))
        if main is not None:
            main = Main(main_name(unit, main.name) if main.name else default_main(unit), main.args)
    except BaseException:
        launch.cancel()
        await asyncio.wait([launch])
        raise
    await build(unit, main, launch)


async def build(unit: Unit, main: Main | None, launch: Awaitable[GuestHandle] | None = None) -> None:
    """A fresh guest with the sandbox's code and ``main`` takes over."""
    async with Fresh(unit, launch) as guest:
        await _furnish(unit, guest, main)


async def _furnish(unit: Unit, guest: GuestHandle, main: Main | None) -> None:
    """Code and main into a guest that takes over then."""
    if unit.modules:
        await load_into(unit, guest, whole(unit))
    if main is not None:
        await start_main(unit, guest, main)
    unit.adopt(guest, paused=False, main=main)


async def rewatch(unit: Unit) -> None:
    """Tell observers the tree of a guest that took over, and have it push its changes as the one before did.

    A guest that does not tell its tree spoils nothing: it has taken over, and whoever asks it next hears why.
    """
    if unit.watch_ms and unit.guest is not None:
        interval = unit.watch_ms
        try:
            reply = await unit.guest.ask(lambda number: wire.Watch(id=number, interval_ms=interval), wire.TreeReply)
        except SandboxError:
            return
        unit.publish(TreeReplaced(unit.name, seen_whole(reply.tree)))


async def remember_history(unit: Unit) -> None:
    """Take over what the present guest knows of the past, as far as it answers: another one takes its place."""
    guest = unit.guest  # once: between two questions it may come to its end
    if guest is None:
        return
    try:
        log = await guest.ask(
            lambda number: wire.Events(id=number, limit=EVENTS_KEPT), wire.EventList, FAREWELL_S
        )  # fmt: skip
        decisions = await guest.ask(
            lambda number: wire.Why(id=number, target="", limit=DECISIONS_KEPT), wire.WhyList, FAREWELL_S
        )  # fmt: skip
        # Not in the thread that all sandboxes share: so many texts take a while.
        kept = await in_thread(lambda: past(log.events[:EVENTS_KEPT], decisions.entries[:DECISIONS_KEPT]))
    except SandboxError:
        return  # stuck or dying: what it told before is kept
    unit.history.all_told(*kept)


async def tree(unit: Unit) -> TreeView:
    """The supervision tree now."""
    return (await unit.ask(lambda number: wire.Tree(id=number), wire.TreeReply)).tree


async def start(unit: Unit, main: str | None, args: bytes) -> TreeView:
    """Start the main application; brings a guest first when there is none."""
    async with unit.lane.turn("it is being started"):
        admit(unit, "start")
        wanted = _wanted_main(unit, main, args)
        if unit.guest is None:
            await build(unit, wanted)
            await rewatch(unit)
        else:
            await _start_here(unit, unit.guest, wanted)
        return await tree(unit)


async def _start_here(unit: Unit, guest: GuestHandle, main: Main) -> None:
    """In the guest that is there: what ran in it before has ended, but is still known to it as an application."""
    name = unit.name
    if unit.life.status is SandboxStatus.RUNNING and unit.life.main is not None:
        hint = f"it runs {unit.life.main} already; begin afresh with %sandbox restart {name}"
        raise UsageError(f"sandbox {name!r}", hint=hint, kind="already_started")
    stands = unit.life.status is SandboxStatus.STOPPED
    try:
        if unit.life.status is not SandboxStatus.RUNNING:
            await unit.ask(lambda number: wire.Resume(id=number), wire.Done, guest=guest)
            await _stop_application(unit, guest)
        await start_main(unit, guest, main)
    except BaseException:
        if stands:
            await unbroken(_stand_still(unit, guest))
        raise
    unit.main = main
    unit.dispatch(MainStarted(guest.generation, main.name))


async def _stand_still(unit: Unit, guest: GuestHandle) -> None:
    """A start has failed or was called off: what there is of it is stopped, and the sandbox is as its status says.

    Only then may it be told to take no more steps: it needs some to stop.
    """
    try:
        await _stop_application(unit, guest)
        await unit.ask(lambda number: wire.Pause(id=number), wire.PausedAt, guest=guest)
    except SandboxBusy:
        unit.give_up(guest, f"its start was called off, and it did not stop within {STOP_S:g} s and was killed")
    except SandboxError:
        return  # it is gone, which its status says


def _wanted_main(unit: Unit, main: str | None, args: bytes) -> Main:
    if main is not None:
        return Main(main_name(unit, main), args)
    return unit.main or Main(default_main(unit), args)


async def stop(unit: Unit) -> None:
    """Stop the application in order and let nothing run; looking stays possible. Does nothing when it is stopped."""
    async with unit.lane.turn("it is being stopped"):
        admit(unit, "stop")
        guest = unit.guest
        if unit.life.status is SandboxStatus.STOPPED or guest is None:
            return
        resume = unit.life.status is SandboxStatus.PAUSED
        unit.dispatch(StopBegan(guest.generation))
        try:
            await _stop_in_order(unit, guest, resume=resume)
            unit.dispatch(StopEnded(guest.generation))
        except SandboxBusy:
            unit.dispatch(StopRefused(guest.generation, f"it did not stop within {STOP_S:g} s and was killed"))
        except BaseException:
            unit.dispatch(StopRefused(guest.generation, "stopping was interrupted, so it was killed"))
            raise


async def _stop_in_order(unit: Unit, guest: GuestHandle, *, resume: bool) -> None:
    if resume:
        await unit.ask(lambda number: wire.Resume(id=number), wire.Done, guest=guest)
    if unit.life.main is not None:
        await _stop_application(unit, guest)
    await unit.ask(lambda number: wire.Pause(id=number), wire.PausedAt, guest=guest)


async def _stop_application(unit: Unit, guest: GuestHandle) -> None:
    try:
        await unit.ask(lambda number: wire.Stop(id=number, app=unit.app_name), wire.Done, STOP_S, guest=guest)
    except (SandboxBusy, SandboxGone):
        raise
    except SandboxError:
        pass  # it was not running any more, which is what is wanted


async def restart(unit: Unit) -> TreeView:
    """A fresh guest with the same code and main; state is lost."""
    async with unit.lane.turn("it is being restarted"):
        admit(unit, "restart")
        main = unit.main
        async with Fresh(unit) as guest:  # where none can be had, the one that is there goes on
            await remember_history(unit)  # only now: what it tells meanwhile would be there twice
            admit(unit, "restart")  # once more: meanwhile it may have come to its end
            unit.dispatch(RestartBegan())
            try:
                await _furnish(unit, guest, main)
            except BaseException as error:
                unit.dispatch(BuildFailed(str(error) or "the restart was interrupted"))
                raise
        await rewatch(unit)
        return await tree(unit)


async def back(unit: Unit, count: int) -> Stepped:
    """Replay the journal in a fresh guest up to ``count`` steps ago, then switch; stays paused.

    Also after the main supervisor gave up or was stopped, as long as the OS process lives: the journal is in there.
    """
    async with unit.lane.turn("it is going back"):
        admit(unit, "back")
        journal = await unit.ask(lambda number: wire.TakeJournal(id=number), wire.SnapshotBlob, STATE_S)
        if count < 1 or count > journal.step:
            raise UsageError("count", count, hint=f"give a number from 1 to {journal.step}, the steps taken so far")
        until = journal.step - count
        async with Fresh(unit) as guest:
            guest.stdout.mute = guest.stderr.mute = True
            told = await unit.ask(
                lambda number: wire.ReplayJournal(id=number, blob=journal.blob, until_step=until),
                wire.Stepped,
                STATE_S,
                guest=guest,
            )
            await guest.stdout.restart()
            await guest.stderr.restart()
            log = await unit.ask(lambda number: wire.Events(id=number, limit=1), wire.EventList, guest=guest)
            await remember_history(unit)
            unit.adopt(guest, paused=True, main=unit.main, replayed_from=log.since)
        await rewatch(unit)
        return _told(unit, told)


async def pause(unit: Unit) -> int:
    """Stop stepping; the number of the step it stands at.

    Waits for its turn, but not for long: who pauses means this moment, and is told what goes on instead.
    """
    async with unit.lane.turn("it is being paused", PATIENCE_S):
        admit(unit, "pause")
        generation, runs = unit.life.generation, unit.life.status is SandboxStatus.RUNNING
        undo = (lambda number: wire.Resume(id=number)) if runs else None
        at = await _switch(unit, lambda number: wire.Pause(id=number), wire.PausedAt, undo)
        unit.dispatch(Paused(generation))
        return at.step


async def resume(unit: Unit) -> None:
    """Let a paused sandbox go on; does nothing when it runs. Waits as ``pause`` does."""
    async with unit.lane.turn("it is being let go on", PATIENCE_S):
        admit(unit, "resume")
        generation, stands = unit.life.generation, unit.life.status is SandboxStatus.PAUSED
        undo = (lambda number: wire.Pause(id=number)) if stands else None
        await _switch(unit, lambda number: wire.Resume(id=number), wire.Done, undo)
        unit.dispatch(Resumed(generation))


async def _switch(
    unit: Unit, make: Callable[[int], wire.Request], answer: type[A], undo: Callable[[int], wire.Request] | None
) -> A:  # fmt: skip
    """Ask to stand still or to go on; a guest that answers too late is told to do as before, as the status says."""
    guest = unit.guest
    try:
        return await unit.ask(make, answer)
    except (asyncio.CancelledError, SandboxBusy):
        if guest is not None and undo is not None:
            guest.tell(undo)
        raise


async def step(unit: Unit, make: Callable[[int], wire.Request], timeout_s: float) -> Stepped:
    """Take steps by ``Step`` or ``Until`` and tell them to observers."""
    admit(unit, "step")
    return _told(unit, await unit.ask(make, wire.Stepped, timeout_s))


def _told(unit: Unit, told: wire.Stepped) -> Stepped:
    steps = deeds(told.steps)
    unit.publish(StepsTold(unit.name, steps, told.step))
    return Stepped(steps, told.step, told.waiting)


async def until(unit: Unit, make: Callable[[int], wire.Request], timeout_s: float) -> Stepped:
    """Step to a condition; pauses first when it runs."""
    if unit.life.status is SandboxStatus.RUNNING:
        await pause(unit)
    return await step(unit, make, timeout_s)
