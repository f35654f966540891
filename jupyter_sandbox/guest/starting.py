"""Why a start failed, on one line: from the main class down to the child whose ``init`` went wrong. Pure."""

from __future__ import annotations

from typing import Any

from ..model.exits import Crash, Unawaited
from ..model.reasons import words
from ..model.text import short_text
from .tracebacks import hint

_MAX_DEPTH = 20


def start_text(who: str, reason: Any) -> str:
    """The story of a failed start.

    >>> start_text("Shop", ("shutdown", ("failed_to_start_child", "front", "no_database")))
    "Shop did not start: its child 'front' failed: 'no_database'"
    """
    parts = [f"{who} did not start" if who else "the start failed"]
    for _ in range(_MAX_DEPTH):
        reason, part = _peeled(reason)
        if part is None:
            break
        parts.append(part)
    return ": ".join(part for part in (*parts, _last(reason)) if part)


def _peeled(reason: Any) -> tuple[Any, str | None]:
    """One layer less of OTP's reason and what it says; None when there is no further layer."""
    match reason:
        case ("shutdown", ("failed_to_start_child", id, inner)):
            return inner, f"its child {short_text(id, 60)} failed"
        case (inner, (_, "start", _)):
            return inner, ""
        case ("bad_return" | "bad_return_value", ((_, str() as callback, _), ("EXIT", inner))):
            return inner, f"its {callback} raised"
        case ("bad_return" | "bad_return_value", ((_, str(), _), "ignore")):
            return _Said("it said ignore"), ""
        case ("bad_return" | "bad_return_value", ((_, str() as callback, _), value)):
            return _Said(f"its {callback} returned {short_text(value, 80)}, which is no process{_forgot(value)}"), ""
        case ("bad_return_value", value):
            return _Said(f"its init returned {short_text(value, 80)}, which means nothing here"), ""
        case ("EXIT", inner):
            return inner, ""
        case _:
            return reason, None


def _forgot(value: Any) -> str:
    """What is missing in front of a call that gives something to wait for."""
    waits = isinstance(value, Unawaited)
    return ": write `async def start` and `return await self.start_link(...)`" if waits else ""


class _Said(str):
    """Words of ours where a reason would stand."""


def _last(reason: Any) -> str:
    match reason:
        case _Said():
            return str(reason)
        case Crash(frames=frames, text=text):
            where = f" ({frames[-1].file} line {frames[-1].line})" if frames else ""
            return f"{short_error(reason)}{where}{hint(text, lambda: frames)}"
        case ("already_started", who):
            return f"{short_text(who, 80)} has its name already; stop that one first or give another name"
        case ("not_started", needed):
            return f"it depends on the application {needed}, which is not running; take it out of its dependencies"
        case "timeout":
            return "it did not come up in time"
        case "ignore":
            return "its init said ignore"
        case _:
            return words(reason, lambda value: short_text(value, 400))


def short_error(crash: Crash) -> str:
    """``ValueError: no such table`` on one line."""
    return " ".join(repr(crash)[:400].split())
