"""What a trial said about code, made into what the kernel goes by: bounded, and of the modules that were given. Pure.

The trial ran the code, so that its answer is a claim of that code. Of the
modules it is asked for their order alone: text and names are those that were
given, and they were compiled before any of them ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.code import Bundle, ClassInfo
from ..model.errors import CompileError, Diagnostic
from ..wire.messages import Tried
from .bringing import Compiled

MOST_CLASSES = 5_000
"""That can be started, in all modules of a load: a program of two thousand files has one or two in each."""
LONGEST_NAME = 500
_BEHAVIOURS = frozenset({"application", "supervisor", "server", "statem"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """Modules that compile and import, the classes in them that can be started, and what was found odd in them."""

    bundle: Bundle
    classes: tuple[ClassInfo, ...]
    warnings: tuple[Diagnostic, ...] = ()


def told(given: Compiled, origin: str, tried: Tried) -> Prepared:
    """What to load of the modules that were given, by the answer of their trial: those that it imported, in its order.

    Raises CompileError when it tells of more classes than a sandbox takes.
    """
    if len(tried.classes) > MOST_CLASSES:
        raise CompileError(
            "load_error",
            f"the code has {len(tried.classes)} classes that can be started, and {MOST_CLASSES} are taken; nothing was "
            "loaded. Load it in parts, or keep the classes that nobody starts by name inside a function",
        )
    names = {one.name: one for one in given.modules}
    ordered = tuple(names[name] for name in dict.fromkeys(tried.order) if name in names)
    classes = tuple(one for one in tried.classes if one.module in names and _can_be_named(one))
    return Prepared(Bundle(ordered, origin), classes, given.warnings)


def _can_be_named(one: ClassInfo) -> bool:
    """Whether a user can type what it is called: a class that is made by a call may be called anything at all."""
    return (
        one.behaviour in _BEHAVIOURS
        and len(one.name) <= LONGEST_NAME
        and all(part.isidentifier() or part == "<locals>" for part in one.name.split("."))
    )


def some(names: Sequence[str], most: int = 20) -> list[str]:
    """Names for an error.

    >>> some(["a", "b", "c"], 2)
    ['a', 'b', '1 more']
    """
    return [*names[:most], f"{len(names) - most} more"] if len(names) > most else list(names)
