"""The guest's side of hang detection: says which callback runs, and breaks it when the manager asks.

While a slice runs, a timer ticks. A tick that finds a callback at work which
was not there before marks its start on the heartbeat page; so a callback that
ends in time costs nothing, and a slow slice of many short callbacks is no hang.
So does the top level of a module that is loaded; what is done for a load between
two of them is our work, and as long as it goes on no hang. So does what a request
has the user's code do while no process runs (``aside``).

SIGUSR1 raises HandlerTimeout in the user's code that is running, and only there:
never in the node's own code, which it would leave half done. SIGUSR2 writes all
stacks to stderr, from C, so even a callback stuck in C shows where.
"""

from __future__ import annotations

import faulthandler
import signal
from types import FrameType
from typing import Final, Protocol

from ..isolation.heartbeat import CODE_CHANGE, IMPORTS
from ..runtime import Node
from ..runtime.process import Process
from .aside import Aside, HandlerTimeout

_OURS: Final = __name__.rpartition("guest.")[0]
_TICK_S: Final = 0.05
_RETRY_S: Final = 0.001


class Heartbeat(Protocol):
    """Where the manager sees what the guest is doing: the writer that ``isolation`` makes."""

    def enter(self, process_number: int) -> None: ...

    def say(self, name: str, mark: int) -> None: ...

    def words(self, text: str) -> None: ...

    def leave(self) -> None: ...

    def counted(self, lived: int, waited: int) -> None: ...


class Watched(Protocol):
    """What may run user code: a guest. Its node is looked up each time, because a spare gets another one."""

    @property
    def node(self) -> Node: ...

    def whose(self, process: Process) -> tuple[str, int]: ...

    @property
    def importing(self) -> tuple[str, int] | None: ...

    @property
    def aside(self) -> Aside: ...

    def at_its_own_work(self, frame: FrameType | None) -> bool: ...

    def broke(self) -> None: ...


_Work = tuple[int, int]
"""What is at work: a step with its process, the top level of a module, or something aside for a request."""
_NOTHING: Final[_Work] = (-1, -1)
_ASIDE: Final = -2


class Interrupter:
    """Put ``begin`` and ``end`` around everything that may run user code."""

    def __init__(self, guest: Watched, heartbeat: Heartbeat) -> None:
        self.guest, self.heartbeat = guest, heartbeat
        self._seen = _NOTHING
        """What a tick found at work."""
        self._wanted = _NOTHING
        """What is to be broken."""
        self._installed = False

    def install(self) -> None:
        """Take the signals; only the main thread of an OS process can."""
        if not hasattr(signal, "SIGUSR1"):
            return
        signal.signal(signal.SIGUSR1, self._asked)
        signal.signal(signal.SIGALRM, self._tick)
        faulthandler.register(signal.SIGUSR2, file=2, all_threads=True)
        self._installed = True

    def uninstall(self) -> None:
        """Let go of the signals: for a rehearsal, whose OS process goes on."""
        if self._installed:
            self._installed = False
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def begin(self) -> None:
        """User code may run from here on."""
        self.heartbeat.enter(0)
        if self._installed:
            signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)

    def end(self) -> None:
        """No user code runs any more."""
        if self._installed:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        node = self.guest.node
        self.heartbeat.counted(max(node.most_processes, node.living, 0), node.longest if node.process_spawns else 0)
        self.heartbeat.leave()

    def changes(self) -> None:
        """A process is about to change to new code, beside its callbacks: told at once, for what hangs below Python
        before the first tick is told by nobody."""
        current = self.guest.node.current
        if current is not None:
            self._seen = self._at_work()
            self.heartbeat.say(self.guest.whose(current)[0], CODE_CHANGE)
            self.heartbeat.enter(current.number)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        work = self._at_work()
        if work is _NOTHING:
            if self.guest.at_its_own_work(frame):
                self.heartbeat.enter(0)
        elif work != self._seen:
            self._seen = work
            self._say(work)
        elif work == self._wanted:
            self._break(frame)

    def _at_work(self) -> _Work:
        """What code of the user's runs; there is some that nobody can be blamed for, and that is not broken."""
        current = self.guest.node.current
        if current is not None:
            return self.guest.node.step_number, current.number
        importing = self.guest.importing
        if importing is not None:
            return IMPORTS, importing[1]
        aside = self.guest.aside.number
        return (_ASIDE, aside) if aside else _NOTHING

    def _say(self, work: _Work) -> None:
        current, importing = self.guest.node.current, self.guest.importing
        if current is not None:
            self.heartbeat.say(*self.guest.whose(current))
            self.heartbeat.enter(current.number)
        elif importing is not None:
            self.heartbeat.say(f"module {importing[0]}", 0)
            self.heartbeat.enter(IMPORTS)
        else:
            self.heartbeat.say("", 0)
            self.heartbeat.enter(0)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        work = self._at_work()
        if work is _NOTHING:
            return
        self._wanted = work
        if work == self._seen:
            self._break(frame)

    def _break(self, frame: FrameType | None) -> None:
        if in_user_code(frame):
            self._wanted = _NOTHING
            self.guest.broke()
            raise HandlerTimeout(self._too_long())
        signal.setitimer(signal.ITIMER_REAL, _RETRY_S, _TICK_S)

    def _too_long(self) -> str:
        if self.guest.node.current is not None:
            return "the callback ran longer than handler_budget allows"
        if self.guest.importing is not None:
            return "the top level of the module ran longer than it may"
        return "code of a value's class ran longer than handler_budget allows"


def in_user_code(frame: FrameType | None) -> bool:
    """Whether a frame is none of this package's."""
    return frame is not None and not str(frame.f_globals.get("__name__", "")).startswith(_OURS)
