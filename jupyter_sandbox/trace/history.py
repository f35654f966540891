"""The restart history: each decision of a supervisor with its cause, as the supervisor itself wrote it down."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Final

from ..model.exits import CallFailed, Crash, told_frames
from ..model.reasons import kind_of, said
from ..model.text import short_text
from ..model.views import WhyView

_CALLBACKS: Final = (
    "handle_info", "handle_call", "handle_cast", "handle_info", "handle_info", "handle_info", "handle_continue",
    "a system message", "init",
)  # fmt: skip
"""The callback that handles each kind of mailbox entry, by the kind's number."""
_NOT_RAISED: Final = frozenset({"bad_return_from_state_function"})
"""Reasons that come with a stack in OTP though nothing was raised."""
_TIMEOUT: Final = 5
"""The kind of a behaviour's own timeout, whose payload only the runtime can read."""
_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class _Crash:
    """What was being handled when a process crashed."""

    message: str
    callback: str
    state: str


class History:
    """Remembers the newest crashes and decisions.

    It is told by ``crashed``, ``exited`` and ``decided`` and asked by ``why``.
    """

    def __init__(self) -> None:
        self._crashes: dict[str, _Crash] = {}
        self._entries: deque[WhyView] = deque(maxlen=_KEPT)
        self._unread = 0

    def crashed(self, pid: str, entry: Any, state: Any) -> None:
        """A behaviour crashed while it handled ``entry``."""
        if len(self._crashes) >= _KEPT:
            del self._crashes[next(iter(self._crashes))]
        message = ""
        if isinstance(entry, tuple) and len(entry) == 3:
            message = "its timeout" if entry[0] == _TIMEOUT else short_text(entry[1], 200)
        callback = _CALLBACKS[entry[0]] if message else "its main function"
        self._crashes[pid] = _Crash(message if callback != "init" else "", callback, short_text(state, 200))

    def decided(self, where: WhyView, pid: str, reason: Any) -> None:
        """A supervisor decided about a child that exited; ``where`` says all but the cause."""
        crash = self._crashes.pop(pid, None)
        self._unread = min(self._unread + 1, _KEPT)
        self._entries.append(
            replace(
                where,
                reason=said(reason, 300),
                cause=_cause(reason, crash),
                message=crash.message if crash is not None else "",
                traceback=traceback_lines(reason),
            )
        )

    def settled(self, key: str, state: str) -> None:
        """The restarted child is up again with this state."""
        for index in range(len(self._entries) - 1, -1, -1):
            if self._entries[index].key == key:
                self._entries[index] = replace(self._entries[index], state_after=state)
                return

    def take_unread(self) -> list[WhyView]:
        """The decisions since last asked, oldest first."""
        fresh = list(self._entries)[len(self._entries) - self._unread :]
        self._unread = 0
        return fresh

    def why(self, names: tuple[str, ...], limit: int) -> list[WhyView]:
        """The newest decisions about any of these keys, ids or names, newest first; all of them without names."""
        wanted = set(names)
        found = [entry for entry in reversed(self._entries) if not names or _known_as(entry) & wanted]
        return found[:limit]


def _known_as(entry: WhyView) -> set[str]:
    return {entry.key, entry.key.rpartition("/")[2], entry.name}


def _cause(reason: Any, crash: _Crash | None) -> str:
    """``TypeError in handle_call at FILE line 9``, or the reason itself where nothing was raised."""
    if isinstance(reason, CallFailed):
        return f"uncaught {said(reason, 200)}"
    if crash is not None and kind_of(reason) == ("bad_return_value", 2):
        if reason[1] is None:
            return f"{crash.callback} returned None: a `return` or a `case` is missing"
        return f"{crash.callback} returned {short_text(reason[1], 200)}, which means nothing there"
    if isinstance(reason, str):
        return reason[:200]
    if not isinstance(reason, Crash):
        return f"exit {said(reason, 200)}"
    if reason.error in _NOT_RAISED:
        return said(reason, 200)
    where = "" if crash is None else f" in {_callback(reason, crash)}"
    frame = reason.frames[-1] if reason.frames else None
    at = f" at {frame.file} line {frame.line}" if frame is not None else ""
    return f"{reason.error}{where}{at}"


def _callback(reason: Crash, crash: _Crash) -> str:
    """What was called: a state machine's is called like its state, which only the traceback knows."""
    functions = [frame.function for frame in reason.frames]
    return crash.callback if not functions or crash.callback in functions else functions[0]


def traceback_lines(reason: Any) -> tuple[str, ...]:
    """The user's frames of a crash, as ``file:line in function`` lines, and the error; empty for other reasons."""
    while isinstance(reason, CallFailed):
        reason = reason.reason
    if not isinstance(reason, Crash) or reason.error in _NOT_RAISED:
        return ()
    return (*(line for line, _ in told_frames(reason.frames)), repr(reason))
