"""Patterns for table objects: tuples with ``ANY`` where everything fits, ``Var(n)`` where a value is taken out."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from ..runtime.table_keys import exact


class Any_(Enum):
    """The type of ANY."""

    ANY = "_"

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = Any_.ANY
"""Fits every value: Erlang's ``'_'``."""


class Var(msgspec.Struct, frozen=True, order=True):
    """Fits every value, the same one wherever the number is the same: Erlang's ``'$1'``.

    >>> from jupyter_sandbox.otp import ANY, Node, Var
    >>> async def main(self):
    ...     games = self.ets.new("games")
    ...     for game in ((1, "ada", "ada"), (2, "ada", "bob")):
    ...         self.ets.insert(games, game)
    ...     return self.ets.match(games, (ANY, Var(1), Var(1))), self.ets.match(games, (2, ANY, Var(1)))
    >>> Node().run_function(main)
    ([['ada']], [['bob']])
    """

    number: int


def bind(pattern: Any, value: Any) -> dict[Var, Any] | None:
    """What the variables of a pattern stand for in a value; None when it does not fit.

    >>> bind(("a", Var(1), [Var(2), ANY]), ("a", 1, [2, 3]))
    {Var(number=1): 1, Var(number=2): 2}
    """
    found: dict[Var, Any] = {}
    return found if _fits(pattern, value, found) else None


def _fits(pattern: Any, value: Any, found: dict[Var, Any]) -> bool:
    if pattern is ANY:
        return True
    if type(pattern) is Var:
        if pattern in found:
            return exact(found[pattern]) == exact(value)
        found[pattern] = value
        return True
    if type(pattern) in (tuple, list):
        same = type(value) is type(pattern) and len(value) == len(pattern)
        return same and all(_fits(part, item, found) for part, item in zip(pattern, value, strict=True))
    return exact(pattern) == exact(value)
