"""What is seen of one guest from outside, without asking it: the watchdog's eyes, and what they have seen so far.

A lookout belongs to a handle for as long as that lasts. It reads and remembers; it never judges (``watch`` does),
signals or kills.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from ..isolation.guest_process import GuestProcess, Rest
from ..isolation.heartbeat import CODE_CHANGE, IMPORTS, Beat
from ..model.harmless import name
from ..model.limits import DISK_FILES, Holdings, Limits
from ..wire.messages import Call, Execute, Request
from .claimed_end import ClaimedEnd
from .errands import GuestErrands
from .hearing import Hearing, Looks
from .watch import KEPT, Reading, Watched

LONG_NS = 100_000_000
NAME = 200


class Question(NamedTuple):
    """What a guest was asked for, and when on ``time.monotonic_ns``."""

    request: Request
    asked_ns: int


class Lookout:
    """On one OS process. Memory and run time of a sandbox are what comes on top of the moment of ``begin``."""

    def __init__(self, process: GuestProcess, errands: GuestErrands, hearing: Hearing) -> None:
        self._process, self._errands, self._hearing = process, errands, hearing
        self.ready_ns = 0
        """When it could begin to compute."""
        self.imports = False
        """Whether modules are being loaded into it."""
        self.watched = Watched()
        self.judged: tuple[int, Holdings, Limits] | None = None
        """Memory and holdings at the last reading, and the limits they were judged by."""
        self.most = 0
        """Memory at its most, as it was known at the last reading."""
        self.ran_ns = -1
        """Processor time that it had used when its holdings were looked at; -1 before that."""
        self._all_seen = False
        """Whether that look left nothing out."""
        self._since_ns, self._looks = 0, Looks()
        self._looking = self._looking_at_folder = False
        self._kept = ""
        """How it kept those who were sent to look at it for too long, in words."""
        self._held = Holdings()
        self._claimed_end = ClaimedEnd()
        self.open: dict[int, Question] = {}
        """What it was asked for and has not answered, as long as somebody waits for that."""

    def begin(self) -> None:
        """Count from here; from now on it may compute."""
        self._process.step_back()
        self._process.take_baseline()
        self.ready_ns = time.monotonic_ns()

    def asked(self) -> None:
        """It was asked for something, and may compute for that also when its application has ended."""
        self._claimed_end.questions += 1

    @contextmanager
    def importing(self) -> Iterator[None]:
        """As long as modules are loaded into it, which is not the work of a callback."""
        self.imports = True
        try:
            yield
        finally:
            self.imports = False

    # --- readings ---------------------------------------------------------------------------------------------------

    def look_at_holdings(self) -> None:
        """Have what its folder and its open files hold be read, for the readings that come after: this costs more than
        all the rest, and the guest's threads may keep who does it.

        Who has not been on the processor has changed nothing: it is looked at once more, at everything, and then no
        more until it has been; but for who is connected, whose connections others can fill.
        """
        ran_ns = self._process.processor_ns()
        rested = self._process.alone and ran_ns == self.ran_ns >= 0
        if self._looking:
            self._look_at_folder()
        if self._looking or (rested and self._all_seen):
            return
        self._looking = True
        self._errands.send(
            lambda: self._process.holdings(DISK_FILES, everything=rested), partial(self._looked, ran_ns, rested)
        )

    def _look_at_folder(self) -> None:
        """Of it alone, where somebody is kept who looks at the rest: others can do that, for as long as they like."""
        if not self._looking_at_folder:
            self._looking_at_folder = True
            self._errands.send(partial(self._process.folder, DISK_FILES), self._looked_at_folder)

    def _looked_at_folder(self, found: Holdings | None) -> None:
        self._looking_at_folder = False
        if found is not None and self._looking:  # else what was found since is newer
            self._held = self._held.at_least(found)

    def _looked(self, ran_ns: int, rested: bool, held: Holdings | None) -> None:
        self._looking = False
        if held is not None:
            self._held = held
            self.ran_ns, self._all_seen = ran_ns, rested and not self._process.connected

    def see_errands(self) -> None:
        """Once in a round."""
        if self._errands.kept():
            self.blame(KEPT)

    def blame(self, why: str) -> None:
        """It is to be ended."""
        self._kept = self._kept or why

    @property
    def threads(self) -> int:
        """How many it has now, or had with its programs when it was last looked at."""
        return max(self._process.threads, self._held.threads)

    def reading(self, now_ns: int) -> Reading:
        """What the watchdog judges."""
        self._process.step_back()
        beat = self._process.heartbeat.read()
        grown = self._process.growth()
        self.most = self._process.most_grown
        importing = self.imports and beat.process in (0, IMPORTS)
        whose = self.whose(beat)
        begun_ns = beat.started_ns or min((one.asked_ns for one in self.open.values()), default=0)
        stopped = self._stopped(now_ns, begun_ns)
        deaf_ns = 0 if stopped else self._deaf_since(now_ns, rests=not beat.started_ns)
        if not (beat.started_ns or stopped):
            begun_ns = deaf_ns  # else what it was asked for waits for others
        if begun_ns and not (whose or importing or deaf_ns):
            whose = self._asked_for()
        self._see_whether_it_waits(beat, now_ns)
        return Reading(
            now_ns, (now_ns - self.ready_ns) // 1_000_000, grown, begun_ns, whose, self._held,
            importing=importing, stopped=stopped, headless=self._process.headless, kept=self._kept,
            deaf=deaf_ns > 0, waits=self.waits and not beat.process, most=self.most,
            changing=whose != "" and beat.process != 0 and beat.phase == CODE_CHANGE,
        )  # fmt: skip

    def _see_whether_it_waits(self, beat: Beat, now_ns: int) -> None:
        """Of who is at something for long."""
        if beat.started_ns != self._since_ns:
            self._since_ns, self._looks = beat.started_ns, Looks()
        if beat.started_ns and now_ns - beat.started_ns >= LONG_NS:
            self._looks.saw(self._process.threads > 1 and self._process.waits())

    @property
    def waits(self) -> bool:
        """Whether its first thread, which is at something for long, is mostly found waiting while it has others. One
        that cannot even say what it is at, for which it would be woken, then waits for one that has Python's lock."""
        return self._looks.mostly_waits

    def _deaf_since(self, now_ns: int, *, rests: bool) -> int:
        """Looked at of who is asked for something, and of who did not hear it: who asked may have given up."""
        if self.open or self._hearing.doubtful:
            self._hearing.look(now_ns, rests=rests)
        return self._hearing.deaf_since_ns

    def _asked_for(self) -> str:
        """Whose callback it must be that runs and could not say so: of who answers the one request that is open."""
        match [one.request for one in self.open.values() if isinstance(one.request, Call | Execute)]:
            case [Call(target=target)]:
                return f"whoever answers the call to {name(target, NAME)}"
            case [Execute(file=file)]:
                return f"the cell {name(file, NAME)}"
        return ""

    def _stopped(self, now_ns: int, begun_ns: int) -> bool:
        """Looked at of who seems to be stuck, in a callback or before it came to one: it costs more than all the rest
        of a reading."""
        if not begun_ns or now_ns - begun_ns < LONG_NS:
            return False
        return self._process.stopped

    def timed(self, *, ended: bool) -> bool:
        """Whether its run time counts: it does, unless it has ended, as it says, and does next to nothing since.

        That it has ended is a claim of the guest; what it or a child of it computes is not.
        """
        if not ended:
            self._claimed_end.withdraw()
            return True
        return self._claimed_end.works_on(self._process.processor_ns()) or not self._process.alone

    def whose(self, beat: Beat) -> str:
        """The process of the running callback; '' when it could not say, being stuck in C from the start."""
        return self._process.heartbeat.name() if beat.started_ns and beat.process else ""

    def runs_cell(self, request: int) -> bool:
        """Whether the callback that runs right now is the cell of this Execute request."""
        beat = self._process.heartbeat.read()
        return beat.started_ns != 0 and beat.process != 0 and beat.phase == request

    # --- nothing new ------------------------------------------------------------------------------------------------

    def unchanged(self, now_ns: int, limits: Limits) -> bool:
        """Whether there is nothing new to judge, which is nearly always so: it costs a fifth of a reading."""
        same = self._nothing_runs(now_ns, limits) and self.judged == (self._process.growth(), self._held, limits)
        same = same and self.most == self._process.most_grown
        return same and not self._process.headless  # who has no memory looks like who takes no more

    def rest(self, now_ns: int, limits: Limits) -> Rest | None:
        """How to see that it still rests, when it has not been on the processor since all of it was seen and judged.

        What did not run has written nothing, so its heartbeat need not be read again either.
        """
        judged = self.judged is not None and self.judged[2] is limits
        if not (self._all_seen and judged and self._nothing_runs(now_ns, limits)) or self._process.headless:
            return None
        rest = self._process.rest(self.ran_ns, self.ready_ns + limits.max_runtime * 1_000_000)
        return rest if rest is not None and rest.lasts(now_ns) else None

    def _nothing_runs(self, now_ns: int, limits: Limits) -> bool:
        return (
            self._process.heartbeat.rests
            and not (self.open or self._hearing.doubtful or self._kept)
            and self._process.modest
            and not self.watched.stuck_ns
            and now_ns - self.ready_ns <= limits.max_runtime * 1_000_000
        )
