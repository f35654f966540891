"""Copies a message so that no process can change another's state: immutable leaves are shared, the rest is rebuilt.

The rule is BEAM's: a message is a value. Sharing inside one message is lost
where it is rebuilt, as it is there.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import types
import uuid
from typing import Any, Final

from ..model.exits import CallFailed, Crash
from ..model.ids import Pid, Ref
from .signals import Caller, Down, Exit, Missing, Timeout

ATOMIC: Final[frozenset[type]] = frozenset(
    {
        type(None), bool, int, float, complex, str, bytes, Pid, Ref, Caller, Missing, type(Ellipsis),
        range, type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.MethodType,
        datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
        decimal.Decimal, fractions.Fraction, uuid.UUID, Crash, CallFailed,
    }
)  # fmt: skip
"""Types whose instances cannot change: they pass by reference."""

_MAX_DEPTH: Final = 60
"""Deeper than this only ``copy.deepcopy`` goes on: it knows cycles."""


class NotCopyable(TypeError):
    """A message holds something that cannot be copied into another process (a lock, a file, a generator)."""


def isolate(value: Any) -> Any:
    """The value as another process may have it.

    >>> inner = [1]
    >>> isolate(("add", inner))[1] is inner
    False

    Raises NotCopyable, naming the type.
    """
    if type(value) in ATOMIC:
        return value
    try:
        return _copy(value, 0)
    except (NotCopyable, MemoryError):  # where memory ended, that is what must be told
        raise
    except Exception as error:  # deepcopy runs the value's own hooks, which may raise anything
        raise NotCopyable(f"a message of type {type(value).__name__} cannot be copied: {error}") from None


def _copy(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in ATOMIC:
        return value
    if depth > _MAX_DEPTH:
        return copy.deepcopy(value)
    if kind is tuple:
        return _copy_tuple(value, depth + 1)
    if kind is dict:
        return _copy_dict(value, depth + 1)
    if kind is list:
        return _copy_list(value, depth + 1)
    return _copy_other(value, kind, depth + 1)


def _copy_tuple(value: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
    atomic = ATOMIC
    for item in value:
        if type(item) not in atomic:
            return tuple([_copy(item, depth) for item in value])
    return value


def _copy_dict(value: dict[Any, Any], depth: int) -> dict[Any, Any]:
    """Copy as a whole, then replace the few items that can change: most are plain data."""
    atomic, fresh = ATOMIC, value.copy()
    for key, item in value.items():
        if type(key) not in atomic:
            return {_copy(one, depth): _copy(other, depth) for one, other in value.items()}
        if type(item) not in atomic:
            fresh[key] = _copy(item, depth)
    return fresh


def _copy_list(value: list[Any], depth: int) -> list[Any]:
    atomic, fresh = ATOMIC, value.copy()
    for index, item in enumerate(value):
        if type(item) not in atomic:
            fresh[index] = _copy(item, depth)
    return fresh


def _copy_other(value: Any, kind: type, depth: int) -> Any:
    if kind is set or kind is frozenset:
        return kind(_copy(item, depth) for item in value)
    if issubclass(kind, (enum.Enum, type)):
        return value
    if kind is Exit or kind is Down or kind is Timeout:
        return kind(*[_copy(item, depth) for item in value])
    if dataclasses.is_dataclass(value) and _is_plain_frozen(kind):
        return _copy_frozen(value, depth)
    return copy.deepcopy(value)


def _is_plain_frozen(kind: type) -> bool:
    return bool(kind.__dataclass_params__.frozen) and "__deepcopy__" not in kind.__dict__  # type: ignore[attr-defined]


def _copy_frozen(value: Any, depth: int) -> Any:
    """Share a frozen dataclass of immutable fields; otherwise let deepcopy rebuild it."""
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if _copy(item, depth) is not item:
            return copy.deepcopy(value)
    return value
