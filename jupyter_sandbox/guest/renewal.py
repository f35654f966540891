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

from .mentions import leads_to, mentions

_ATOMIC: Final = frozenset(
    {
        *(type(None), type(...), type(NotImplemented), int, float, bool, complex, bytes, str, range),
        *(types.CodeType, types.BuiltinFunctionType, types.FunctionType, weakref.ref, property),
    }
)
"""What a deep copy shares."""
_PLAINEST: Final = frozenset({type(None), int, float, bool, complex, bytes, str})
"""Of these nothing is ever replaced: most of what a large state holds needs no call."""


_BUILT_IN: Final = frozenset({"builtins", "collections"})
"""Whose containers hold what they hold, and nothing that depends on it."""


class Memo(dict[int, Any]):
    """What stands in for what, as ``copy.deepcopy`` has it, and what could not be copied on the way."""

    def __init__(self, known: dict[int, Any]) -> None:
        super().__init__(known)
        self.parts = known
        """The classes, functions and members that are replaced: an object of such a class is the user's."""
        self.stuck: list[tuple[Any, Exception]] = []
        """What stays the very object, and why."""
        self.whole = 0
        """Inside how many objects of others' classes: each of them is copied as a whole or not at all."""
        self[id(self)] = []  # what it keeps alive, as copy.deepcopy does: no other object gets the number of one of it

    def is_of_parts(self, kind: type) -> bool:
        """Whether an object of this class may hold something that cannot be copied, and be copied all the same."""
        return id(kind) in self.parts or kind.__module__ in _BUILT_IN

    def stays(self, value: Any, error: Exception, mark: int) -> None:
        """Forget what was copied since ``mark`` for a value that cannot be."""
        while len(self) > mark:
            self.popitem()
        self.stuck.append((value, error))
        self[id(value)] = value


@dataclass(slots=True)
class Renewal:
    """What stands in for what: ``memo`` by the number (``id``) of the old object, which ``old`` keeps alive."""

    memo: dict[int, Any]
    old: dict[int, Any] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    """Why something is still of the old code, of what was renewed last."""

    def __call__(self, value: Any) -> Any:
        """The value itself when it holds nothing old, else a renewed copy; what cannot be copied stays."""
        return self.copied(value) if mentions(value, self.old) else value

    def copied(self, value: Any) -> Any:
        """A renewed copy in any case, for a ``code_change`` that may change its argument before it fails.

        A lock or a socket in it stays the very object. All of it stays as it is where the copy would not hold
        together: where what stays leads to something that is copied.
        """
        memo = Memo(self.memo)
        try:
            copy = renewed(value, memo)
        except Exception as error:
            return self._unchanged(value, error)
        for one, why in memo.stuck:
            if leads_to(one, memo.parts, lambda inner: memo.get(id(inner), inner) is not inner):
                return self._unchanged(value, why)
            self._note(one, why)
        return copy

    def _unchanged(self, value: Any, error: Exception) -> Any:
        self._note(value, error)
        return value

    def _note(self, value: Any, error: Exception) -> None:
        if mentions(value, self.old):
            self.kept.append(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def renewed(value: Any, memo: Memo) -> Any:
    """A deep copy in which what ``memo`` knows is replaced, classes and functions included.

    >>> renewed([list, len], Memo({id(list): tuple}))
    [<class 'tuple'>, <built-in function len>]

    Raises whatever the hooks of the value raise (``__deepcopy__``, ``__reduce_ex__``, ``__setstate__``).
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
        memo[id(memo)].append(value)
    return copy


def _part(value: Any, memo: Memo) -> Any:
    """Of something that may hold what cannot be copied."""
    if memo.whole:
        return renewed(value, memo)
    mark = len(memo)
    try:
        return renewed(value, memo)
    except (RecursionError, MemoryError):  # of the whole: where it comes says nothing
        raise
    except Exception as error:
        memo.stays(value, error, mark)
        return value


def _list(value: list[Any], memo: Memo) -> list[Any]:
    copy: list[Any] = []
    memo[id(value)] = copy
    copy += (one if type(one) in _PLAINEST else _part(one, memo) for one in value)
    return copy


def _dict(value: dict[Any, Any], memo: Memo) -> dict[Any, Any]:
    copy: dict[Any, Any] = {}
    memo[id(value)] = copy
    for key, one in value.items():
        new = key if type(key) in _PLAINEST else _part(key, memo)
        copy[new] = one if type(one) in _PLAINEST else _part(one, memo)
    return copy


def _tuple(value: tuple[Any, ...], memo: Memo) -> tuple[Any, ...]:
    inner = [one if type(one) in _PLAINEST else _part(one, memo) for one in value]
    if id(value) in memo:  # it holds itself, by way of something that can change
        found: tuple[Any, ...] = memo[id(value)]
        return found
    return value if all(new is one for new, one in zip(inner, value, strict=True)) else tuple(inner)


def _method(value: types.MethodType, memo: Memo) -> types.MethodType:
    return types.MethodType(renewed(value.__func__, memo), renewed(value.__self__, memo))


_PLAIN: Final[dict[type, Callable[[Any, Memo], Any]]] = {
    list: _list, dict: _dict, tuple: _tuple, types.MethodType: _method,
}  # fmt: skip


def _by_its_hooks(value: Any, memo: Memo) -> Any:
    own = getattr(value, "__deepcopy__", None)
    if own is not None:
        return own(memo)
    reduce = copyreg.dispatch_table.get(type(value))
    parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    if isinstance(parts, str):
        return value
    if memo.is_of_parts(type(value)):
        return _rebuilt(value, memo, *parts)
    memo.whole += 1
    try:
        return _rebuilt(value, memo, *parts)
    finally:
        memo.whole -= 1


def _rebuilt(
    value: Any,
    memo: Memo,
    make: Callable[..., Any],
    arguments: tuple[Any, ...],
    state: Any = None,
    items: Iterable[Any] | None = None,
    pairs: Iterable[tuple[Any, Any]] | None = None,
    setter: Callable[[Any, Any], object] | None = None,
) -> Any:
    """From what ``__reduce_ex__`` gave, as https://docs.python.org/3/library/pickle.html#object.__reduce__ has it."""
    memo[id(value)] = copy = make(*[_part(one, memo) for one in arguments])
    if state is not None:
        _set_state(copy, renewed(state, memo), setter)
    for item in items or ():
        copy.append(_part(item, memo))
    for key, one in pairs or ():
        copy[_part(key, memo)] = _part(one, memo)
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
