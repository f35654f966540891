"""Filters of system calls as programs for Linux's packet filter machine. Pure: decisions in, instructions out.

A program sees the number, the machine and the six arguments of a call as
words; it never follows a pointer. It refuses a foreign machine by killing, and
numbers that nobody decided about by "no such call", so that what a newer Linux
brings stays closed.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LOAD, _AND, _EQUAL, _AT_LEAST, _JUMP, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x05, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
ALL_BITS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Allow:
    """The call is made."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call fails with this errno; with 0 it pretends to have worked."""

    errno: int = errno.EPERM


@dataclass(frozen=True, slots=True)
class Match:
    """Whether the low word of an argument, masked, is one of the values; ``whole``: and the high word is zero."""

    argument: int
    values: tuple[int, ...]
    mask: int = ALL_BITS
    whole: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """``then`` if all tests pass, else ``otherwise``, which may ask on."""

    tests: tuple[Match, ...]
    then: Allow | Refuse = Allow()
    otherwise: Allow | Refuse | When = Refuse()


Decision = Allow | Refuse | When
UNKNOWN = Refuse(errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step of the machine; the jumps count the steps to leave out."""

    code: int
    operand: int
    if_true: int = 0
    if_false: int = 0


Program = tuple[Instruction, ...]


def assemble(decisions: Mapping[int, Decision], *, machine: int, foreign_from: int = 0) -> Program:
    """The filter for one machine. Calls of any number without a decision, and of ``foreign_from`` on, do not exist.

    >>> len(assemble({0: Allow()}, machine=0xC000003E))
    8
    """
    head = (
        Instruction(_LOAD, _MACHINE),
        Instruction(_EQUAL, machine, 1, 0),
        Instruction(_RETURN, _KILL),
        Instruction(_LOAD, _NUMBER),
    )
    return head + _search(_ranges(decisions, foreign_from))


def encode(program: Program) -> bytes:
    """As Linux takes it: eight bytes per instruction."""
    return b"".join(struct.pack("=HBBI", one.code, one.if_true, one.if_false, one.operand) for one in program)


def _ranges(decisions: Mapping[int, Decision], foreign_from: int) -> list[tuple[int, Decision]]:
    """First numbers of ranges with the same decision, in order; the last goes on for ever."""
    known = {number: one for number, one in decisions.items() if not foreign_from or number < foreign_from}
    ranges: list[tuple[int, Decision]] = [(0, UNKNOWN)]
    for number in sorted(known.keys() | {number + 1 for number in known}):
        decision = known.get(number, UNKNOWN)
        if number == 0:
            ranges = [(0, decision)]
        elif decision != ranges[-1][1]:
            ranges.append((number, decision))
    return ranges


def _search(ranges: Sequence[tuple[int, Decision]]) -> Program:
    """By halves: a linear search would cost every refused call hundreds of steps."""
    if len(ranges) == 1:
        return _decide(ranges[0][1])
    middle = len(ranges) // 2
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    return (Instruction(_AT_LEAST, ranges[middle][0], 0, 1), Instruction(_JUMP, len(below)), *below, *above)


def _decide(decision: Decision) -> Program:
    if not isinstance(decision, When):
        return (_answer(decision),)
    tests = [part for test in decision.tests for part in _parts(test)]
    length = sum(len(part) + 1 for part in tests)
    steps: list[Instruction] = []
    for part in tests:
        for place, step in enumerate(part):
            # A match goes on behind the other values and the jump for those who match none.
            on = len(part) - place if step.code == _EQUAL else 0
            steps.append(Instruction(step.code, step.operand, on, 0))
        steps.append(Instruction(_JUMP, length - len(steps)))
    return (*steps, _answer(decision.then), *_decide(decision.otherwise))


def _parts(test: Match) -> list[Program]:
    low = _ARGUMENTS + 8 * test.argument
    load = (Instruction(_LOAD, low),)
    mask = (Instruction(_AND, test.mask),) if test.mask != ALL_BITS else ()
    parts: list[Program] = [(*load, *mask, *(Instruction(_EQUAL, value) for value in dict.fromkeys(test.values)))]
    if test.whole:
        parts.append((Instruction(_LOAD, low + 4), Instruction(_EQUAL, 0)))
    return parts


def _answer(decision: Allow | Refuse) -> Instruction:
    return Instruction(_RETURN, _ALLOW if isinstance(decision, Allow) else _ERRNO | decision.errno)
