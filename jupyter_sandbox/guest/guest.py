"""A sandbox's inside: one node, its code, its clock, and the requests that are waiting for it. Knows no socket.

``handle`` takes a request, ``turn`` lets the node run for a slice. Both leave
frames to be sent with ``emit``, which is given at construction. Whoever drives
it owns the waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..model.anatomy import own_name
from ..model.boot import Boot
from ..model.code import ModuleCode
from ..model.errors import InternalError, LocalProtocolError, SnapshotError, UsageError
from ..model.ids import Pid
from ..model.views import StepView
from ..otp import Node
from ..runtime import LoadCode, OutsideDone, RunResult
from ..runtime.crashes import text_of
from ..runtime.process import Process
from ..wire import messages as m
from . import snapshot
from .aside import Aside, HandlerTimeout
from .capture import Capture
from .cells import Cells
from .clock import NodeClock
from .code_server import CodeServer
from .failures import failed
from .journal_room import JournalRoom, size_of
from .pending import Pending
from .reporter import Reporter
from .surroundings import Surroundings
from .watching import Watching

Emit = Callable[[Any], None]
Push = Callable[[Any], bool]
Handlers = dict[type[m.Request], Callable[[Any, Any], None]]

CLIENTS = "jupyter_sandbox.guest.clients:"
OTP_CLIENTS = "jupyter_sandbox.otp.client:"
CELL = "jupyter_sandbox.guest.cell:run"
_SLICE_NS = 5_000_000
"""A slice should last about this long, so that a request never waits longer behind a busy node."""
_MAX_SLICE = 4_096


class Guest:
    """Everything inside one sandbox. ``read_ns`` is a monotonic clock, ``emit`` sends an answer, ``push`` news."""

    def __init__(self, boot: Boot, emit: Emit, push: Push, read_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.emit, self.push, self.read_ns = emit, push, read_ns
        self.wake: Callable[[], None] = lambda: None
        self.on_begin: Callable[[Boot], None] = lambda boot: None
        """Told when a spare has become a sandbox."""
        self.on_move: Callable[[], None] = lambda: None
        """Told when a process is about to change to new code, and is the one at work."""
        self.reseed: Callable[[int], object] = lambda seed: None
        """Seeds the generators that were made in this OS process before it was a sandbox."""
        self.aside = Aside()
        self._set_up(boot)
        self.surroundings = Surroundings(*self._surrounded())

    def _set_up(self, boot: Boot) -> None:
        self.boot = boot
        self.clock = NodeClock(self.read_ns(), virtual=boot.clock == "virtual")
        # ``push`` changes when a spare gets its channel.
        self.reporter = Reporter(
            lambda frame: self.push(frame), None if boot.capture is None else frozenset(boot.capture)
        )  # fmt: skip
        self.node = Node(sink=self.reporter.sink, **_facts(boot))
        self.reporter.node = self.node
        self.capture = Capture(boot.capture or (), self.node, self.reporter.log)
        self.code = CodeServer(self.node)
        self.code.install()
        self.code.on_load = self._loaded
        self.code.on_move = lambda: self.on_move()
        self.watching = Watching(self)
        self.paused = False
        self.leaving = False
        self.start = b""
        """The snapshot that the journal begins with, if any."""
        self.lost: tuple[str, ...] = ()
        """What modules held when the journal began anew, and that snapshot has not."""
        self.since = 0
        """The step that the log begins with: what was before it happened in another guest."""
        self.brought: list[ModuleCode] = []
        """Modules for the load that is to come."""
        self.cells = Cells()
        self.pending = Pending(self)
        self._slice = 64
        self.journal_room = JournalRoom(boot.limits.max_memory)
        self._outside: Any = None

    def _renew(self, boot: Boot) -> None:
        """The same with less to make: in a node where nothing has happened, only its facts are others."""
        self.boot = boot
        self.journal_room.max_memory = boot.limits.max_memory
        self.clock = NodeClock(self.read_ns(), virtual=boot.clock == "virtual")
        self.node.become(**_facts(boot))
        self.node.loader = self.code.load

    def _loaded(self, text: str) -> None:
        self.reporter.code_loaded(text)
        self.capture.look_again()

    def _surrounded(self) -> tuple[Node, Callable[[str], bool], int]:
        """Whom the surroundings serve, and when its time began."""
        return self.node, self.code.finder.modules.__contains__, time.time_ns()

    def begin(self, boot: Boot) -> None:
        """A spare in which nothing ever ran becomes this sandbox, as if it had been forked for it.

        Raises InternalError for any other guest.
        """
        if not self.boot.spare or self.node.step_number or self.code.finder.modules:
            raise InternalError("only a spare guest can begin; please report it")
        if boot.capture is None:
            self._renew(boot)
        else:
            self.code.uninstall()
            self._set_up(boot)
        self.surroundings.serve(*self._surrounded())
        self.on_begin(boot)

    # --- requests ---------------------------------------------------------------------------------------------------

    def handle(self, request: m.KernelFrame) -> None:
        """Carry out one request; its answer is emitted now or after some turns."""
        from .dispatch import dispatch  # the handlers need Guest

        self.journal_room.take(len(getattr(request, "args", b"")))
        try:
            dispatch(self, request)
        except (Exception, HandlerTimeout) as error:  # whatever went wrong, the request is answered
            self.refuse(request, error)

    def refuse(self, request: m.Request, error: BaseException) -> None:
        """Answer a request with an error, which may be that of a limit."""
        with self.aside:
            answer, text = failed(request.id, error, sandbox=self.node.name), text_of(error)
        try:
            self.emit(answer)
        except LocalProtocolError:
            if isinstance(error, MemoryError):  # the answer was as good as sent: its loss is told as what it is
                raise error from None
            raise
        what = f"the request {type(request).__name__} failed"
        self.reporter.refused(what, own_name(type(error)), text, self.node.name)

    def must_run(self, what: str, instead: str = "") -> None:
        """Refuse what needs steps while nothing takes any. Raises UsageError (paused)."""
        if self.paused:
            name = self.node.name
            hint = f"{what} needs steps and sandbox {name!r} is paused; let it go on first: %sandbox resume {name}"
            raise UsageError(hint + (f". Or {instead}" if instead else ""), kind="paused")

    def whose(self, process: Process) -> tuple[str, int]:
        """A process in the words people know it by, and the request whose cell it runs (0: none)."""
        return self.cells.told(process)

    @property
    def importing(self) -> tuple[str, int] | None:
        """The module whose code runs at its top level, if one does, and a number that is its own in this turn."""
        finder = self.code.finder
        return (finder.running[-1], finder.turns) if finder.running else None

    def broke(self) -> None:
        """What is at work is being interrupted: a replay would not know where, so the journal has to begin after it."""
        current, importing = self.node.current, self.importing
        if current is not None:
            self.journal_room.broke(self.whose(current)[0], self.node.step_number)
        elif importing is not None:
            self.journal_room.broke(f"module {importing[0]}", self.node.step_number)

    def at_its_own_work(self, frame: FrameType | None) -> bool:
        """Whether modules are being loaded and no code of theirs is on the stack: that is no hang of anybody's."""
        held = self.code.finder.modules
        if not self.code.loading:
            return False
        while frame is not None:
            if frame.f_globals.get("__name__") in held:
                return False
            frame = frame.f_back
        return True

    # --- time -------------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Take no more steps and stop the clock."""
        self.clock.pause(self.read_ns())
        self.paused = True

    def resume(self) -> None:
        """Go on from where time stopped."""
        self.clock.resume(self.read_ns())
        self.paused = False

    def step(self) -> StepView | None:
        """One step, told. When only timers wait, time jumps to the next deadline. None when nothing can ever run."""
        self._admit_outside()
        view = self.node.step(self.now_ms())
        if view is None:
            deadline = self.node.next_deadline()
            if deadline is not None:
                self.clock.jump(deadline, self.read_ns())
                view = self.node.step(self.now_ms())
        self.settle()
        return view

    # --- running ----------------------------------------------------------------------------------------------------

    def turn(self) -> RunResult:
        """Take in what was done outside, run a slice unless paused, and answer what is ready."""
        self._admit_outside()
        result = RunResult(0, None, True) if self.paused else self._run_slice()
        self.settle()
        if self.node.journal is not None and self.journal_room.due(len(self.node.journal), self.read_ns):
            self._shorten_journal()
        return result

    def settle(self) -> None:
        """After steps: hand out outside work, send answers."""
        for work in self.node.take_outside():
            self.start_outside(work)
        self.pending.settle()

    def _run_slice(self) -> RunResult:
        began = self.read_ns()
        result = self.node.run(self.clock.now_ms(began), self._slice)
        took = self.read_ns() - began
        if took > 2 * _SLICE_NS:
            self._slice = max(1, self._slice // 4)
        elif took < _SLICE_NS and result.steps == self._slice:
            self._slice = min(_MAX_SLICE, self._slice * 2)
        jumps = self.clock.virtual and not self.outside_pending
        if result.idle and jumps and result.next_deadline_ms is not None:
            self.clock.jump(result.next_deadline_ms, began)
        return result

    def now_ms(self) -> int:
        """The node's time at this moment."""
        return self.clock.now_ms(self.read_ns())

    def _shorten_journal(self) -> None:
        """It would grow for ever, or cannot be run again as it is. Put off while something runs."""
        assert self.node.journal is not None
        began = self.read_ns()
        try:
            self.begin_journal()
        except (SnapshotError, HandlerTimeout):
            now = self.read_ns()
            self.journal_room.put_off(len(self.node.journal), now, now - began)

    def begin_journal(self) -> None:
        """Let the journal begin with a snapshot of now. Raises SnapshotError, HandlerTimeout where none can be had."""
        with self.aside:
            taken = snapshot.take(self.node, self.code, self.reporter.app)
        self.start, self.lost = taken.blob, taken.lost
        self.node.begin_journal()
        self.journal_room.begin(self.node.step_number)

    # --- outside ----------------------------------------------------------------------------------------------------

    @property
    def outside_pending(self) -> int:
        """Pieces of work in progress outside."""
        return 0 if self._outside is None else int(self._outside.pending)

    def start_outside(self, work: Any) -> None:
        """Begin work that a process asked for."""
        if self._outside is None:
            from .outside import Outside  # loads threads and asyncio, which most sandboxes never need

            self._outside = Outside(lambda: self.wake())
        self._outside.start(work)

    def _admit_outside(self) -> None:
        if self._outside is None:
            return
        done: OutsideDone
        for done in self._outside.take():
            self.journal_room.take(size_of(done.value))
            self.node.admit(done)

    # --- after a restore or a replay --------------------------------------------------------------------------------

    def begin_from(self, blob: bytes) -> tuple[str, ...]:
        """Fill this fresh guest from a snapshot. Its journal begins here. Returns which values it could not have."""
        saved = snapshot.opened(blob)
        self.code.on_load = lambda text: None  # it belongs to the step of the snapshot, not to step 0
        self.node.admit(LoadCode(saved.bundle, {}))
        self.code.on_load = self._loaded
        with self.aside:
            snapshot.restore(self.node, self.code, saved)
        self.capture.look_again()
        self.start, self.since = blob, self.node.step_number
        self.lost = ()  # they are here as they will be in each replay
        self.node.begin_journal()
        self.journal_room.begin(self.node.step_number)
        self.reporter.app = saved.app
        self.clock.jump(self.node.now_ms, self.read_ns())
        held = snapshot.held_of(saved)
        return () if held is None else held.lost

    def tell_loaded(self) -> None:
        """The modules of a snapshot were loaded just now."""
        for name in self.code.last.modules:
            self.reporter.code_loaded(f"{name} version {self.code.table.number(name)}")

    def close(self) -> None:
        """Let go of threads and of the import hook."""
        if self._outside is not None:
            self._outside.close()
        self.surroundings.uninstall()
        self.code.uninstall()


def _facts(boot: Boot) -> dict[str, Any]:
    return {
        "name": boot.name, "seed": boot.seed, "isolation": boot.isolation,
        "max_processes": boot.limits.max_processes, "max_mailbox": boot.limits.max_mailbox,
    }  # fmt: skip


def pid_text(value: Any) -> str:
    """A pid as requests name it."""
    return repr(value) if isinstance(value, Pid) else ""
