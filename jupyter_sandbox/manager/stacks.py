"""Reads the stacks that a stuck or dying guest wrote to its stderr: where the user's code is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_FRAME = re.compile(r'  File "(.{1,500})", line (\d{1,9}) in (.{1,200})')
_THREAD = re.compile(r"(?:(?:Current thread|Thread) 0x[0-9a-f]+ .*|Stack )\(most recent call first\):")
"""One thread of several, or the only one that is told."""
_STACKS = re.compile(
    r"^(?:(?:Current thread|Thread) 0x[0-9a-f]{1,16} .{0,200}\(most recent call first\):\n(?:  .{0,800}\n){0,200}\n?)+",
    re.MULTILINE,
)
_NOT_THE_USERS = re.compile(r"/jupyter_sandbox/|/lib(?:32|64)?/python\d|/(?:site|dist)-packages/|^<frozen ")
_MOST = 40


@dataclass(frozen=True, slots=True)
class Place:
    """One line of a stack."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line} in {self.function}"


def stack_in(dump: str, *, beside: bool = False) -> list[Place]:
    """The frames of the current thread, innermost first; those of the user where there are any.

    Where there are none, or ``beside`` is true, those of another thread that has some.

    >>> dump = 'Current thread 0x01 (most recent call first):\\n  File "cell", line 2 in spin\\n'
    >>> [str(place) for place in stack_in(dump)]
    ['cell line 2 in spin']
    """
    stacks = _stacks_in(dump)
    current = [one for one in stacks if one.current] or stacks
    if not current:
        return []
    others = [_of_the_user(one.frames) for one in stacks if not one.current]
    other = next((frames for frames in others if frames), [])
    frames = current[-1].frames
    return (other if beside else []) or _of_the_user(frames) or other or frames


class _Stack(NamedTuple):
    current: bool
    frames: list[Place]


def _stacks_in(dump: str) -> list[_Stack]:
    found: list[_Stack] = []
    follows = False
    for line in dump.split("\n"):  # as it is written; splitlines would end one wherever a name of the guest's says so
        frame = _FRAME.match(line) if follows else None
        if frame is not None:
            found[-1].frames.append(Place(frame[1], int(frame[2]), frame[3]))
            continue
        follows = _THREAD.match(line) is not None
        if follows:
            found.append(_Stack(line.startswith("Current"), []))
    return [_Stack(one.current, _without_our_start(one.frames)) for one in found]


def _of_the_user(frames: list[Place]) -> list[Place]:
    return [frame for frame in frames if not _is_ours(frame)]


def _is_ours(frame: Place) -> bool:
    return _NOT_THE_USERS.search(frame.file) is not None


def _without_our_start(frames: list[Place]) -> list[Place]:
    """Below everything lies the text that started the OS process, which has no file of ours; ours called nobody's."""
    match frames:
        case [*above, ours, Place(file="<string>", function="<module>")] if "/jupyter_sandbox/" in ours.file:
            return [*above, ours]
        case _:
            return frames


def without_stacks(text: str) -> str:
    """What a guest printed, without the stacks that it was asked to write among it: they are told in other words.

    >>> without_stacks('hi\\nCurrent thread 0x01 (most recent call first):\\n  File "cell", line 2 in spin\\nho\\n')
    'hi\\nho\\n'
    """
    return _STACKS.sub("", text)


def as_traceback(frames: list[Place]) -> tuple[str, ...]:
    """The frames as Python prints them, the innermost last."""
    if not frames:
        return ()
    told = [f'  File "{one.file}", line {one.line}, in {one.function}' for one in reversed(frames[:_MOST])]
    return ("Traceback (most recent call last):", *told)
