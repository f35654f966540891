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
    "invalid_shutdown": 'shutdown_ms {} is neither milliseconds, 0 to 4294967295, nor None nor "brutal_kill"',
    "invalid_modules": 'modules {} is neither a list nor "dynamic"',
    "invalid_significant": "significant {} is neither True nor False",
    "invalid_timeout": "timeout_ms {} is neither None nor milliseconds, 0 to 4294967295",
    "invalid_backoff": "backoff {} is neither None nor Backoff(first_ms, factor, max_ms), the last at most 4294967295",
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
    if kind_of(reason) == ("already_started", 2):
        return f"its child of that id runs already: {short_text(reason[1], 80)}"  # type: ignore[index]
    known = _CHILD.get(reason) if type(reason) is str else None
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
        if kind_of(reason) == ("shutdown", 2) and kind_of(reason[1]) == ("failed_to_start_child", 3):  # type: ignore[index]
            _, id, reason = reason[1]  # type: ignore[index]
            parts.append(f"its child {show(id)} failed")
            continue
        inner = _inside(reason)
        if inner is None:
            break
        reason = inner[0]
    return ": ".join([*parts, _last_words(reason, show)])


def kind_of(reason: object) -> tuple[str, int] | None:
    """What a tuple says it is, and its length; None for anything else.

    A ``match`` would compare what the user gave, and thereby run its class's own ``__eq__``.
    """
    return (reason[0], len(reason)) if type(reason) is tuple and reason and type(reason[0]) is str else None


def _inside(reason: Any) -> tuple[Any] | None:
    """What a reason that is only a wrapping holds."""
    if _is_of_start(reason):
        return (reason[0],)
    match kind_of(reason):
        case ("supervisor_data" | "start_spec" | "EXIT", 2):
            return (reason[1],)
        case ("callback_failed", 3) if _is_call(reason[1]) and type(reason[2]) is tuple and len(reason[2]) == 2:
            return (reason[2][1],)
        case _:
            return None


def _is_of_start(reason: Any) -> bool:
    """Whether this is why an application did not start: ``{Reason, {Module, start, Arguments}}``."""
    if type(reason) is not tuple or len(reason) != 2:
        return False
    call = reason[1]
    return _is_call(call) and len(call) == 3 and call[1] == "start" and type(call[2]) is tuple


def _is_call(value: Any) -> bool:
    return type(value) is tuple and len(value) in (2, 3) and type(value[1]) is str


def _last_words(reason: Any, show: Callable[[object], str]) -> str:
    match kind_of(reason):
        case ("bad_return", 2) if type(reason[1]) is tuple:
            given = reason[1]
            if len(given) == 2 and _is_call(given[0]) and len(given[0]) == 3:
                given = (*given[0][:2], given[1])
            if len(given) == 3 and type(given[1]) is str:
                module, callback, value = given
                if type(value) is str and value == "ignore":
                    return "it said ignore"
                if kind_of(value) == ("EXIT", 2):
                    return f"its {callback} raised: {show(value[1])}"
                return f"{callback} of {getattr(module, '__name__', show(module))} returned {show(value)}"
        case (name, 2) if name in _FIELDS:
            return _FIELDS[name].replace("{}", show(reason[1]))
    known = _ALONE.get(reason) if type(reason) is str else None
    return show(reason) if known is None else known


def said(reason: object, room: int) -> str:
    """A bad return value, a failed call or a refused state in words, any other reason as the value it is.

    >>> said(CallFailed("calling_self", "front"), 300)
    'call to front failed: a process cannot call itself'
    >>> said(("bad_return_value", 42), 300), said(("shutdown", "maintenance"), 300)
    ('a callback returned 42, which means nothing there', "('shutdown', 'maintenance')")
    >>> said((("shutdown", ("failed_to_start_child", "front", "no_database")), (object, "start", ("normal", 0))), 300)
    "its child 'front' failed: 'no_database'"
    """
    if type(reason) is tuple:
        return _tuple_said(reason, room)
    match reason:
        case Crash(error="bad_return_from_state_function", text="None"):
            return "a state function returned None: a `return` or a `case` is missing"
        case Crash(error="bad_return_from_state_function", text=text):
            return _FIELDS[reason.error].replace("{}", text)
        case CallFailed():
            known = _ALONE.get(reason.reason) if type(reason.reason) is str else None
            return f"{reason.function} to {reason.target} failed: {known or said(reason.reason, max(room, 20))}"
        case _:
            return short_text(reason, room)


_SPECIFIED: Final = (("start_spec", 2), ("supervisor_data", 2))


def _tuple_said(reason: tuple[Any, ...], room: int) -> str:
    kind = kind_of(reason)
    not_started = kind == ("shutdown", 2) and kind_of(reason[1]) == ("failed_to_start_child", 3)
    if not_started or kind in _SPECIFIED or _is_of_start(reason):
        return words(reason, lambda value: short_text(value, room))
    match kind:
        case ("bad_return_value" | "bad_return_from_state_function", 2) if reason[1] is None:
            return "a callback returned None: a `return` or a `case` is missing"
        case ("unknown_system_msg", 2) if (kind_of(reason[1]) or ("", 0))[0] == "change_code":
            return "it is not suspended: `await sys.suspend(...)` first"
        case ("bad_return" | "bad_return_value" | "bad_return_from_init" | "bad_return_from_state_function", 2) | (
            "callback_failed",
            3,
        ):
            return words(reason, lambda value: short_text(value, room))
        case _:
            return short_text(reason, room)
