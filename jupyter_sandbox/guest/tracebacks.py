"""Tracebacks as people want them: the lines of their own code, without the machinery in between."""

from __future__ import annotations

import importlib
import linecache
from collections.abc import Callable, Iterable
from types import TracebackType

from ..model.anatomy import own_name, traceback_of
from ..model.errors import Diagnostic
from ..model.exits import Frame, told_frames
from ..runtime import crashes
from . import refusals

_HIDDEN = (*crashes.HIDDEN, str(importlib.__file__).rpartition("__init__")[0])
"""Ours, and all of Python's import machinery."""
_MAX_TEXT = 2_000


def user_frames(traceback: TracebackType | None) -> tuple[Frame, ...]:
    """Frames that are neither ours nor Python's import machinery, oldest first."""
    return crashes.user_frames(traceback, _HIDDEN)


def frame_lines(frames: Iterable[Frame]) -> list[str]:
    """Frames as Python prints them, with the source line where it is known."""
    lines: list[str] = []
    for line, frame in told_frames(frames):
        source = source_line(frame.file, frame.line) if frame is not None else ""
        lines += [line, f"    {source}"] if source else [line]
    return lines


def source_line(file: str, line: int) -> str:
    """One line of user code as it was loaded; '' when it came without source."""
    return linecache.getline(file, line).strip()[:500]


def error_lines(error: BaseException, said: str | None = None, *, causes: int = 3) -> list[str]:
    """A traceback of the user's frames, with at most ``causes`` causes before it: a chain may be a ring. ``said`` is
    its text, where it was asked for already."""
    lines: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and causes > 0:
        between = "which led to:" if error.__cause__ else "While that was handled, this happened:"
        lines = [*error_lines(cause, causes=causes - 1), "", between, ""]
    frames = frame_lines(user_frames(traceback_of(error)))
    return [*lines, "Traceback (most recent call last):", *frames, *_marked(error), one_line(error, said)]


def _marked(error: BaseException) -> list[str]:
    """Where a syntax error is: it has no frame of its own."""
    if not isinstance(error, SyntaxError) or error.filename is None:
        return []
    return [f'  File "{error.filename}", line {error.lineno}', f"    {(error.text or '').strip()[:500]}"]


def one_line(error: BaseException, said: str | None = None) -> str:
    """``TypeError: unsupported operand``; safe with a hostile ``__str__``, which ``said`` has answered already."""
    text, name = crashes.text_of(error) if said is None else said, own_name(type(error))
    return (f"{name}: {text}" if text else name)[:_MAX_TEXT] + hint(text, lambda: user_frames(traceback_of(error)))


def hint(text: str, frames: Callable[[], Iterable[Frame]] = tuple) -> str:
    """What to do about a message of Python's that would puzzle people in a sandbox; ``frames`` are the user's."""
    if text == "no running event loop":
        return "; other people's coroutines go through the door: `await self.outside(...)`"
    if text == "attempted relative import with no known parent package":
        return "; its folder is the top here: import without the dot, or load the folder above it"
    return refusals.hint(text, lambda: [source_line(frame.file, frame.line) for frame in frames()])


def diagnostic_of(error: BaseException) -> Diagnostic | None:
    """Where in the user's code an exception arose."""
    frames = user_frames(traceback_of(error))
    if not frames:
        return None
    last = frames[-1]
    source = linecache.getline(last.file, last.line).rstrip()
    column = len(source) - len(source.lstrip()) + 1
    return Diagnostic(last.file, last.line, column, one_line(error), source[:500])
