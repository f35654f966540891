"""Exit reasons are values. Here is the one a Python exception turns into, and whether a reason is a crash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

NORMAL = "normal"
SHUTDOWN = "shutdown"
KILL = "kill"
KILLED = "killed"
NOPROC = "noproc"


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a user's traceback: file as compiled (a cell's name for a cell), 1-based line, function."""

    file: str
    line: int
    function: str


AND_SO_ON = "  [and so on: the line above calls itself again and again]"
_SAME = 3
"""So often a frame is told that follows itself."""


def told_frames(frames: Iterable[Frame]) -> Iterator[tuple[str, Frame | None]]:
    """Frames as Python prints them, without their source lines; of an endless recursion the first ones.

    >>> [line for line, _ in told_frames([Frame("cell", 2, "f")])]
    ['  File "cell", line 2, in f']
    """
    for frame, same in groupby(frames):
        times = sum(1 for _ in same)
        yield from [(f'  File "{frame.file}", line {frame.line}, in {frame.function}', frame)] * min(times, _SAME)
        if times > _SAME:
            yield AND_SO_ON, None


@dataclass(frozen=True, slots=True)
class Crash:
    """The exit reason of a process whose callback raised: Erlang's ``{Reason, Stack}``.

    ``value`` is what the exception carried (its only argument, or the tuple of
    them) as far as that is plain data, so that a supervisor or a test can match it.
    """

    error: str
    text: str
    value: object = None
    frames: tuple[Frame, ...] = ()

    def __repr__(self) -> str:
        return f"{self.error}: {self.text}" if self.text else self.error


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The exit reason of a process that did not catch a failed call: Erlang's ``{Reason, {gen_server, call, _}}``."""

    reason: object
    target: str
    function: str = "call"

    def __repr__(self) -> str:
        return f"({self.reason!r}, {self.function} to {self.target})"


def is_normal(reason: object) -> bool:
    """Whether a transient child with it is left alone and no crash report is due (``supervisor``, ``proc_lib``).

    >>> is_normal(("shutdown", "maintenance")), is_normal("boom")
    (True, False)
    """
    if type(reason) is tuple:
        return len(reason) == 2 and type(reason[0]) is str and reason[0] == SHUTDOWN
    return reason in (NORMAL, SHUTDOWN) if type(reason) is str else False


@dataclass(frozen=True, slots=True)
class Unawaited:
    """Stands in a reason for a coroutine or generator that was returned and not waited for: those cannot be copied.

    >>> Unawaited("<coroutine object Top.start_link>")
    <coroutine object Top.start_link>
    """

    text: str

    def __repr__(self) -> str:
        return self.text
