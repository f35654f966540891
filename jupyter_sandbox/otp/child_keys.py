"""Which ids of children are the same: those of the same terms, as in Erlang. For Python 1, 1.0 and True are equal.

A supervisor's dictionary has a child under its key. For nearly all that is
the id itself; never for an id that equals one of another type, or that no
dictionary takes.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from ..model.ids import Pid, Ref
from ..runtime.table_keys import exact

_PLAIN: Final = frozenset({str, int, bytes, type(None), Pid, Ref})


class ChildKey:
    """An id that cannot be a key itself; it shows as the id."""

    __slots__ = ("_same", "id")

    def __init__(self, id: Any) -> None:
        self.id = id
        self._same = exact(id)

    def __eq__(self, other: object) -> bool:
        return type(other) is ChildKey and self._same == other._same

    def __hash__(self) -> int:
        return hash(self._same)

    def __repr__(self) -> str:
        return repr(self.id)


def key_of(id: Any) -> Hashable:
    """The key of a child's id: equal for the same terms alone.

    >>> key_of("db"), key_of(1) == key_of(1.0), key_of({"n": [1]}) == key_of({"n": [1]})
    ('db', False, True)

    Raises UsageError for an id without any notion of equality.
    """
    return id if _is_plain(id) else ChildKey(id)


def _is_plain(id: Any) -> bool:
    kind = type(id)
    return kind in _PLAIN or (kind is tuple and all(map(_is_plain, id)))
