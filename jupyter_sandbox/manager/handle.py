"""One guest in the manager's hand: its OS process, its channel, its output, and what the watchdog knows of it.

A handle is made by ``launch`` and ended by ``retire``, exactly once whatever
happens in between; it never decides about the sandbox it belongs to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ..isolation.guest_process import GuestProcess, Rest
from ..isolation.heartbeat import Beat
from ..isolation.importing import with_imports
from ..isolation.layers import processor_seconds
from ..isolation.profiles import demand
from ..isolation.recheck import verify_from_outside
from ..isolation.seclusion import seclude
from ..model.boot import Boot
from ..model.errors import LaunchFailed, SandboxBusy, SandboxGone
from ..model.harmless import visible
from ..model.limits import DISK_FILES, Holdings, Limits
from ..model.protection import Protection
from ..wire.messages import Answer, Begin, Request
from .claimed_end import ClaimedEnd
from .held import Held
from .last_end import FAULT, Left, in_words
from .link import GuestLink, Pushed
from .output import OutputPump
from .pacing import Alerts
from .stacks import without_stacks
from .watch import Reading, Watched
from .whose import told_by
from .zygotes import FlavourZygote

A = TypeVar("A", bound=Answer)
READY_S = 10.0
EXIT_S = 0.5
ASK_S = 10.0
"""How long a guest may take for an answer that no user code is part of."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a handle reports; every function gets the handle first."""

    on_push: Callable[[GuestHandle, Pushed], None]
    on_broken: Callable[[GuestHandle, str], None]
    on_exit: Callable[[GuestHandle, str], None]
    on_output: Callable[[GuestHandle, str, str, int], None]


def _ignore(*_: object) -> None:
    """A trial guest's news is of no interest: its answer says everything."""


DEAF = Listener(_ignore, _ignore, _ignore, _ignore)


