"""Signals from the manager: break a callback that runs too long, and dump where every thread is.

SIGUSR1 raises HandlerTimeout in the callback that is running, and only there:
never in the node's own code, which it would leave half done. SIGUSR2 writes
all stacks to stderr, from C, so even a callback stuck in C shows where.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from types import FrameType

from ..runtime import Node

_OURS = __name__.rpartition("guest.")[0]
_RETRY_S = 0.001
_STILL_S = 0.05
"""How long one callback must be seen at work after other callbacks of the same slice ended before it is blamed."""


class HandlerTimeout(BaseException):
    """A callback ran longer than ``handler_budget``. No Exception, so that ``except Exception`` does not hide it."""


class Interrupter:
    """Installs the handlers. ``begin`` marks a slice; a callback is blamed only if it is the one that stands still."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._slice_step = 0
        self._suspect = -1

    def install(self) -> None:
        """Take SIGUSR1 and SIGUSR2; only the main thread of an OS process can."""
        if not hasattr(signal, "SIGUSR1"):
            return
        signal.signal(signal.SIGUSR1, self._asked)
        signal.signal(signal.SIGALRM, self._look_again)
        faulthandler.register(signal.SIGUSR2, file=sys.stderr, all_threads=True)

    def begin(self) -> None:
        """A slice begins with the next step."""
        self._slice_step = self.node.step_number + 1

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._suspect = self.node.step_number
        if self._suspect == self._slice_step:
            self._look_again(number, frame)
        else:
            signal.setitimer(signal.ITIMER_REAL, _STILL_S)

    def _look_again(self, number: int, frame: FrameType | None) -> None:
        if self.node.current is None or self.node.step_number != self._suspect:
            return
        if _in_user_code(frame):
            self._suspect = -1
            raise HandlerTimeout("the callback ran longer than handler_budget allows")
        signal.setitimer(signal.ITIMER_REAL, _RETRY_S)


def _in_user_code(frame: FrameType | None) -> bool:
    return frame is not None and not str(frame.f_globals.get("__name__", "")).startswith(_OURS)
