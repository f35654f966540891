"""What a callback leaves behind that ends the whole OS process: who did it, and by which call.

Nothing else would tell: no handler runs any more, no event is sent. Watched are
the calls of ``os`` and ``signal`` that end it; an end below Python leaves the
marks of the heartbeat page and the stack that the fault handler writes.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from .interrupt import Heartbeat, Watched, in_user_code

_CALLS: Final[tuple[tuple[Any, str], ...]] = tuple(
    (module, name)
    for module, name in ((os, "_exit"), (os, "abort"), (os, "kill"), (os, "killpg"), (signal, "raise_signal"))
    if hasattr(module, name)
)
_THREADS: Final = frozenset({"threading", "concurrent", "asyncio"})
"""Python's own modules below whatever runs in a thread."""


class LastWords:
    """Between ``install`` and ``uninstall``, a callback that ends the OS process is written on the heartbeat page."""

    def __init__(self, guest: Watched, heartbeat: Heartbeat) -> None:
        self._guest, self._heartbeat = guest, heartbeat
        self._own: list[tuple[Any, str, Callable[..., Any]]] = []
        self._pid, self._thread = os.getpid(), _thread.get_ident()

    def install(self) -> None:
        """Watch from now on."""
        self._pid, self._thread = os.getpid(), _thread.get_ident()
        for module, name in _CALLS:
            own = getattr(module, name)
            self._own.append((module, name, own))
            setattr(module, name, self._watching(module.__name__, name, own))

    def uninstall(self) -> None:
        """The calls are the system's own again."""
        for module, name, own in self._own:
            setattr(module, name, own)
        self._own.clear()

    def _watching(self, module: str, name: str, own: Callable[..., Any]) -> Callable[..., Any]:
        aimed = name in ("kill", "killpg")

        def call(*args: Any, **options: Any) -> Any:
            # A child that user code forked is not the sandbox, and a signal to somebody else is not its end.
            ours = os.getpid() == self._pid and not (aimed and args and args[0] not in (self._pid, 0))
            if ours:
                with suppress(Exception):  # without memory there are no words, and it ends all the same
                    self._heartbeat.words(self._by(f"{module}.{name}"))
            done = own(*args, **options)
            if ours:  # nothing came of it
                self._heartbeat.words("")
            return done

        call.__module__ = module  # a snapshot saves it by this name, like the system's own
        call.__name__ = call.__qualname__ = name
        return call

    def _by(self, call: str) -> str:
        if not in_user_code(sys._getframe(2)):
            return ""
        if _thread.get_ident() != self._thread:  # whoever takes a step meanwhile has nothing to do with it
            return f"{call} in work outside" + (f" ({callback})" if (callback := _callback()).isidentifier() else "")
        current = self._guest.node.current
        if current is None:
            return call
        callback, (whose, _) = _callback(), self._guest.whose(current)
        return f"{call} in {callback} of {whose}" if callback.isidentifier() else f"{call} in {whose}"


def _callback() -> str:
    """The outermost function of the user: the callback that the node called, or what runs in a thread."""
    frame, name = sys._getframe(3), ""
    while in_user_code(frame):
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _THREADS:
            name = frame.f_code.co_name
        following = frame.f_back
        if following is None:
            break
        frame = following
    return name
