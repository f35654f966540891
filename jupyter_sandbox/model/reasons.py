"""OTP's reasons for refusing something, in words. Pure; anything unknown is shown as it is, bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .exits import CallFailed, Crash
from .text import short_text

_MAX_DEPTH: Final = 20
_CHILD: Final[dict[Any, str]] = {
    "not_found": "it has no such child",
    "running": "the child is running: terminate_child first",
    "restarting": "the child waits for its next restart",
    "already_present": "it has a stopped child of that id: restart_child starts it, delete_child forgets it",
    "max_children": "it has all the children that it may have",
    "simple_one_for_one": "its children have no ids: give a pid",
}
_FIELDS: Final[dict[str, str]] = {
    "invalid_strategy": "strategy {} is none of one_for_one, one_for_all, rest_for_one, simple_one_for_one",
    "invalid_intensity": "intensity {} is no whole number, 0 or more",
    "invalid_period": "period_s {} is no number of whole seconds, 1 or more",
    "invalid_auto_shutdown": "auto_shutdown {} is none of never, any_significant, all_significant",
    "invalid_max_children": "max_children {} is neither None nor a whole number, 0 or more",
    "invalid_extra_arguments": "extra_arguments {} is no list",
    "invalid_child_spec": "{} is no child: give Child(...), a class, (class, argument) or a mapping",
    "invalid_child_id": "id {} of a child cannot be compared with another",
    "invalid_mfa": "{} is no behaviour that can be started",
    "invalid_restart_type": "restart {} is none of permanent, transient, temporary",
    "invalid_child_type": "type {} is neither worker nor supervisor",
    "invalid_shutdown": 'shutdown_ms {} is neither milliseconds, 0 or more, nor None nor "brutal_kill"',
    "invalid_modules": 'modules {} is neither a list nor "dynamic"',
    "invalid_significant": "significant {} is neither True nor False",
    "invalid_timeout": "timeout_ms {} is neither None nor milliseconds, 0 or more",
    "invalid_backoff": "backoff {} is neither None nor Backoff(first_ms, factor, max_ms)",
    "invalid_keep_state": "keep_state {} is neither True nor False",
    "duplicate_child_name": "two children have the id {}: give each one its own",
    "bad_combination": "these do not go together: {}",
    "bad_start_spec": "the children {} are no list, or not exactly one for simple_one_for_one",
    "bad_return_value": "a callback returned {}, which means nothing there",
    "bad_return_from_init": "init returned {}: a state machine's returns NextState(state, data)",
    "bad_return_from_state_function": "a state function returned {}, which means nothing there",
    "already_started": "{} has the name already",
}  # fmt: skip
_ALONE: Final[dict[Any, str]] = {
    "missing_id": "a child has no id",
    "missing_start": "a child has no class to start: Child(Counter, 0)",
    "noproc": "there is no such process",
    "calling_self": "a process cannot call itself",
    "timeout": "it took too long",
    "ignore": "its init said ignore",
    "killed": "it was killed",
}


def refused(reason: object) -> str:
    """Why a supervisor refused something that was asked about a child.

    >>> refused("not_found"), refused(("already_started", "<0.7.0>"))
    ('it has no such child', "its child of that id runs already: '<0.7.0>'")
    """
    if type(reason) is tuple and len(reason) == 2 and reason[0] == "already_started":
        return f"its child of that id runs already: {short_text(reason[1], 80)}"
    known = _CHILD.get(reason) if isinstance(reason, str) else None
    return known or words(reason, lambda value: short_text(value, 300))


def words(reason: object, show: Callable[[object], str] = lambda value: short_text(value, 200)) -> str:
    """A reason for a reader; ``show`` puts what the user gave into text.

    >>> words(("start_spec", ("invalid_restart_type", "always")))
    "restart 'always' is none of permanent, transient, temporary"
    >>> words(("shutdown", ("failed_to_start_child", "front", "no_database")))
    "its child 'front' failed: 'no_database'"
    """
    parts = []
    for _ in range(_MAX_DEPTH):
        match reason:
            case ("shutdown", ("failed_to_start_child", id, inner)):
                parts.append(f"its child {show(id)} failed")
                reason = inner
            case ("supervisor_data" | "start_spec" | "EXIT", inner):
                reason = inner
            case ("bad_return", (module, str() as callback, value)):
                parts.append(f"{callback} of {getattr(module, '__name__', show(module))} returned {show(value)}")
                return ": ".join(parts)
            case ("bad_return", ((module, str() as callback, _), value)):
                parts.append(f"{callback} of {getattr(module, '__name__', show(module))} returned {show(value)}")
                return ": ".join(parts)
            case ("callback_failed", (_, str()), (_, inner)):
                reason = inner
            case (str() as name, value) if name in _FIELDS:
                return ": ".join([*parts, _FIELDS[name].replace("{}", show(value))])
            case _:
                break
    known = _ALONE.get(reason) if isinstance(reason, str) else None
    return ": ".join([*parts, show(reason) if known is None else known])


def said(reason: object, room: int) -> str:
    """A bad return value, a failed call or a refused state in words, any other reason as the value it is.

    >>> said(CallFailed("calling_self", "front"), 300)
    'call to front failed: a process cannot call itself'
    >>> said(("bad_return_value", 42), 300), said(("shutdown", "maintenance"), 300)
    ('a callback returned 42, which means nothing there', "('shutdown', 'maintenance')")
    """
    match reason:
        case ("bad_return_value" | "bad_return_from_state_function", None):
            return "a callback returned None: a `return` or a `case` is missing"
        case ("unknown_system_msg", ("change_code", *_)):
            return "it is not suspended: `await sys.suspend(...)` first"
        case ("bad_return" | "bad_return_value" | "bad_return_from_init" | "bad_return_from_state_function", _):
            return words(reason, lambda value: short_text(value, room))
        case ("callback_failed", _, _):
            return words(reason, lambda value: short_text(value, room))
        case Crash(error="bad_return_from_state_function", text="None"):
            return "a state function returned None: a `return` or a `case` is missing"
        case Crash(error="bad_return_from_state_function", text=text):
            return _FIELDS[reason.error].replace("{}", text)
        case CallFailed():
            known = _ALONE.get(reason.reason) if isinstance(reason.reason, str) else None
            return f"{reason.function} to {reason.target} failed: {known or said(reason.reason, max(room, 20))}"
        case _:
            return short_text(reason, room)
