"""The part of ``Sandbox`` that looks: trees, processes, events, reasons, counters, output. All answers are frozen."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..model import given
from ..model.errors import NoProcess, SandboxError, UsageError
from ..model.given import whole
from ..model.sandbox import NoticeTold, SandboxInfo, SandboxStatus, TreeReplaced
from ..model.views import Event, Inspection, ModuleVersion, TreeView, WaitView, WhyView
from ..wire import messages as wire
from .holding import Holding
from .loading import admit
from .newest import memory_of
from .news import past
from .news import whole as seen_whole
from .state import refusal
from .unit import Unit

A = TypeVar("A", bound=wire.Answer)
SAMPLE_S = 0.1
"""Whoever asks for facts waits this long for fresh ones."""
_SHORTEST_WATCH_MS = 10


class Looking(Holding):
    """Every method may be called from any thread but the manager's own."""

    @property
    def id(self) -> int:
        """Counts from 1 in each manager."""
        return self._unit.life.id

    @property
    def name(self) -> str:
        """What it is called: what stands after the verb of ``%sandbox``."""
        return self._unit.life.name

    @property
    def status(self) -> SandboxStatus:
        """What it is doing now; never waits."""
        return self._unit.life.status

    def busy_ms(self) -> int:
        """How long the callback has run that runs now, as the guest says; 0 when none does. Asks nobody."""

        async def read() -> int:
            guest = self._unit.guest
            return guest.process.heartbeat.busy_ms() if guest is not None else 0

        return self._loop.run(read())

    def info(self) -> SandboxInfo:
        """All facts as of now, of a busy guest as of its last sample; also works when it crashed."""
        if not self._loop.is_current:  # an observer on the manager's thread cannot wait
            self._loop.run(sampled(self._unit))
        return self._unit.info()

    def tree(self) -> TreeView:
        """The supervision tree now."""
        return self._look(lambda number: wire.Tree(id=number), wire.TreeReply).tree

    def inspect(self, target: object) -> Inspection:
        """Everything about one process: state, mailbox, links, monitors, last events."""
        name = given.target("target", target, self._unit.name)
        return self._look(lambda number: wire.Inspect(id=number, target=name), wire.InspectReply).inspection

    def events(self, limit: int = 50, kinds: Iterable[str] = (), target: object = None) -> list[Event]:
        """The newest events, newest first, also those of before a restart. Raises UsageError for an unknown kind."""
        most, wanted = whole("limit", limit), list(given.kinds("kinds", kinds))
        name = None if target is None else given.target("target", target, self._unit.name)
        return self._loop.run(_events(self._unit, most, wanted, name))

    def why(self, target: object, limit: int = 1) -> list[WhyView]:
        """Why a process was restarted or exited, newest first, also before a restart of the sandbox."""
        name, most = given.target("target", target, self._unit.name), whole("limit", limit)
        return self._loop.run(_why(self._unit, name, most))

    def waits(self) -> list[WaitView]:
        """Who waits for whom in the middle of a callback, and since when; a deadlock's processes are named."""
        return self._look(lambda number: wire.Waits(id=number), wire.WaitList).entries

    def versions(self) -> list[ModuleVersion]:
        """Current and old version of every module."""
        return self._look(lambda number: wire.Versions(id=number), wire.VersionList).versions

    def watch(self, interval_ms: int) -> TreeView:
        """Have changes of the tree told to subscribers at most every ``interval_ms``; 0 ends it. The tree now.

        Below 10 ms it is 10 ms: nobody sees more, and a guest that tells more is taken for a hostile one.
        """
        return self._loop.run(_watch(self._unit, whole("interval_ms", interval_ms, least=0)))

    def metrics(self) -> dict[str, object]:
        """The guide's analytics: runtime_seconds, event_count, metrics, recent_events (newest 10, newest first)."""

        async def read() -> dict[str, object]:
            await sampled(self._unit)
            return self._unit.analytics.metrics(self._unit.ages.runtime_s)

        return self._loop.run(read())

    def record(self, kind: str, data: dict[str, object]) -> None:
        """Add an event of the notebook's own to the analytics. Raises UsageError for data that is no plain data."""
        what, facts = given.text("kind", kind), given.pairs("data", data)
        try:
            memory_of(facts)
        except Exception:  # it holds itself, or a class of the user's raises what it likes
            raise UsageError("data", data, hint="give a map of plain data that does not hold itself") from None

        async def write() -> None:
            self._unit.analytics.record(what, facts, time.time())

        self._loop.run(write())

    def log(self, limit: int = 50) -> list[NoticeTold]:
        """Crash reports and logger lines, oldest first; they survive the guest."""
        most = whole("limit", limit)

        async def read() -> list[NoticeTold]:
            return list(self._unit.voice.notices)[-most:]

        return self._loop.run(read())

    def output(self) -> str:
        """The newest 64 KB of what it printed, with a note of what is missing."""

        async def read() -> str:
            if self._unit.guest is not None:
                await self._unit.guest.tell_output()
            return self._unit.voice.output.text()

        return self._loop.run(read())

    def _look(self, make: Callable[[int], wire.Request], answer: type[A]) -> A:
        return self._loop.run(look(self._unit, make, answer))


