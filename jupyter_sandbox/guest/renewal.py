"""Puts new classes, functions and enum members in the place of old ones inside any value, by copying it.

``copy.deepcopy`` with a memo would do, had it not, from Python 3.14 on, let
classes and functions through before it asks the memo. This asks first.
"""

from __future__ import annotations

import copyreg
import types
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from .mentions import mentions

_ATOMIC: Final = frozenset(
    {
        *(type(None), type(...), type(NotImplemented), int, float, bool, complex, bytes, str, range),
        *(types.CodeType, types.BuiltinFunctionType, types.FunctionType, weakref.ref, property),
    }
)
"""What a deep copy shares."""


@dataclass(slots=True)
class Renewal:
    """What stands in for what: ``memo`` by the number (``id``) of the old object, which ``old`` keeps alive."""

    memo: dict[int, Any]
    old: dict[int, Any] = field(default_factory=dict)

    def __call__(self, value: Any) -> Any:
        """The value itself when it holds nothing old, else a renewed copy; what cannot be copied stays."""
        return self.copied(value) if mentions(value, self.old) else value

    def copied(self, value: Any) -> Any:
        """A renewed copy in any case, for a ``code_change`` that may change its argument before it fails."""
        try:
            return renewed(value, dict(self.memo))
        except Exception:  # a lock, a socket: the process keeps the very object
            return value


def renewed(value: Any, memo: dict[int, Any]) -> Any:
    """A deep copy in which what ``memo`` knows is replaced, classes and functions included.

    >>> renewed([list, len], {id(list): tuple})
    [<class 'tuple'>, <built-in function len>]

    Raises whatever the hooks of the values raise (``__deepcopy__``, ``__reduce_ex__``, ``__setstate__``).
    """
    number = id(value)
    if number in memo:
        return memo[number]
    kind = type(value)
    if kind in _ATOMIC or issubclass(kind, type):
        return value
    copy = _PLAIN.get(kind, _by_its_hooks)(value, memo)
    if copy is not value:
        memo[number] = copy
        memo.setdefault(id(memo), []).append(value)  # as copy.deepcopy does: no other object gets this one's number
    return copy


def _list(value: list[Any], memo: dict[int, Any]) -> list[Any]:
    copy: list[Any] = []
    memo[id(value)] = copy
    copy += (renewed(one, memo) for one in value)
    return copy


def _dict(value: dict[Any, Any], memo: dict[int, Any]) -> dict[Any, Any]:
    copy: dict[Any, Any] = {}
    memo[id(value)] = copy
    for key, one in value.items():
        copy[renewed(key, memo)] = renewed(one, memo)
    return copy


def _tuple(value: tuple[Any, ...], memo: dict[int, Any]) -> tuple[Any, ...]:
    inner = [renewed(one, memo) for one in value]
    if id(value) in memo:  # it holds itself, by way of something that can change
        found: tuple[Any, ...] = memo[id(value)]
        return found
    return value if all(new is one for new, one in zip(inner, value, strict=True)) else tuple(inner)


def _method(value: types.MethodType, memo: dict[int, Any]) -> types.MethodType:
    return types.MethodType(renewed(value.__func__, memo), renewed(value.__self__, memo))


_PLAIN: Final[dict[type, Callable[[Any, dict[int, Any]], Any]]] = {
    list: _list, dict: _dict, tuple: _tuple, types.MethodType: _method,
}  # fmt: skip


def _by_its_hooks(value: Any, memo: dict[int, Any]) -> Any:
    own = getattr(value, "__deepcopy__", None)
    if own is not None:
        return own(memo)
    reduce = copyreg.dispatch_table.get(type(value))
    parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    return value if isinstance(parts, str) else _rebuilt(value, memo, *parts)


def _rebuilt(
    value: Any,
    memo: dict[int, Any],
    make: Callable[..., Any],
    arguments: tuple[Any, ...],
    state: Any = None,
    items: Iterable[Any] | None = None,
    pairs: Iterable[tuple[Any, Any]] | None = None,
    setter: Callable[[Any, Any], object] | None = None,
) -> Any:
    """From what ``__reduce_ex__`` gave, as https://docs.python.org/3/library/pickle.html#object.__reduce__ has it."""
    memo[id(value)] = copy = make(*(renewed(one, memo) for one in arguments))
    if state is not None:
        _set_state(copy, renewed(state, memo), setter)
    for item in items or ():
        copy.append(renewed(item, memo))
    for key, one in pairs or ():
        copy[renewed(key, memo)] = renewed(one, memo)
    return copy


def _set_state(copy: Any, state: Any, setter: Callable[[Any, Any], object] | None) -> None:
    if setter is not None:
        setter(copy, state)
    elif hasattr(copy, "__setstate__"):
        copy.__setstate__(state)
    else:
        fields, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
        if fields is not None:
            copy.__dict__.update(fields)
        for name, one in (slots or {}).items():
            setattr(copy, name, one)
