"""What a callback leaves behind that ends the whole OS process with ``os._exit``: who did it.

Nothing else would tell: no handler runs any more, no event is sent. Only the
exit itself is watched; ending by a signal leaves what it leaves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from .interrupt import Heartbeat, Watched, in_user_code


class LastWords:
    """Between ``install`` and ``uninstall``, ``os._exit`` in a callback is written on the heartbeat page."""

    def __init__(self, guest: Watched, heartbeat: Heartbeat) -> None:
        self._guest, self._heartbeat = guest, heartbeat
        self._exit: Callable[[int], NoReturn] = os._exit
        self._pid = os.getpid()

    def install(self) -> None:
        """Watch from now on."""
        self._exit, self._pid = os._exit, os.getpid()

        def _exit(status: int) -> NoReturn:
            if os.getpid() == self._pid:  # a child that user code forked is not the sandbox
                self._say()
            self._exit(status)

        _exit.__module__, _exit.__qualname__ = "os", "_exit"  # a snapshot saves it by this name, like the system's own
        os._exit = _exit

    def uninstall(self) -> None:
        """The exit is the system's own again."""
        os._exit = self._exit  # type: ignore[assignment]

    def _say(self) -> None:
        current = self._guest.node.current
        if current is None:
            return
        callback, (whose, _) = _callback(), self._guest.whose(current)
        where = f"{callback} of {whose}" if callback.isidentifier() else whose
        self._heartbeat.words(f"os._exit in {where}")


def _callback() -> str:
    """The outermost function of the user: the callback that the node called."""
    frame, name = sys._getframe(3), ""
    while in_user_code(frame):
        name, following = frame.f_code.co_name, frame.f_back
        if following is None:
            break
        frame = following
    return name
