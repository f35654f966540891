"""One sandbox inside the manager: its life, its guest and its facts; carries out what ``state.apply`` decides.

Used on the manager's thread only, except ``info``, which any thread may read.
It never decides about status itself, and what it does by order of the reducer
comes back as an event.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, assert_never

from ..isolation.guest_process import Rest
from ..model.code import ClassInfo, ModuleCode
from ..model.errors import SandboxBusy, SandboxGone
from ..model.limits import MANY_FILES, OPEN_FILES, Limits
from ..model.sandbox import (
    InfoChanged,
    NoticeTold,
    SandboxInfo,
    SandboxStatus,
    TreePatched,
    Update,
)  # fmt: skip
from ..model.views import Counters
from ..wire.messages import Alert, Answer, MainExited, Notice, Request, Sample, TreeChanged
from .ages import Ages
from .analytics import SandboxAnalytics
from .handle import ASK_S, GuestHandle, Listener
from .history import History
from .lane import Lane
from .life import (
    Announce,
    Forget,
    GivenUp,
    GuestExited,
    GuestTook,
    Interrupt,
    Life,
    LifeEvent,
    LimitCounted,
    MainEnded,
    ProtocolBroken,
    RaiseAlert,
    Retire,
    Tell,
)  # fmt: skip
from .limiting import catch_up
from .link import ENDING, Pushed
from .news import bounded, length
from .seldom import Seldom
from .spares import Kind, Spares
from .spec import Main, Spec
from .state import REPLACED, apply
from .throttle import KINDS, Notices
from .voice import Voice
from .watch import MEMORY_SLACK

A = TypeVar("A", bound=Answer)
_CLAIMS = (MainEnded, LimitCounted)
"""What a guest can have happen by a frame, as often as it likes."""
ANNOUNCE_S = 0.1
"""Facts that a guest tells are told on so often at most."""


class Unit:
    """One sandbox. ``publish`` gets every update; ``on_forget`` removes it from the manager."""

    def __init__(
        self, number: int, name: str, spec: Spec, limits: Limits, *,
        spares: Spares, publish: Callable[[Update], None], on_forget: Callable[[Unit], None],
    ) -> None:  # fmt: skip
        self.life = Life(number, name)
        self.spec, self.limits, self.spares = spec, limits, spares
        self.publish, self._on_forget = publish, on_forget
        self.voice = Voice(name, publish)
        self.ages = Ages()
        self._most_files = OPEN_FILES
        self.analytics = SandboxAnalytics(spec.capture)
        self.guest: GuestHandle | None = None
        self.building: set[GuestHandle] = set()
        self.lane = Lane(name)
        self.modules: dict[str, ModuleCode] = {}
        self.classes: dict[str, tuple[ClassInfo, ...]] = {}
        self.main: Main | None = None
        self.on_guest: Callable[[], None] = _nothing
        self.observed: Callable[[], bool] = _always
        self.watch_ms = 0
        self.history = History()
        self.memory = 0
        """Bytes of private memory at the last reading."""
        self.rest: Rest | None = None
        """Set by the watchdog when there is nothing to look at as long as it lasts."""
        self.processor_ms = 0
        """Processor time of its OS process at the last reading."""
        self._generations = 0
        self._notices = Notices()
        self._announcing = Seldom(self.announce, ANNOUNCE_S)

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
        life, guest, peaks, raised = self.life, self.guest, self.analytics.peaks, self.voice.raised
        return SandboxInfo(
            id=life.id, name=life.name, app_name=self.app_name, status=life.status, reason=life.reason,
            created_at=self.ages.created_at, os_pid=guest.process.pid if guest else None, main=life.main,
            limits=self.limits, protection=guest.protection if guest else None, memory=self.memory,
            memory_peak=self.analytics.memory_peak, runtime_s=self.ages.runtime_s, counters=self._counters(),
            modules=tuple(self.modules), alerts=tuple(message for message, _ in raised),
            alerted_at=tuple(at for _, at in raised), flavour=self.spec.flavour.name,
            disk_peak=peaks.disk, open_files_peak=peaks.open_files, most_files=self._most_files, files_peak=peaks.files,
            threads_peak=peaks.threads, processes_peak=peaks.processes, mailbox_peak=peaks.mailbox,
            message_peak=peaks.message, output_peak=peaks.output, callback_peak_ms=peaks.callback_ms,
            processor_ms=self.processor_ms, news_peak=peaks.news,
            printed=self.voice.output.total, ready_ns=self.ages.ready_ns, lived_s=self.ages.lived_s,
        )  # fmt: skip

    def _counters(self) -> Counters:
        """Of a guest that is gone, what it has done; no process is left of it."""
        totals = self.analytics.totals()
        return totals if self.guest is not None else replace(totals, processes=0, longest_queue=0)

    # --- guests -----------------------------------------------------------------------------------------------------

    async def launch_trial(self) -> GuestHandle:
        """A guest to try code in, to be ended with ``discard``."""
        guest = await self.spares.take_trial(self.spec.flavour, self.spec.boot(self.name, self.limits))
        self._build(guest)
        return guest

    async def launch(self) -> GuestHandle:
        """A fresh guest beside the present one; it takes over with ``adopt`` or ends with ``discard``."""
        self._generations += 1
        listener = Listener(self._pushed, self._broke, self._exited, self._printed)
        guest = await self.spares.take(
            self.spec.flavour, self.spec.boot(self.name, self.limits), listener, self._generations
        )
        if self.life.destroyed:
            guest.retire("destroyed")
            raise self.gone("it was destroyed")
        self._build(guest)
        return guest

    def _build(self, guest: GuestHandle) -> None:
        self.building.add(guest)
        self.watch_anew()

    def rests(self, now_ns: int) -> bool:
        """Whether there is nothing to look at: it does nothing, and nobody waits for it to do anything."""
        rest, guest = self.rest, self.guest
        return rest is not None and rest.lasts(now_ns) and not (guest is not None and guest.lookout.open)

    def watch_anew(self) -> None:
        """Something else is to be watched, or by other limits."""
        self.rest = None
        self.on_guest()

    def adopt(
        self, guest: GuestHandle, *, paused: bool, main: Main | None, replayed_from: int | None = None
    ) -> None:  # fmt: skip
        """The fresh guest takes over; the one before it is retired.

        ``replayed_from``: it has done all over again what that one did since this step.
        """
        if guest.retired:
            raise SandboxGone(guest.retired)
        if self.life.status is SandboxStatus.STOPPING:  # and not by ``stop``, which would have the lane
            raise SandboxGone(f"sandbox {self.name!r} is being destroyed; make another: %sandbox create {self.name}")
        self.building.discard(guest)
        before, self.guest = self.guest, guest
        if before is not None:
            before.retire(REPLACED)
        self.main = main
        self.ages.begin(guest.lookout.ready_ns)
        self._most_files = OPEN_FILES if guest.limits_files else MANY_FILES
        self.watch_anew()
        self.see_processor_time(guest)
        self.analytics.next_guest(replays_history=replayed_from is not None)
        self.history.next_guest(replayed_from)
        self.dispatch(GuestTook(guest.generation, paused, main.name if main else None))
        catch_up(self, guest)
        for frame in guest.held.release():
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
            raise self.gone(self.life.reason or "it has no OS process")
        try:
            return await guest.ask(make, answer, timeout_s)
        except SandboxGone as gone:
            raise self.gone(str(gone)) from None
        except SandboxBusy as busy:
            raise self._busy(str(busy), building=guest in self.building) from None

    def gone(self, why: str) -> SandboxGone:
        """What to raise for whoever wants something of it, and what to do."""
        name, todo = self.name, "create" if self.life.destroyed or why == ENDING else "restart"
        if why == REPLACED and not self.life.destroyed:
            return SandboxGone(f"sandbox {name!r} was started anew before it answered; ask again: %sandbox tree {name}")
        return SandboxGone(f"sandbox {name!r} cannot answer: {why}. Bring it back: %sandbox {todo} {name}")

    def _busy(self, why: str, *, building: bool) -> SandboxBusy:
        """``building``: it was asked of a guest that has not taken over, so the status is none of its."""
        name = self.name
        if building:
            text = f"sandbox {name!r}: an OS process that was made ready for it was given up, {why}"
            return SandboxBusy(f"{text}. See what the sandbox does: %sandbox info {name}")
        if self.life.status is SandboxStatus.PAUSED:
            return SandboxBusy(f"sandbox {name!r} is paused, so {why}: %sandbox resume {name}, or %sandbox step {name}")
        return SandboxBusy(f"sandbox {name!r}: {why}. See what it does: %sandbox info {name}")

    def announce(self) -> None:
        """Tell observers the facts, if there are any: gathering them takes a while. Of who is gone nothing is told any
        more: the watchdog may have seen it a moment before."""
        if not self.life.destroyed and self.observed():
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
                    (self._announcing.soon if isinstance(event, _CLAIMS) else self.announce)()
                case RaiseAlert(limit, message, again):
                    self.voice.alert(limit, message, again=again)
                case Tell(text, process, lines):
                    self.voice.tell(NoticeTold(self.name, "error", text, process, lines))
                case Forget():
                    self._forget()
                case _:
                    assert_never(action)

    def _retire(self, generation: int, reason: str) -> None:
        guest = self.guest
        if guest is not None and guest.generation == generation:
            guest.link.read_rest()
            self.see_peaks(guest)
            self.see_processor_time(guest)
            self.guest, self.memory = None, 0
            self.ages.end()
            guest.retire(reason)

    def _interrupt(self) -> None:
        if self.guest is not None:
            self.guest.process.interrupt()

    def _forget(self) -> None:
        for guest in list(self.building):
            self.discard(guest, "destroyed")
        self._announcing.cancel()
        self._on_forget(self)

    # --- what guests tell -------------------------------------------------------------------------------------------

    def see_peaks(self, guest: GuestHandle) -> None:
        """What it has counted itself, and what the channel has."""
        lived, waited = guest.process.heartbeat.counts()
        seen, news = self.analytics.peaks, guest.link.most_news
        if lived > seen.processes or waited > seen.mailbox or news > seen.news:
            self.analytics.rose(processes=lived, mailbox=waited, news=news)

    def see_processor_time(self, guest: GuestHandle) -> None:
        """What it has used by now, or until its end."""
        used_ms = guest.processor_ms()
        if used_ms >= 0:  # else the last that was seen
            self.processor_ms = used_ms

    def _pushed(self, guest: GuestHandle, frame: Pushed) -> None:
        match frame := bounded(frame):
            case Notice(level=level, text=text, process=process, traceback=lines, logged=logged):
                self._notice(NoticeTold(self.name, level, text, process, tuple(lines), logged))
            case _ if guest is not self.guest:
                # A guest in the making: what it tells of its main counts once it took over.
                if guest in self.building:
                    guest.held.hold(frame)
            case TreeChanged(diff=diff):
                self.publish(TreePatched(self.name, diff))
            case Sample(counters=counters, events=events, dropped=dropped, decisions=decisions):
                self.history.told(events, decisions)
                self._see_memory(guest)
                self.analytics.sample(counters, events, dropped, time.time())
                self._announcing.soon()
            case Alert(limit=limit, message=message):
                self._alert(guest, limit, message)
            case MainExited(reason=reason):
                # A supervisor that gives up exits with ``shutdown``, and when nobody asked for it that is no good end.
                self.dispatch(MainEnded(guest.generation, reason, normal=reason == "normal"))
            case _:
                assert_never(frame)

    def _see_memory(self, guest: GuestHandle) -> None:
        """Who met the limit mostly gave all of it back between two readings."""
        if guest.met_memory:
            guest.met_memory = False
            self.analytics.memory(min(guest.process.growth_peak(), self.limits.max_memory + MEMORY_SLACK))

    def _alert(self, guest: GuestHandle, limit: str, message: str) -> None:
        """Told at once when it is news; else it has to fit into what the cell may print, and is counted."""
        told = guest.alerts.passed(limit, message, time.monotonic())
        if limit == "memory_limit":
            guest.met_memory = True
            guest.lookout.watched = replace(guest.lookout.watched, all_told=True)  # it is told now, and better
        if limit == "files_limit" and self._most_files == OPEN_FILES:  # it may have closed them before anybody looked
            self.analytics.rose(open_files=OPEN_FILES)
        if told is not None and guest.stderr.tail.spends(len(told), free=limit in KINDS):
            self.dispatch(LimitCounted(guest.generation, limit, told))

    def _notice(self, told: NoticeTold) -> None:
        more = self._notices.passed(length(told), time.monotonic())
        if more is None:
            return
        if more:
            self.voice.tell(NoticeTold(self.name, "warning", f"{more} more messages were too many to be shown"))
        self.voice.tell(told)

    def _broke(self, guest: GuestHandle, text: str) -> None:
        if guest is self.guest:
            limit = "news_limit" if guest.link.flooded else "protocol"
            self.dispatch(ProtocolBroken(guest.generation, text, limit))
        else:
            self.discard(guest, f"it broke the protocol: {text}")

    def _exited(self, guest: GuestHandle, status: str) -> None:
        if guest is self.guest:
            how = guest.process.exit_status
            by = how.signal if how is not None else None
            self.dispatch(GuestExited(guest.generation, status, guest.left.fault, by))
        else:
            self.discard(guest, f"its OS process ended with {status}")

    def _printed(self, guest: GuestHandle, stream: str, text: str, dropped: int) -> None:
        self.analytics.rose(output=max(guest.stdout.tail.cell, guest.stderr.tail.cell))
        self.voice.printed(stream, text, dropped, self.limits.max_output)


def _nothing() -> None:
    """Nobody wants to know."""


def _always() -> bool:
    """Somebody may listen."""
    return True
