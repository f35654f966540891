"""One guest in the manager's hand: its OS process, its channel and its output. What is seen of it is ``lookout``'s.

A handle is made by ``launch`` and ended by ``retire``, exactly once whatever
happens in between; it never decides about the sandbox it belongs to.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ..isolation import brief
from ..isolation.aside import in_thread
from ..isolation.code_places import with_code_places
from ..isolation.guest_process import GuestProcess
from ..isolation.layers import processor_seconds
from ..isolation.leftovers import end_all
from ..isolation.profiles import demand
from ..isolation.recheck import verify_from_outside
from ..isolation.seclusion import seclude
from ..isolation.shortage import unwatched
from ..model.boot import Boot
from ..model.errors import LaunchFailed, SandboxBusy, SandboxGone, Unsupported, UsageError
from ..model.given import MOST
from ..model.harmless import ending, visible
from ..model.limits import Limits
from ..model.protection import Protection
from ..wire.messages import Answer, Begin, Ready, Request
from .errands import GuestErrands, errands_of
from .hearing import Hearing
from .held import Held
from .last_end import CLOSED_CHANNEL, Left, in_words
from .link import ENDING, LOST, GuestLink, Pushed
from .lookout import Lookout, Question
from .output import TAIL_BYTES, OutputPump
from .stacks import FAULT
from .throttle import Alerts
from .whose import told_by
from .zygotes import FlavourZygote

A = TypeVar("A", bound=Answer)
READY_S, READY_LOOKS = 10.0, 10
EXIT_S = 0.5
PROGRAMS_END_S = 3.0
"""How long its programs may take to end after it; in all but ``basic`` and ``off`` they end at once."""
ENDING_S = 0.1
"""How long the end of a guest may take to be known; only who is about to be refused waits for it."""
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
        self._errands = errands = GuestErrands(errands_of(asyncio.get_running_loop()))
        self.link = GuestLink(
            lambda frame: self._listener.on_push(self, told_by(self._name, frame)),
            lambda text: self._listener.on_broken(self, text),
            self._lost,
            lambda: not self.process.heartbeat.rests,
        )
        self.link.name = name
        self.limits = limits
        """Those that it was given last, in full or not: some cannot be moved while it runs."""
        self._max_memory, self._max_runtime, max_output = limits.max_memory, limits.max_runtime, limits.max_output
        (stdout, stderr), send = process.give_pipes(), errands.send
        self.stdout = OutputPump(stdout, max_output, lambda *told: self._printed("stdout", *told), send)
        self.stderr = OutputPump(stderr, max_output, lambda *told: self._printed("stderr", *told), send)
        self.protection: Protection | None = None
        self.lookout = Lookout(process, errands, Hearing(process, self.link))
        process.send = lambda act: send(act, _ignore)
        self.met_memory = False
        """Whether it said, since its last sample, that it had no memory left."""
        self.held = Held()
        """What it told of its main before it took over."""
        self.alerts = Alerts()
        self.retired = ""
        self.status = ""
        """How the OS process ended, once it has."""
        self.left = Left()
        """What it left behind then."""
        self.burial: asyncio.Task[None] | None = None
        """Goes on after it was retired, until nothing of it is left; some seconds, where it takes its time to end."""
        self._losing: asyncio.Task[None] | None = None
        self._dump_from = 0
        self._end = asyncio.get_running_loop().create_task(self._watch_end())

    @classmethod
    async def launch(cls, zygote: FlavourZygote, boot: Boot, listener: Listener, generation: int) -> GuestHandle:
        """Fork a guest and wait until it is ready; once more when its zygote dies meanwhile and takes it along.

        Raises LaunchFailed; leaves nothing behind then.
        """
        process = await zygote.fork(boot)
        try:
            return await cls._launched(process, boot, listener, generation)
        except LaunchFailed:
            if not process.cause:
                raise
        return await cls._launched(await zygote.fork(boot), boot, listener, generation)

    @classmethod
    async def _launched(
        cls, process: GuestProcess, boot: Boot, listener: Listener, generation: int
    ) -> GuestHandle:  # fmt: skip
        try:
            handle = cls(generation, process, listener, boot.limits, name=boot.name)
        except BaseException:
            process.kill()
            process.close()
            raise
        try:
            await handle._become_ready(boot)
        except BaseException as error:
            said = ending(handle.stderr.tail.text().strip(), 500) if handle.retired == "" else ""
            handle.retire("it did not become ready")
            if isinstance(error, SandboxGone | TimeoutError):
                raise LaunchFailed(_not_ready(error, said)) from None
            if isinstance(error, OSError):
                raise LaunchFailed(f"another sandbox cannot be watched: {unwatched(error)}") from None
            raise
        return handle

    async def _become_ready(self, boot: Boot) -> None:
        try:
            await self._admit(boot)
        except SandboxGone as gone:
            raise SandboxGone(await self._how_it_ended(str(gone))) from None

    async def _admit(self, boot: Boot) -> None:
        self.stdout.begin()
        self.stderr.begin()
        await self.link.open(self.process.control)
        ready = await self._heard()
        self.protection = await self._errands.fetch(lambda: self._from_outside(ready.protection, boot))
        try:
            demand(boot, self.protection)
        except Unsupported:
            if await self._ends():
                raise SandboxGone(LOST) from None
            raise
        self.protection = with_code_places(seclude(self.process, self.protection), boot.openings)
        self.process.alone = self.process.filtered and not boot.openings.subprocess
        self.lookout.begin()

    def _from_outside(self, told: Protection, boot: Boot) -> Protection:
        """By somebody sent: whoever looks for an OS process that nobody has looked at yet may have to wait."""
        found = verify_from_outside(self.process.pid, told, boot)
        self.process.filtered = found.has("seccomp")
        self.process.look_up()
        return found

    async def _heard(self) -> Ready:
        """Its first words. Where other threads keep the kernel from looking, what has come meanwhile is in time.

        Raises TimeoutError.
        """
        for _ in range(READY_LOOKS):
            await asyncio.wait([self.link.ready], timeout=READY_S / READY_LOOKS)
            if self.link.ready.done():
                return self.link.ready.result()
            for shared in ("", os.path.dirname(self.process.scratch)):
                # It may wait in a queue that somebody else makes: there, or before the folder of all sandboxes.
                self._errands.send(partial(brief.look_for_nobody, shared), _ignore)
        raise TimeoutError

    async def _ends(self) -> bool:
        """Whether that no layer is in force any more has its end for a reason, and not the machine."""
        done, _ = await asyncio.wait([self._end], timeout=ENDING_S)
        return bool(done) or self.process.has_ended()

    # --- a spare ----------------------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether it can still be asked for anything."""
        return not self.status and not self.retired and not self.process.has_ended()

    def begin(self, boot: Boot, listener: Listener, generation: int) -> bool:
        """A spare becomes the guest of a sandbox, or ends and says False: it cannot be given that much memory."""
        try:
            self.limits, self._max_runtime = boot.limits, boot.limits.max_runtime
            self.process.move_processor_limit(processor_seconds(boot.limits))  # down, which nobody is refused
            if self.limit(boot.limits):
                self.retire("it cannot have the memory that was asked for")
                return False
            self.link.begin(lambda number: Begin(id=number, boot=boot))
        except (SandboxGone, UsageError) as error:  # it has ended, or could not read what it is to become
            self.retire(str(error))
            return False
        self.generation, self._listener, self._name = generation, listener, boot.name
        self.link.name = boot.name
        self.lookout.begin()
        return True

    def _printed(self, stream: str, text: str, dropped: int) -> None:
        self._listener.on_output(self, stream, text, dropped)

    # --- asking -----------------------------------------------------------------------------------------------------

    async def ask(self, make: Callable[[int], Request], answer: type[A], timeout_s: float | None = ASK_S) -> A:
        """See ``GuestLink.ask``. When the guest ends instead of answering, SandboxGone says how it ended."""
        self.lookout.asked()
        open_now, asked = self.lookout.open, 0

        def noted(number: int) -> Request:
            nonlocal asked
            asked, request = number, make(number)
            open_now[number] = Question(request, time.monotonic_ns())
            return request

        try:
            return told_by(self._name, await self.link.ask(noted, answer, timeout_s))
        except SandboxGone as gone:
            raise SandboxGone(await self._how_it_ended(str(gone))) from None
        finally:
            open_now.pop(asked, None)

    def tell(self, make: Callable[[int], Request]) -> None:
        """Ask for something without waiting; a guest that is gone need not hear it."""
        self.lookout.asked()
        try:
            self.link.tell(make)
        except SandboxGone:
            return

    async def _how_it_ended(self, otherwise: str) -> str:
        """The channel closes a moment before the OS process is reaped, and only the latter knows the exit status."""
        if self.retired:
            return self.retired
        if otherwise == ENDING or self.link.broken:  # it may have ended itself as well, and in good order
            return otherwise
        if self._losing is not None:  # who is told that it is gone finds the sandbox as that, too
            await asyncio.wait([self._losing])
        else:
            await asyncio.wait([self._end], timeout=EXIT_S)
        return f"its OS process ended with {self.status}" if self.status else otherwise

    def renew_output(self) -> None:
        """A new cell may print its share again, and raise every alert anew."""
        self.alerts = Alerts()
        self.stdout.tail.renew()
        self.stderr.tail.renew()

    async def tell_output(self) -> None:
        """Tell what was printed until now."""
        await self.stdout.told()
        await self.stderr.told()

    def _drain_output(self) -> None:
        """Tell what was printed until its end."""
        self.stdout.drain()
        self.stderr.drain()

    # --- limits -------------------------------------------------------------------------------------------------------

    def limit(self, limits: Limits) -> tuple[str, ...]:
        """Apply what is kept outside the guest; the names of those that the operating system does not let be moved."""
        for pump in (self.stdout, self.stderr):
            pump.tail.allow(limits.max_output)
        kept = []
        more = limits.max_memory - self._max_memory
        if not more or self.process.move_memory_limit(more):
            self._max_memory = limits.max_memory
        else:
            kept.append("max_memory")
        if limits.max_runtime > self._max_runtime:  # below it, the watchdog stops it sooner
            if self.process.move_processor_limit(processor_seconds(limits)):
                self._max_runtime = limits.max_runtime
            else:
                kept.append("max_runtime")
        return tuple(kept)

    def processor_ms(self) -> int:
        """Processor time of all its threads, also after its end; -1 when it cannot be asked.

        That all of what it may have is used up the operating system finds out by another clock, of whole ticks.
        """
        ran_ns, how = self.process.processor_ns(), self.process.exit_status
        used_up = how is not None and how.by_processor_time
        least = processor_seconds(Limits(max_runtime=self._max_runtime)) * 1_000 if used_up else -1
        return min(max(ran_ns // 1_000_000, least), MOST)

    @property
    def limits_files(self) -> bool:
        """Whether the operating system limits how many files it has open."""
        return self.protection is None or self.protection.has("rlimits")

    def ask_for_dump(self) -> None:
        """Have the guest write to stderr where it is stuck; ``dump`` reads it later."""
        self._dump_from = self.stderr.tail.total
        self.stderr.tail.sieve.expect()
        self.process.dump()

    def dump(self) -> str:
        """What was written since ``ask_for_dump``, bounded."""
        return ending(self.stderr.tail.text(self._dump_from), TAIL_BYTES)

    # --- the end ----------------------------------------------------------------------------------------------------

    async def _watch_end(self) -> None:
        status = await self.process.wait()
        self.stderr.read()
        self.stderr.tail.withhold(FAULT.encode())  # it is told as the reason
        self._drain_output()
        self.link.read_rest()
        self.left = self._left()
        self.status = in_words(status, self.left)
        if self.process.cause:
            self.status += f": {self.process.cause}, and its sandboxes with it"
        if not self.retired:
            self._listener.on_exit(self, self.status)

    def _left(self) -> Left:
        """What there is to be read after its end."""
        page = self.process.heartbeat
        return Left(page.words(), not page.rests, self.lookout.whose(page.read()), visible(self.stderr.tail.text()))

    def _lost(self) -> None:
        self._losing = asyncio.get_running_loop().create_task(self._end_or_break())

    async def _end_or_break(self) -> None:
        """A guest that closed its channel and lives on can never be asked again; how one ended, its zygote tells."""
        done, _ = await asyncio.wait([self._end], timeout=EXIT_S)
        ended = self.process.has_ended()
        if ended and not done:
            done, _ = await asyncio.wait([self._end], timeout=PROGRAMS_END_S)
        if not done and not self.retired:
            why = "its OS process has ended, and the sandbox launcher does not say how" if ended else CLOSED_CHANNEL
            self._listener.on_broken(self, why)

    def retire(self, why: str) -> None:
        """Kill it and release everything. Idempotent; never waits."""
        if self.retired:
            return
        self.retired = why
        self.process.kill()
        self._drain_output()
        self.link.close(why)
        self.stdout.close()
        self.stderr.close()
        # Twice: who is cancelled with the loop before it began cleans nothing up.
        self._end.add_done_callback(lambda _: self.process.close())
        self.burial = asyncio.get_running_loop().create_task(self._bury())

    async def _bury(self) -> None:
        """Wait until the OS process is gone, then release its files: until then it could still write them."""
        try:
            done, _ = await asyncio.wait([self._end], timeout=PROGRAMS_END_S)
            if not done:  # its zygote does nothing: who else started it has to see to it
                with suppress(LaunchFailed):  # no thread is to be had
                    await in_thread(lambda: end_all([self.process], PROGRAMS_END_S))
            if not done and not self.process.has_ended():
                await asyncio.wait([self._end], timeout=READY_S - PROGRAMS_END_S)
        finally:
            self.process.close()


def _not_ready(error: SandboxGone | TimeoutError | SandboxBusy, said: str) -> str:
    why = f"was not ready within {READY_S:g} s" if isinstance(error, TimeoutError) else f"did not become ready: {error}"
    return f"the OS process of the sandbox {why}{': ' + said if said else ''}; try again, or see %sandbox info"
