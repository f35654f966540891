"""What is told of code that cannot be compiled: the first faults, and how many more there are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model.errors import CompileError, Diagnostic

FAULTS: Final = 100
"""Modules whose fault is told; of the others it is told how many they are."""
WARNINGS: Final = 1_000


def refused(faults: Sequence[Diagnostic], count: int) -> CompileError:
    """The error for ``count`` faults, of which the first ones are known.

    >>> str(refused([Diagnostic("shop.py", 3, 1, "SyntaxError: invalid syntax")], 2)).partition(";")[0]
    'shop.py:3:1: SyntaxError: invalid syntax (and 1 more)'
    """
    more = f" (and {count - 1} more)" if count > 1 else ""
    message = f"{faults[0]}{more}; correct it and try again; what runs is untouched"
    return CompileError("compilation_failed", message, tuple(faults[:FAULTS]))
