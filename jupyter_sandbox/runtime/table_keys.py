"""How table keys compare: exactly (1 is not 1.0) in hashed tables, in Erlang's order (1 is 1.0) in ordered ones."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Hashable
from typing import Any, Final

from ..model.errors import UsageError
from ..model.ids import Pid, Ref
from ..model.text import short_text

_PLAIN: Final = frozenset({str, int, bytes, type(None)})
_LIST: Final = "list"
_DICT: Final = "dict"
_SET: Final = "set"


class _Of(tuple[Any, ...]):
    """A key made from parts, so that it equals no tuple of the user's."""

    __slots__ = ()


def exact(value: Any) -> Hashable:
    """A hashable stand-in that equals another one only if type and value are the same, all the way down.

    >>> exact(1) == exact(1.0), exact([1, (2,)]) == exact([1, (2,)])
    (False, True)

    Raises UsageError for a value without any notion of equality.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind is tuple:
        return tuple([exact(item) for item in value])
    if kind is list:
        return _Of((_LIST, *[exact(item) for item in value]))
    if kind is dict:
        return _Of((_DICT, frozenset((exact(key), exact(item)) for key, item in value.items())))
    if kind is set or kind is frozenset:
        return _Of((_SET, frozenset(exact(item) for item in value)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _Of((kind, *[exact(getattr(value, field.name)) for field in dataclasses.fields(value)]))
    try:
        hash(value)
    except TypeError:
        raise _no_key(value) from None
    return _Of((kind, value))


def ordered(value: Any) -> tuple[Any, ...]:
    """A stand-in that sorts in Erlang's order: numbers, atoms, references, pids, tuples, maps, lists, binaries.

    >>> sorted([b"b", "a", [], ("x",), 2, 1.5], key=ordered)
    [1.5, 2, 'a', ('x',), [], b'b']

    Strings, booleans, None and enums take the place of atoms. Raises UsageError for a value without an order.
    """
    kind = type(value)
    if kind is int or kind is float:
        return (0, value)
    if kind is str:
        return (1, value)
    if kind is bool:
        return (1, "true" if value else "false")
    if value is None:
        return (1, "nil")
    if isinstance(value, enum.Enum):
        return (1, value.name)
    if kind is Ref:
        return (2, int(value))
    if kind is Pid:
        return (3, int(value))
    if kind is tuple:
        return (4, len(value), *[ordered(item) for item in value])
    if kind is dict:
        pairs = sorted((ordered(key), ordered(item)) for key, item in value.items())
        return (5, len(pairs), *[key for key, _ in pairs], *[item for _, item in pairs])
    if kind is list:
        return (6, *[ordered(item) for item in value])
    if kind is bytes:
        return (7, value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [ordered(getattr(value, field.name)) for field in dataclasses.fields(value)]
        return (8, kind.__qualname__, *fields)
    raise _no_key(value)


def _no_key(value: Any) -> UsageError:
    hint = "give numbers, strings, bytes, pids, tuples, lists, dicts or dataclasses of these"
    return UsageError("table key", short_text(value), hint=hint, kind="badarg")
