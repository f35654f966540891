"""One sandbox inside the manager: its life, its guest and its facts; carries out what ``state.apply`` decides.

Used on the manager's thread only, except ``info``, which any thread may read.
It never decides about status itself, and what it does by order of the reducer
comes back as an event.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, assert_never

from ..model.boot import Boot
from ..model.code import ClassInfo, ModuleCode
from ..model.errors import SandboxBusy, SandboxGone
from ..model.flavour import Flavour
from ..model.limits import Limits
from ..model.openings import Openings
from ..model.sandbox import (
    AlertRaised,
    InfoChanged,
    NoticeTold,
    OutputArrived,
    SandboxInfo,
    SandboxStatus,
    TreePatched,
    Update,
)  # fmt: skip
from ..wire.messages import Alert, Answer, MainExited, Notice, Request, Sample, TreeChanged
from .analytics import SandboxAnalytics
from .handle import ASK_S, GuestHandle, Listener
from .history import History
from .life import (
    Announce,
    DiskOver,
    Forget,
    GivenUp,
    GuestExited,
    GuestTook,
    HandlerOver,
    Interrupt,
    Life,
    LifeEvent,
    LimitCounted,
    MainEnded,
    MemoryOver,
    ProtocolBroken,
    RaiseAlert,
    Retire,
    Tell,
)  # fmt: skip
from .link import Pushed
from .news import bounded
from .output import TAIL_BYTES, OutputTail
from .spares import Kind, Spares
from .state import apply
from .watch import judge

A = TypeVar("A", bound=Answer)
ALERTS_KEPT = 20
NOTICES_KEPT = 500
CUT_AGAIN_S = 5.0
"""Output that is cut after so long a pause is told anew."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What every guest of a sandbox is made with. ``env`` is pickled, for the application's environment."""

    seed: int
    clock: str = "real"
    isolation: str = "copy"
    flavour: Flavour = field(default_factory=Flavour)
    profile: str = ""
    openings: Openings = field(default_factory=Openings)
    env: bytes = b""
    dependencies: tuple[str, ...] = ()
    capture: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Main:
    """What was started: ``module.Class`` and its pickled arguments."""

    name: str
    args: bytes = b""


