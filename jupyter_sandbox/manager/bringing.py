"""Modules on their way into a guest, in parts: what a user loads may be more than one frame holds.

A part is compiled while the guest runs nobody's code, so that what comes back
is what the compiler made, and each part has a time of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..code.faults import FAULTS, WARNINGS, refused
from ..model.code import ModuleCode
from ..model.errors import CompileError, Diagnostic
from ..wire.messages import Bring, Brought
from .answers import harmless

PART_BYTES: Final = 1_000_000
PART_MODULES: Final = 500
COMPILE_S: Final = 30.0
"""For what a guest takes of one part: it answers after half a second, or when the module it is at is compiled."""
MOST_CODE: Final = 64_000_000
"""Compiled code of one load, which the kernel keeps."""

Ask = Callable[[Callable[[int], Bring]], Awaitable[Brought]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The modules with their code, in the order in which they were given; what the compiler warned of."""

    modules: tuple[ModuleCode, ...]
    warnings: tuple[Diagnostic, ...]


def parts(modules: Sequence[ModuleCode]) -> Iterator[tuple[ModuleCode, ...]]:
    """The same modules, in groups of which each fits into a frame; at least one group, which may be empty.

    >>> [len(part) for part in parts([ModuleCode("a", b"", "x" * 600_000)] * 3)]
    [1, 1, 1]
    """
    part: list[ModuleCode] = []
    room = PART_BYTES
    for one in modules:
        room -= size_of(one)
        if part and (room < 0 or len(part) == PART_MODULES):
            yield tuple(part)
            part, room = [], PART_BYTES - size_of(one)
        part.append(one)
    yield tuple(part)


def size_of(module: ModuleCode) -> int:
    """Of its text and its code, nearly."""
    return len(module.source) + len(module.code)


def patience_s(least_s: float, modules: Sequence[ModuleCode]) -> float:
    """How long importing them may take in all: it grows with what there is to be done.

    >>> patience_s(10.0, [ModuleCode("a", b"", "n = 1")]), patience_s(10.0, [ModuleCode("a", b"", "")] * 2_000)
    (10.01000125, 30.0)
    """
    return least_s + len(modules) / 100 + sum(map(size_of, modules)) / 4_000_000


async def bring(ask: Ask, modules: Sequence[ModuleCode]) -> Compiled:
    """Hand modules over for the Load that follows. Raises CompileError with the first faults and how many there are."""
    done: list[ModuleCode] = []
    faults: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    wrong = size = 0
    for part in parts(modules):
        rest = part
        while rest:
            brought = await ask(_frame(rest, anew=not done))
            count = len(brought.codes)
            if not 0 < count <= len(rest):
                raise CompileError("load_error", f"of {len(rest)} modules {count} were compiled; nothing was loaded")
            done += map(ModuleCode.compiled, rest, brought.codes)
            rest = rest[count:]
            faults += map(harmless, brought.faults[: FAULTS - len(faults)])
            warnings += map(harmless, brought.warnings[: WARNINGS - len(warnings)])
            wrong += brought.refused
            size += sum(map(len, brought.codes))
            if size > MOST_CODE:
                raise _too_much(done, modules)
    if faults and wrong:
        raise refused(faults, wrong)
    return Compiled(tuple(done), tuple(warnings))


def _frame(modules: tuple[ModuleCode, ...], *, anew: bool) -> Callable[[int], Bring]:
    return lambda number: Bring(id=number, modules=modules, anew=anew)


def _too_much(done: Sequence[ModuleCode], modules: Sequence[ModuleCode]) -> CompileError:
    return CompileError(
        "load_error",
        f"the code is too large: the first {len(done)} of {len(modules)} modules have more than "
        f"{MOST_CODE // 1_000_000} MB when they are compiled, which is the most for one load; nothing was loaded. "
        "Load it in parts",
    )
