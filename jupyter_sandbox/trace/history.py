"""The restart history: each decision of a supervisor with its cause, as the supervisor itself wrote it down."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Final

from ..model.exits import CallFailed, Crash, Frame
from ..model.reasons import said
from ..model.text import short_text
from ..model.views import WhyView

_CALLBACKS: Final = (
    "handle_info", "handle_call", "handle_cast", "handle_info", "handle_info", "handle_info", "handle_continue",
    "a system message", "init",
)  # fmt: skip
"""The callback that handles each kind of mailbox entry, by the kind's number."""
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
        message = short_text(entry[1], 200) if isinstance(entry, tuple) and len(entry) == 3 else ""
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
        """The newest decisions about any of these keys or names, newest first; all of them without names."""
        found = [entry for entry in reversed(self._entries) if not names or {entry.key, entry.name} & set(names)]
        return found[:limit]


def _cause(reason: Any, crash: _Crash | None) -> str:
    """``TypeError in handle_call at FILE line 9``, or the reason itself where nothing was raised."""
    if isinstance(reason, CallFailed):
        return f"uncaught {short_text(reason, 200)}"
    match reason:
        case ("bad_return_value", value) if crash is not None:
            return f"{crash.callback} returned {short_text(value, 200)}, which means nothing there"
        case str():
            return reason[:200]
    if not isinstance(reason, Crash):
        return f"exit {said(reason, 200)}"
    where = f" in {crash.callback}" if crash is not None else ""
    frame = reason.frames[-1] if reason.frames else None
    at = f" at {frame.file} line {frame.line}" if frame is not None else ""
    return f"{reason.error}{where}{at}"


def traceback_lines(reason: Any) -> tuple[str, ...]:
    """The user's frames of a crash, as ``file:line in function`` lines, and the error; empty for other reasons."""
    while isinstance(reason, CallFailed):
        reason = reason.reason
    if not isinstance(reason, Crash):
        return ()
    return (*(_line(frame) for frame in reason.frames), f"{reason.error}: {reason.text}")


def _line(frame: Frame) -> str:
    return f'  File "{frame.file}", line {frame.line}, in {frame.function}'
