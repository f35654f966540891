"""Turns a Python exception into the exit reason a process dies with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

from ..model.anatomy import own_name, traceback_of
from ..model.exits import CallFailed, Crash, Frame
from ..model.text import short_text
from .exceptions import CallExit, ProcessExit, Throw
from .isolate import ATOMIC, isolate

HIDDEN: Final = (__file__.rsplit("runtime", 1)[0], "<frozen importlib")
"""Ours, and Python's import machinery."""
_MAX_FRAMES: Final = 50
_NOT_SHOWN: Final = "<its text cannot be shown>"


def exit_reason(error: BaseException) -> object:
    """The reason a process that did not catch ``error`` exits with.

    ``self.exit(r)`` gives r, an uncaught failed call ``CallFailed``, anything
    else a ``Crash`` with the frames of the user's code. Never raises.
    """
    try:
        return _reason_of(error)
    except BaseException:  # an exception of the user's may run code wherever it is looked at
        return Crash(own_name(type(error)), _NOT_SHOWN, None, user_frames(traceback_of(error)))


def tellable(copied: Callable[[Any], Any], reason: Any) -> Any:
    """The reason that can be told of a process that ends with this one: its copy, or a Crash with why there is none.

    Copying runs what the value's class says, which may raise or have to be interrupted: so the reason is copied before
    anything of the end is done, and a process does not stay half ended. Never raises.

    >>> def copied(reason):
    ...     raise ValueError("not today")
    >>> tellable(copied, ["a list"])
    ValueError: not today (while ['a list'] was copied)
    """
    if type(reason) in ATOMIC:
        return reason
    try:
        return copied(reason)
    except BaseException as error:
        why = exit_reason(error)
        found = why if type(why) is Crash else Crash(own_name(type(error)), short_text(why, 80))
        return replace(found, text=f"{found.text} (while {short_text(reason, 80)} was copied)")


def _reason_of(error: BaseException) -> object:
    if isinstance(error, ProcessExit):
        return error.reason
    if isinstance(error, CallExit):
        return CallFailed(error.exit_reason, error.target, error.function)
    if isinstance(error, Throw):
        value = ("nocatch", _plain(error.value))
        return Crash("nocatch", short_text(error.value), value, user_frames(traceback_of(error)))
    value = error.args[0] if len(error.args) == 1 else error.args
    return Crash(own_name(type(error)), _bounded(text_of(error)), _plain(value), user_frames(traceback_of(error)))


def user_frames(traceback: TracebackType | None, hidden: tuple[str, ...] = HIDDEN) -> tuple[Frame, ...]:
    """The frames of a traceback of the user's code, oldest first, at most the newest 50."""
    # The chain leads from the oldest to the newest, and may have a million: all but those that are told are passed by.
    newest: deque[TracebackType] = deque(maxlen=_MAX_FRAMES)
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(hidden):
            newest.append(traceback)
        traceback = traceback.tb_next
    return tuple(_frame(one) for one in newest)


def _frame(traceback: TracebackType) -> Frame:
    code = traceback.tb_frame.f_code
    return Frame(code.co_filename, traceback.tb_lineno, code.co_name)


def text_of(error: BaseException) -> str:
    """What an exception says; safe with a hostile ``__str__``."""
    try:
        return str(error)
    except BaseException:  # user code: it may raise anything, and the error must still be told
        return _NOT_SHOWN


def _bounded(text: str) -> str:
    return text if len(text) <= 2_000 else text[:2_000] + "…"


def _plain(value: object) -> object:
    if type(value) in ATOMIC:
        return value
    try:
        return isolate(value)
    except BaseException:  # it cannot be copied, or its own code for that had to be interrupted
        return short_text(value)
