"""Reads the stacks that a stuck or dying guest wrote to its stderr: where the user's code is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_FRAME = re.compile(r'  File "(.{1,500})", line (\d{1,9}) in (.{1,200})')
_THREAD = re.compile(r"(?:(?:Current thread|Thread) 0x[0-9a-f]+ .*|Stack )\(most recent call first\):")
"""One thread of several, or the only one that is told."""
_HEAD = re.compile(rb"(?:Current thread|Thread) 0x[0-9a-f]{1,16} [^\n]{0,200}\(most recent call first\):\n")
_HEADS = (b"Current thread 0x", b"Thread 0x")
_BELOW = re.compile(
    rb'(?:  (?:File "[^\n]{1,6000}", line (?:\d{1,9}|\?\?\?) in [^\n"]{1,6000}|\.\.\.|<[^\n]{1,60}>'
    rb"|Garbage-collecting)\n)*"
)
"""What stands below a head. Names have 500 characters at most, of which one may be told in ten."""
FAULT = "Fatal Python error: "
"""Begins what Python's fault handler writes of a thread that dies."""
_MOST_HELD = 20_000
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

    Where there are none, or ``beside`` is true, those of another thread that has some. Who was asked to write a dump
    is any thread, mostly one that runs: then the current one is that which we started, if it is among them.

    >>> dump = 'Current thread 0x01 (most recent call first):\\n  File "cell", line 2 in spin\\n'
    >>> [str(place) for place in stack_in(dump)]
    ['cell line 2 in spin']
    """
    stacks = _stacks_in(dump)
    if not dump.startswith(FAULT):
        stacks = _ours_is_current(stacks)
    current = [one for one in stacks if one.current] or stacks
    if not current:
        return []
    others = [_of_the_user(one.frames) for one in stacks if not one.current]
    other = next((frames for frames in others if frames), [])
    frames = current[-1].frames
    return (other if beside else []) or _of_the_user(frames) or other or frames


def hangs_beside(dump: str, *, waits: bool) -> bool:
    """Whether what hangs is another thread than the current one, which waits: code of the user's runs there, and here
    it does not, or ``waits`` for the other's sake.

    >>> hangs_beside('Thread 0x02 (most recent call first):\\n  File "cell", line 2 in spin\\n', waits=True)
    True
    """
    stacks = _ours_is_current(_stacks_in(dump))
    elsewhere = any(_of_the_user(one.frames) for one in stacks if not one.current)
    return elsewhere and (waits or not any(_of_the_user(one.frames) for one in stacks if one.current))


class _Stack(NamedTuple):
    current: bool
    frames: list[Place]
    started_by_us: bool = False


def _ours_is_current(stacks: list[_Stack]) -> list[_Stack]:
    ours = any(one.started_by_us for one in stacks)
    return [one._replace(current=one.started_by_us) for one in stacks] if ours else stacks


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
    return [_without_our_start(one) for one in found]


def _of_the_user(frames: list[Place]) -> list[Place]:
    return [frame for frame in frames if not _is_ours(frame)]


def _is_ours(frame: Place) -> bool:
    return _NOT_THE_USERS.search(frame.file) is not None


def _without_our_start(stack: _Stack) -> _Stack:
    """Below everything lies the text that started the OS process, which has no file of ours; ours called nobody's."""
    match stack.frames:
        case [*above, ours, Place(file="<string>", function="<module>")] if "/jupyter_sandbox/" in ours.file:
            return _Stack(stack.current, [*above, ours], started_by_us=True)
        case _:
            return stack


class StackSieve:
    """Keeps the stacks that a guest was asked to write from what it prints: they are told in other words.

    They are written bit by bit, so that the end of one is seen only when something else comes. What only looks like
    the beginning of one is kept back until it is seen to be none.

    >>> sieve = StackSieve()
    >>> sieve.expect()
    >>> sieve.passed(b'hi\\nCurrent th'), sieve.passed(b'read 0x01 (most recent call first):\\n  File "cell", li')
    (b'hi\\n', b'')
    >>> sieve.passed(b'ne 2 in spin\\nho\\n')
    b'ho\\n'
    """

    def __init__(self) -> None:
        self._expected = self._inside = False
        self._held = b""

    def expect(self) -> None:
        """Those of all threads are to come, once."""
        self._expected = True

    def passed(self, data: bytes) -> bytes:
        """What of that, and of what was kept back, is the guest's own."""
        if not (self._expected or self._inside):
            return data
        data, self._held = self._held + data, b""
        own = b""
        if not self._inside:
            head = _HEAD.search(data)
            if head is None:
                return self._without_beginning(data)
            own, data = data[: head.start()], data[head.end() :]
            self._expected, self._inside = False, True
        return own + self._below(data)

    def rest(self) -> bytes:
        """What was kept back and is the guest's own, when no more is to be waited for."""
        held, self._held = self._held, b""
        cut = self._inside or any(word in held for word in _HEADS)
        return b"" if cut else held

    def _without_beginning(self, data: bytes) -> bytes:
        at = min(_begins(data, word) for word in _HEADS)
        if len(data) - at > _MOST_HELD:
            return data
        self._held = data[at:]
        return data[:at]

    def _below(self, data: bytes) -> bytes:
        """After a head: its frames, and those of more threads, behind an empty line each."""
        while True:
            below = _BELOW.match(data)
            data = data[below.end() :] if below is not None else data
            head = _HEAD.match(data, 1) if data.startswith(b"\n") else None
            if head is None:
                break
            data = data[head.end() :]
        if _may_go_on(data):
            self._held = data
            return b""
        self._inside = False
        return self.passed(data)


def _begins(data: bytes, word: bytes) -> int:
    """Where the last line may begin a head; the length of all when it does not."""
    line = data.rfind(b"\n") + 1
    at = data.find(word, line)
    if at >= 0:
        return at
    for size in range(min(len(word) - 1, len(data) - line), 0, -1):
        if data.endswith(word[:size]):
            return len(data) - size
    return len(data)


def _may_go_on(data: bytes) -> bool:
    """Whether this is the beginning of what could stand below a head."""
    if len(data) > _MOST_HELD or b"\n" in data[1:]:
        return False
    if data.startswith(b"\n"):
        return any(data[1:].startswith(word) or word.startswith(data[1:]) for word in _HEADS)
    return data.startswith(b"  ") or b"  ".startswith(data)  # nothing at all, too


def as_traceback(frames: list[Place]) -> tuple[str, ...]:
    """The frames as Python prints them, the innermost last."""
    if not frames:
        return ()
    told = [f'  File "{one.file}", line {one.line}, in {one.function}' for one in reversed(frames[:_MOST])]
    return ("Traceback (most recent call last):", *told)
