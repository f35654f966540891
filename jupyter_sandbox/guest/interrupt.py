"""The guest's side of hang detection: says which callback runs, and breaks it when the manager asks.

While a slice runs, a timer ticks. A tick that finds a callback at work which
was not there before marks its start on the heartbeat page; so a callback that
ends in time costs nothing, and a slow slice of many short callbacks is no hang.

SIGUSR1 raises HandlerTimeout in the callback that is running, and only there:
never in the node's own code, which it would leave half done. SIGUSR2 writes
all stacks to stderr, from C, so even a callback stuck in C shows where.
"""

from __future__ import annotations

import faulthandler
import signal
from types import FrameType
from typing import Final, Protocol

from ..runtime import Node
from ..runtime.process import Process

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


class HandlerTimeout(BaseException):
    """A callback ran longer than ``handler_budget``. No Exception, so that ``except Exception`` does not hide it."""


class Interrupter:
    """Put ``begin`` and ``end`` around everything that may run user code."""

    def __init__(self, guest: Watched, heartbeat: Heartbeat) -> None:
        self.guest, self.heartbeat = guest, heartbeat
        self._seen = -1
        """The step that a tick found at work."""
        self._wanted = -1
        """The step that is to be broken."""
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

    def _tick(self, number: int, frame: FrameType | None) -> None:
        node = self.guest.node
        current, step = node.current, node.step_number
        if current is None:
            return
        if step != self._seen:
            self._seen = step
            self.heartbeat.say(*self.guest.whose(current))
            self.heartbeat.enter(current.number)
        elif step == self._wanted:
            self._break(frame)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        node = self.guest.node
        if node.current is None:
            return
        self._wanted = node.step_number
        if self._wanted == self._seen:
            self._break(frame)

    def _break(self, frame: FrameType | None) -> None:
        if in_user_code(frame):
            self._wanted = -1
            raise HandlerTimeout("the callback ran longer than handler_budget allows")
        signal.setitimer(signal.ITIMER_REAL, _RETRY_S, _TICK_S)


def in_user_code(frame: FrameType | None) -> bool:
    """Whether a frame is none of this package's."""
    return frame is not None and not str(frame.f_globals.get("__name__", "")).startswith(_OURS)