class Unit:
    """One sandbox. ``publish`` gets every update; ``on_forget`` removes it from the manager."""

    def __init__(
        self, number: int, name: str, spec: Spec, limits: Limits, *,
        spares: Spares, publish: Callable[[Update], None], on_forget: Callable[[Unit], None],
    ) -> None:  # fmt: skip
        self.life = Life(number, name)
        self.spec, self.limits, self.spares = spec, limits, spares
        self.publish, self._on_forget = publish, on_forget
        self._hearer = contextvars.copy_context()
        """Of whoever acted on it last: what it prints and its alerts are told in there, so that they find its cell."""
        self.created_at = time.time()
        self.ended_at: float | None = None
        self.analytics = SandboxAnalytics(self.created_at, spec.capture)
        self.guest: GuestHandle | None = None
        self.building: set[GuestHandle] = set()
        self.lane = asyncio.Lock()
        """The queue of this sandbox: whatever changes its code or its guest goes one after another."""
        self.modules: dict[str, ModuleCode] = {}
        self.classes: dict[str, tuple[ClassInfo, ...]] = {}
        self.main: Main | None = None
        self.on_guest: Callable[[], None] = _nothing
        self.observed: Callable[[], bool] = _always
        self.watch_ms = 0
        self.notices: deque[NoticeTold] = deque(maxlen=NOTICES_KEPT)
        self.output = OutputTail(TAIL_BYTES)
        self.history = History()
        self._alerts: tuple[str, ...] = ()
        self._output_cut_at = float("-inf")
        self._memory = 0
        self._generations = 0

    # --- facts ------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.life.name

    @property
    def kind(self) -> Kind:
        """Which spares it takes from."""
        return Kind(self.spec.flavour, self.spec.profile)

    @property
    def app_name(self) -> str:
        return f"sandbox_{self.life.id}"

    def info(self) -> SandboxInfo:
        """A frozen picture of the facts. Safe from any thread: it reads only values that are replaced as a whole."""
        life, guest = self.life, self.guest
        return SandboxInfo(
            id=life.id, name=life.name, app_name=self.app_name, status=life.status, reason=life.reason,
            created_at=self.created_at, os_pid=guest.process.pid if guest else None, main=life.main,
            limits=self.limits, protection=guest.protection if guest else None, memory=self._memory,
            memory_peak=self.analytics.memory_peak, runtime_s=self.runtime_s(), counters=self.analytics.totals(),
            modules=tuple(self.modules), alerts=self._alerts, flavour=self.spec.flavour.name,
            disk_peak=self.analytics.disk_peak, open_files_peak=self.analytics.open_files_peak,
            printed=self.output.total,
        )  # fmt: skip

    @property
    def memory(self) -> int:
        """Bytes of private memory at the last reading."""
        return self._memory

    def runtime_s(self) -> int:
        """Whole seconds since it was created, until it ended."""
        return max(0, int((self.ended_at or time.time()) - self.created_at))

    # --- guests -----------------------------------------------------------------------------------------------------

    async def launch_trial(self) -> GuestHandle:
        """A guest to try code in, to be ended with ``discard``."""
        guest = await self.spares.take_trial(self.spec.flavour, self._boot())
        self._build(guest)
        return guest

    async def launch(self) -> GuestHandle:
        """A fresh guest beside the present one; it takes over with ``adopt`` or ends with ``discard``."""
        self._generations += 1
        listener = Listener(self._pushed, self._broke, self._exited, self._printed)
        guest = await self.spares.take(self.spec.flavour, self._boot(), listener, self._generations)
        if self.life.destroyed:
            guest.retire("destroyed")
            raise self._gone("it was destroyed")
        self._build(guest)
        return guest

    def _boot(self) -> Boot:
        return Boot(
            name=self.name, seed=self.spec.seed, limits=self.limits, clock=self.spec.clock,
            isolation=self.spec.isolation, profile=self.spec.profile, openings=self.spec.openings,
            capture=None if self.spec.capture is None else tuple(sorted(self.spec.capture)),
        )  # fmt: skip

    def _build(self, guest: GuestHandle) -> None:
        self.building.add(guest)
        self.on_guest()

    def adopt(
        self, guest: GuestHandle, *, paused: bool, main: Main | None, replayed_from: int | None = None
    ) -> None:  # fmt: skip
        """The fresh guest takes over; the one before it is retired.

        ``replayed_from``: it has done all over again what that one did since this step.
        """
        if guest.retired:
            raise SandboxGone(guest.retired)
        self.building.discard(guest)
        before, self.guest = self.guest, guest
        if before is not None:
            before.retire("another guest took its place")
        self.main, self.ended_at = main, None
        self.on_guest()
        self.analytics.next_guest(replays_history=replayed_from is not None)
        self.history.next_guest(replayed_from)
        self.dispatch(GuestTook(guest.generation, paused, main.name if main else None))
        held, guest.held = guest.held, []
        for frame in held:
            self._pushed(guest, frame)

    def discard(self, guest: GuestHandle, why: str) -> None:
        """A fresh guest that did not take over ends."""
        if guest in self.building:
            self.building.discard(guest)
            guest.retire(why)

    async def ask(
        self, make: Callable[[int], Request], answer: type[A], timeout_s: float | None = ASK_S,
        *, guest: GuestHandle | None = None,
    ) -> A:  # fmt: skip
        """Ask a guest, else the present one; errors say which sandbox did not answer, why, and what to do."""
        guest = guest or self.guest
        if guest is None:
            raise self._gone(self.life.reason or "it has no OS process")
        try:
            return await guest.ask(make, answer, timeout_s)
        except SandboxGone as gone:
            raise self._gone(str(gone)) from None
        except SandboxBusy as busy:
            raise self._busy(str(busy)) from None

    def _gone(self, why: str) -> SandboxGone:
        name, todo = self.name, "create" if self.life.destroyed else "restart"
        return SandboxGone(f"sandbox {name!r} cannot answer: {why}. Bring it back: %sandbox {todo} {name}")

    def _busy(self, why: str) -> SandboxBusy:
        name = self.name
        if self.life.status is SandboxStatus.PAUSED:
            return SandboxBusy(f"sandbox {name!r} is paused, so {why}: %sandbox resume {name}, or %sandbox step {name}")
        return SandboxBusy(f"sandbox {name!r}: {why}. See what it does: %sandbox info {name}")

    def heard_by_caller(self) -> None:
        """What it prints from now on, and its alerts, are told in the context of the task that calls this."""
        self._hearer = contextvars.copy_context()

    def announce(self) -> None:
        """Tell observers the facts, if there are any: gathering them takes a while."""
        if self.observed():
            self.publish(InfoChanged(self.info()))

    def give_up(self, guest: GuestHandle, reason: str) -> None:
        """End a guest whose state nobody can vouch for."""
        self.dispatch(GivenUp(guest.generation, reason))

    # --- deciding and acting ----------------------------------------------------------------------------------------

    def dispatch(self, event: LifeEvent) -> None:
        """Let the reducer decide and carry out what it decided."""
        self.life, actions = apply(self.life, event)
        for action in actions:
            match action:
                case Retire(generation, reason):
                    self._retire(generation, reason)
                case Interrupt():
                    self._interrupt()
                case Announce():
                    self.announce()
                case RaiseAlert(limit, message):
                    self.alert(limit, message)
                case Tell(text, process, lines):
                    self._tell(NoticeTold(self.name, "error", text, process, lines))
                case Forget():
                    self._forget()
                case _:
                    assert_never(action)

    def _retire(self, generation: int, reason: str) -> None:
        guest = self.guest
        if guest is not None and guest.generation == generation:
            self.guest, self._memory, self.ended_at = None, 0, time.time()
            guest.retire(reason)

    def _interrupt(self) -> None:
        if self.guest is not None:
            self.guest.process.interrupt()

    def alert(self, limit: str, message: str) -> None:
        """Raise an alert that observers are told and ``info`` shows."""
        self._alerts = (*self._alerts, message)[-ALERTS_KEPT:]
        self._hearer.run(self.publish, AlertRaised(self.name, limit, message, time.time()))

    def _tell(self, told: NoticeTold) -> None:
        self.notices.append(told)
        self.publish(told)

    def _forget(self) -> None:
        for guest in list(self.building):
            self.discard(guest, "destroyed")
        self._on_forget(self)

    # --- what guests tell -------------------------------------------------------------------------------------------

    def _pushed(self, guest: GuestHandle, frame: Pushed) -> None:
        match frame := bounded(frame):
            case Notice(level=level, text=text, process=process, traceback=lines, logged=logged):
                self._tell(NoticeTold(self.name, level, text, process, tuple(lines), logged))
            case _ if guest is not self.guest:
                # A guest in the making: what it tells of its main counts once it took over.
                if guest in self.building and len(guest.held) < 100:
                    guest.held.append(frame)
            case TreeChanged(diff=diff):
                self.publish(TreePatched(self.name, diff))
            case Sample(counters=counters, events=events, dropped=dropped, decisions=decisions):
                self.history.told(events, decisions)
                self.analytics.sample(counters, events, dropped, time.time())
                self.announce()
            case Alert(limit=limit, message=message):
                self.dispatch(LimitCounted(guest.generation, limit, message))
            case MainExited(reason=reason):
                # A supervisor that gives up exits with ``shutdown``, and when nobody asked for it that is no good end.
                self.dispatch(MainEnded(guest.generation, reason, normal=reason == "normal"))
            case _:
                assert_never(frame)

    def _broke(self, guest: GuestHandle, text: str) -> None:
        if guest is self.guest:
            self.dispatch(ProtocolBroken(guest.generation, text))
        else:
            self.discard(guest, f"it broke the protocol: {text}")

    def _exited(self, guest: GuestHandle, status: str) -> None:
        if guest is self.guest:
            self.dispatch(GuestExited(guest.generation, status))
        else:
            self.discard(guest, f"its OS process ended with {status}")

    def _printed(self, guest: GuestHandle, stream: str, text: str, dropped: int) -> None:
        self.output.feed(text.encode("utf-8", "replace"))
        if dropped:
            self.output.mark(stream, dropped)
            self._cut_output(time.monotonic())
        self._hearer.run(self.publish, OutputArrived(self.name, stream, text, dropped))

    def _cut_output(self, now: float) -> None:
        """Told once for a flood, which is cut again and again."""
        if now - self._output_cut_at > CUT_AGAIN_S:
            text = (
                f"it printed more than max_output ({self.limits.max_output} bytes); the rest is counted and not shown"
            )
            self.alert("output_limit", text)
        self._output_cut_at = now

    # --- the watchdog's share ---------------------------------------------------------------------------------------

    def watch(self, now_ns: int, *, holdings: bool = False) -> None:
        """One reading of the guest and its consequences; ``holdings``: of its files too, which costs more."""
        for one in list(self.building):
            self._watch_building(one, now_ns, holdings)
        guest = self.guest
        if guest is None or guest.rested(now_ns, self.limits):
            return
        if holdings:
            guest.look_at_holdings()
        if guest.unchanged(now_ns, self.limits):
            return
        reading = guest.reading(now_ns)
        self._memory = reading.memory
        self.analytics.memory(reading.memory)
        self.analytics.held(reading.held.disk, reading.held.open_files)
        timed = self.life.status not in (SandboxStatus.STOPPED, SandboxStatus.CRASHED)
        guest.watched, events = judge(guest.watched, reading, self.limits, guest.generation, timed=timed)
        guest.judged = reading.memory, reading.held, self.limits
        for event in events:
            self.dispatch(self._with_dump(guest, event))

    def _watch_building(self, guest: GuestHandle, now_ns: int, holdings: bool) -> None:
        """A guest that tries or starts code has a deadline of whoever waits for it; what it takes is limited here."""
        if holdings:
            guest.look_at_holdings()
        _, events = judge(guest.watched, guest.reading(now_ns), self.limits, guest.generation, timed=False)
        for event in events:
            if isinstance(event, DiskOver):
                self.discard(guest, f"it filled its folder with {event.used / 1e6:.0f} MB in {event.files} files")
            elif isinstance(event, MemoryOver) and event.kill:
                self.discard(guest, f"it used {event.used / 1e6:.0f} MB; max_memory is {event.limit / 1e6:.0f} MB")

    def _with_dump(self, guest: GuestHandle, event: LifeEvent) -> LifeEvent:
        """Asks for a dump when the first interrupt did not help, so that it is there when the guest is killed."""
        if not isinstance(event, HandlerOver):
            return event
        if event.last:
            return HandlerOver(
                event.generation, event.attempt, True, event.process, event.budget_ms, guest.dump()
            )  # fmt: skip
        if event.attempt > 1:
            guest.ask_for_dump()
        return event


def _nothing() -> None:
    """Nobody wants to know."""


def _always() -> bool:
    """Somebody may listen."""
    return True