class GuestHandle:
    """A launched guest. Made by ``launch`` only."""

    def __init__(
        self, generation: int, process: GuestProcess, listener: Listener, limits: Limits, *, name: str
    ) -> None:  # fmt: skip
        self.generation, self.process, self._listener = generation, process, listener
        self._name = name
        self.link = GuestLink(
            lambda frame: self._listener.on_push(self, told_by(self._name, frame)),
            lambda text: self._listener.on_broken(self, text),
            self._lost,
            lambda: not self.process.heartbeat.rests,
        )
        self._max_memory, self._max_runtime, max_output = limits.max_memory, limits.max_runtime, limits.max_output
        self.stdout = OutputPump(process.stdout_fd, max_output, lambda *told: self._printed("stdout", *told))
        self.stderr = OutputPump(process.stderr_fd, max_output, lambda *told: self._printed("stderr", *told))
        self.protection: Protection | None = None
        self.watched = Watched()
        self.judged: tuple[int, Holdings, Limits] | None = None
        """Memory and holdings at the last reading, and the limits they were judged by."""
        self._held = Holdings()
        self._ran_ns = -1
        """Processor time it had used when its holdings were looked at."""
        self._all_seen = False
        """Whether that look left nothing out."""
        self._alone = False
        """Whether it certainly has no other OS process that could act for it."""
        self._claimed_end = ClaimedEnd()
        self.held = Held()
        """What it told of its main before it took over."""
        self.alerts = Alerts()
        self.retired = ""
        self.status = ""
        """How the OS process ended, once it has."""
        self.left = Left()
        """What it left behind then."""
        self._burial: asyncio.Task[None] | None = None
        self._losing: asyncio.Task[None] | None = None
        self.ready_ns = 0
        self._dump_from, self._dump_asked = 0, False
        self._end = asyncio.get_running_loop().create_task(self._watch_end())

    @classmethod
    async def launch(cls, zygote: FlavourZygote, boot: Boot, listener: Listener, generation: int) -> GuestHandle:
        """Fork a guest and wait until it is ready. Raises LaunchFailed; leaves nothing behind then."""
        process = await zygote.fork(boot)
        try:
            handle = cls(generation, process, listener, boot.limits, name=boot.name)
        except BaseException:
            process.kill()
            process.close()
            raise
        try:
            await handle._become_ready(boot)
        except BaseException as error:
            said = visible(handle.stderr.tail.text()[-500:].strip()) if handle.retired == "" else ""
            handle.retire("it did not become ready")
            if isinstance(error, SandboxGone | TimeoutError):
                raise LaunchFailed(_not_ready(error, said)) from None
            raise
        return handle

    async def _become_ready(self, boot: Boot) -> None:
        await self.link.open(self.process.control)
        async with asyncio.timeout(READY_S):
            ready = await asyncio.shield(self.link.ready)
        self.protection = verify_from_outside(self.process.pid, ready.protection, boot)
        demand(boot, self.protection)
        self.protection = with_imports(seclude(self.process, self.protection), boot.openings)
        filtered = any(layer.name == "seccomp" and layer.verified for layer in self.protection.layers)
        self._alone = filtered and not boot.openings.subprocess
        self._count_from_here()

    def _count_from_here(self) -> None:
        """Memory and run time of the sandbox are what comes on top of this moment; from now on it may compute."""
        self.process.step_back()
        self.process.take_baseline()
        self.ready_ns = time.monotonic_ns()

    # --- a spare ----------------------------------------------------------------------------------------------------

    @property
    def ran_ns(self) -> int:
        """Processor time that it had used when its holdings were looked at; -1 before that."""
        return self._ran_ns

    @property
    def usable(self) -> bool:
        """Whether it can still be asked for anything."""
        return not self.status and not self.retired and not self.process.has_ended()

    def begin(self, boot: Boot, listener: Listener, generation: int) -> bool:
        """A spare becomes the guest of a sandbox, or ends and says False: it cannot be given that much memory."""
        try:
            self._max_runtime = boot.limits.max_runtime
            self.process.move_processor_limit(processor_seconds(boot.limits))  # down, which nobody is refused
            if not self.limit(boot.limits):
                self.retire("it cannot have the memory that was asked for")
                return False
            self.link.begin(lambda number: Begin(id=number, boot=boot))
        except SandboxGone as gone:
            self.retire(str(gone))
            return False
        self.generation, self._listener, self._name = generation, listener, boot.name
        self._count_from_here()
        return True

    def _printed(self, stream: str, text: str, dropped: int) -> None:
        if self._dump_asked and stream == "stderr":
            shown = without_stacks(text)
            self.stderr.tail.cell -= len(text) - len(shown)
            if not shown and not dropped:
                return
            text = shown
        self._listener.on_output(self, stream, text, dropped)

    # --- asking -----------------------------------------------------------------------------------------------------

    async def ask(self, make: Callable[[int], Request], answer: type[A], timeout_s: float | None = ASK_S) -> A:
        """See ``GuestLink.ask``. When the guest ends instead of answering, SandboxGone says how it ended."""
        self._claimed_end.questions += 1
        try:
            return told_by(self._name, await self.link.ask(make, answer, timeout_s))
        except SandboxGone as gone:
            raise SandboxGone(await self._how_it_ended(str(gone))) from None

    def tell(self, make: Callable[[int], Request]) -> None:
        """Ask for something without waiting; a guest that is gone need not hear it."""
        self._claimed_end.questions += 1
        try:
            self.link.tell(make)
        except SandboxGone:
            return

    async def _how_it_ended(self, otherwise: str) -> str:
        """The channel closes a moment before the OS process is reaped, and only the latter knows the exit status."""
        if self.retired:
            return self.retired
        if self.link.broken:  # it may have ended itself as well, and in good order
            return otherwise
        await asyncio.wait([self._end], timeout=EXIT_S)
        return f"its OS process ended with {self.status}" if self.status else otherwise

    def renew_output(self) -> None:
        """A new cell may print its share again, and raise every alert anew."""
        self.alerts = Alerts()
        self.stdout.tail.renew()
        self.stderr.tail.renew()

    def drain_output(self) -> None:
        """Tell what was printed until now."""
        self.stdout.drain()
        self.stderr.drain()

    # --- watching ---------------------------------------------------------------------------------------------------

    def look_at_holdings(self) -> None:
        """Read what its folder and its open files hold, for the next readings: this costs more than all the rest.

        Who has not been on the processor has changed nothing: it is looked at once more, at everything, and then no
        more until it has been.
        """
        ran_ns = self.process.processor_ns()
        rested = self._alone and ran_ns == self._ran_ns >= 0
        if rested and self._all_seen:
            return
        self._ran_ns, self._all_seen = ran_ns, rested
        self._held = self.process.holdings(DISK_FILES, everything=rested)

    def reading(self, now_ns: int) -> Reading:
        """What the watchdog judges."""
        self.process.step_back()
        beat = self.process.heartbeat.read()
        return Reading(
            now_ns, (now_ns - self.ready_ns) // 1_000_000, self.process.growth(), beat.started_ns, self._whose(beat),
            self._held,
        )  # fmt: skip

    def unchanged(self, now_ns: int, limits: Limits) -> bool:
        """Whether there is nothing new to judge, which is nearly always so: it costs a fifth of a reading."""
        return self._nothing_runs(now_ns, limits) and self.judged == (self.process.growth(), self._held, limits)

    def rest(self, now_ns: int, limits: Limits) -> Rest | None:
        """How to see that it still rests, when it has not been on the processor since all of it was seen and judged.

        What did not run has written nothing, so its heartbeat need not be read again either.
        """
        judged = self.judged is not None and self.judged[2] is limits
        if not (self._all_seen and judged and self._nothing_runs(now_ns, limits)):
            return None
        rest = self.process.rest(self._ran_ns, self.ready_ns + limits.max_runtime * 1_000_000)
        return rest if rest is not None and rest.lasts(now_ns) else None

    def timed(self, *, ended: bool) -> bool:
        """Whether its run time counts: it does, unless it has ended, as it says, and does next to nothing since.

        That it has ended is a claim of the guest; what it or a child of it computes is not.
        """
        if not ended:
            self._claimed_end.withdraw()
            return True
        return self._claimed_end.works_on(self.process.processor_ns()) or not self._alone

    def _nothing_runs(self, now_ns: int, limits: Limits) -> bool:
        return (
            self.process.heartbeat.rests
            and self.process.modest
            and not self.watched.stuck_ns
            and now_ns - self.ready_ns <= limits.max_runtime * 1_000_000
        )

    def _whose(self, beat: Beat) -> str:
        """The process of the running callback; '' when it could not say, being stuck in C from the start."""
        return self.process.heartbeat.name() if beat.started_ns and beat.process else ""

    def runs_cell(self, request: int) -> bool:
        """Whether the callback that runs right now is the cell of this Execute request."""
        beat = self.process.heartbeat.read()
        return beat.started_ns != 0 and beat.process != 0 and beat.phase == request

    def limit(self, limits: Limits) -> bool:
        """Apply what is kept outside the guest; False when the operating system does not let it be moved now."""
        self.stdout.tail.budget = self.stderr.tail.budget = limits.max_output
        more = limits.max_memory - self._max_memory
        if more and not self.process.move_memory_limit(more):
            return False
        self._max_memory = limits.max_memory
        if limits.max_runtime > self._max_runtime:
            if not self.process.move_processor_limit(processor_seconds(limits)):
                return False
            self._max_runtime = limits.max_runtime
        return True

    def ask_for_dump(self) -> None:
        """Have the guest write to stderr where it is stuck; ``dump`` reads it later."""
        self._dump_from, self._dump_asked = self.stderr.tail.total, True
        self.process.dump()

    def dump(self) -> str:
        """What was written since ``ask_for_dump``, bounded."""
        self.stderr.drain()
        return visible(self.stderr.tail.text(self._dump_from)[-4000:])

    # --- the end ----------------------------------------------------------------------------------------------------

    async def _watch_end(self) -> None:
        status = await self.process.wait()
        self.stderr.read()
        self.stderr.tail.withhold(FAULT.encode())  # it is told as the reason
        self.drain_output()
        self.left = self._left()
        self.status = in_words(status, self.left)
        if not self.retired:
            self._listener.on_exit(self, self.status)

    def _left(self) -> Left:
        """What there is to be read after its end."""
        page = self.process.heartbeat
        return Left(page.words(), not page.rests, self._whose(page.read()), visible(self.stderr.tail.text()))

    def _lost(self) -> None:
        self._losing = asyncio.get_running_loop().create_task(self._end_or_break())

    async def _end_or_break(self) -> None:
        """A guest that closed its channel and lives on can never be asked again."""
        done, _ = await asyncio.wait([self._end], timeout=EXIT_S)
        if not done and not self.retired:
            self._listener.on_broken(self, "it closed its channel")

    def retire(self, why: str) -> None:
        """Kill it and release everything. Idempotent; never waits."""
        if self.retired:
            return
        self.retired = why
        self.process.kill()
        self.drain_output()
        self.link.close(why)
        self.stdout.close()
        self.stderr.close()
        self._burial = asyncio.get_running_loop().create_task(self.ended())

    async def ended(self) -> None:
        """Wait until the OS process is gone, then release its files: until then it could still write them."""
        try:
            await asyncio.wait([self._end], timeout=READY_S)
        finally:
            self.process.close()


def _not_ready(error: SandboxGone | TimeoutError | SandboxBusy, said: str) -> str:
    text = "the OS process of the sandbox ended before it was ready"
    if isinstance(error, TimeoutError):
        text = f"the OS process of the sandbox was not ready within {READY_S:g} s"
    return f"{text}{': ' + said if said else ''}; try again, or see %sandbox info"