async def sampled(unit: Unit) -> None:
    """Have the counters be those of now, if the guest says so quickly."""
    guest = unit.guest
    if guest is None:
        return
    try:
        await guest.ask(lambda number: wire.Flush(id=number), wire.Done, SAMPLE_S)
        unit.see_peaks(guest)
    except SandboxError:
        pass  # what it told last has to do: whether this one answers, and what, is no matter of who asks about all


async def look(unit: Unit, make: Callable[[int], wire.Request], answer: type[A]) -> A:
    """Ask the guest something that changes nothing."""
    admit(unit, "look")
    return await unit.ask(make, answer)


async def _events(unit: Unit, limit: int, kinds: list[str], target: str | None) -> list[Event]:
    """Those of the guest, then those of earlier guests; of one that is gone there is what it told."""
    gone = refusal(unit.life, "look")
    if gone is not None:
        found = unit.history.events(limit, kinds, target, present=True)
        if not found or unit.life.destroyed:
            raise gone
        return found

    def make(number: int) -> wire.Request:
        return wire.Events(id=number, limit=limit, kinds=kinds, target=target)

    told = await unit.ask(make, wire.EventList)
    own, _ = past(told.events[:limit], ())
    return [*own, *unit.history.events(limit - len(own), kinds, target)]


async def _why(unit: Unit, target: str, limit: int) -> list[WhyView]:
    gone = refusal(unit.life, "look")
    if gone is not None:
        found = unit.history.why(target, limit, present=True)
        if not found or unit.life.destroyed:
            raise gone
        return found
    try:
        told = await unit.ask(lambda number: wire.Why(id=number, target=target, limit=limit), wire.WhyList)
    except NoProcess:
        found = [*await _ended(unit, target), *unit.history.why(target, limit)]
        if not found:
            raise
        return found[:limit]
    _, own = past((), told.entries[:limit])
    return [*own, *unit.history.why(target, limit - len(own))]


async def _ended(unit: Unit, target: str) -> list[WhyView]:
    """How a process ended about which nobody decided: it was the main supervisor, or no supervisor watched it."""
    name = target.rpartition("/")[2]
    told = await unit.ask(lambda number: wire.Why(id=number, target="", limit=50), wire.WhyList)
    _, entries = past((), told.entries[:50])
    gave_up = [one for one in entries if one.supervisor == name and one.decision.startswith("gave up")]
    if gave_up:
        return gave_up[:1]
    # A main supervisor is often registered under no name: it goes by that of its class.
    is_main = (unit.life.main or "").rpartition(".")[2] == name
    exits = await _last(unit, "process_exit", target) or (
        await _last(unit, "application_stop", None) if is_main else []
    )
    why_not = "it was the main application, which nobody restarts" if is_main else "no supervisor watched it"
    return [
        WhyView(
            key=target, name=name, step=event.step, now_ms=event.now_ms, cause="", message="", traceback=(),
            reason=event.text.partition(": ")[2],  # "exited: REASON", "NAME ended: REASON"
            supervisor="", decision=why_not,
        )
        for event in exits
    ]  # fmt: skip


async def _last(unit: Unit, kind: str, target: str | None) -> list[Event]:
    make = functools.partial(wire.Events, limit=1, kinds=[kind], target=target)
    told = await unit.ask(lambda number: make(id=number), wire.EventList)
    return past(told.events[:1], ())[0]


async def _watch(unit: Unit, interval_ms: int) -> TreeView:
    admit(unit, "look")
    interval_ms = max(interval_ms, _SHORTEST_WATCH_MS) if interval_ms else 0
    reply = await unit.ask(lambda number: wire.Watch(id=number, interval_ms=interval_ms), wire.TreeReply)
    unit.watch_ms = interval_ms
    unit.publish(TreeReplaced(unit.name, seen_whole(reply.tree)))
    return reply.tree
