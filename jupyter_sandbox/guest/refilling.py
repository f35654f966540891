"""How an object that changes in place is filled with what another one of its kind held, so that all who hold it see it.

Others are replaced by name.
"""

from __future__ import annotations

import ast
import copyreg
import itertools
import random
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any, Final

from ..model import anatomy

Take = Callable[[Any], Any]
Fill = Callable[[Any, Any], object]


def _fill_pairs(one: Any, pairs: Any) -> None:
    one.clear()
    for key, value in pairs:
        one[key] = value


def _fill_items(one: Any, items: Any) -> None:
    one[:] = items


def _fill_set(one: set[Any], items: Any) -> None:
    one.clear()
    one.update(items)


def _fill_deque(one: deque[Any], items: Any) -> None:
    one.clear()
    one.extend(items)


def _pairs(one: Any) -> list[tuple[Any, Any]]:
    return list(one.items())


def _fill_fields(one: Any, fields: dict[str, Any]) -> None:
    own = vars(one)
    own.clear()
    own.update(fields)


def _fields(one: Any) -> dict[str, Any]:
    return dict(vars(one))


_KINDS: Final[dict[type, tuple[Take, Fill]]] = {
    **dict.fromkeys((dict, OrderedDict, defaultdict, Counter), (_pairs, _fill_pairs)),
    list: (list, _fill_items),
    bytearray: (bytes, _fill_items),
    set: (list, _fill_set),
    deque: (list, _fill_deque),
    random.Random: (random.Random.getstate, random.Random.setstate),
}


def ways_of(kind: type) -> tuple[Take, Fill] | None:
    """How what an object of this kind holds is taken and put back; None for one that is replaced as a whole."""
    known = _KINDS.get(kind)
    if known is None and _is_plain(kind):
        return _fields, _fill_fields
    return _ways_of_numpy(kind) if known is None else known


def _is_plain(kind: type) -> bool:
    """Whether an object of this class is its fields and nothing else."""
    return (
        kind.__dictoffset__ != 0
        and anatomy.lookup(kind, "__new__") in (vars(object)["__new__"], None)
        and not any(vars(base).get("__slots__") for base in kind.__mro__)
        and all(anatomy.lookup(kind, name) is vars(object).get(name) for name in _HOOKS)
    )


_HOOKS: Final = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")


def _ways_of_numpy(kind: type) -> tuple[Take, Fill] | None:
    numpy: Any = sys.modules.get("numpy.random")  # never imported for this
    if numpy is None:
        return None
    if kind is numpy.Generator:
        return (lambda one: one.bit_generator.state), (lambda one, state: setattr(one.bit_generator, "state", state))
    if kind is numpy.RandomState:
        return (lambda one: one.get_state(legacy=False)), (lambda one, state: one.set_state(state))
    if issubclass(kind, numpy.BitGenerator):
        return (lambda one: one.state), (lambda one, state: setattr(one, "state", state))
    return None


def count_parts(one: itertools.count[Any]) -> Any:
    """For pickles: from Python 3.14 on a counter has no way of its own, and before that one that warns.

    >>> make, parts = count_parts(itertools.count(7, 2)); next(make(*parts))
    7
    """
    try:
        parts = ast.literal_eval(repr(one).removeprefix("count"))
    except (ValueError, SyntaxError):  # of numbers that are no literals
        return one.__reduce__()
    return itertools.count, parts if isinstance(parts, tuple) else (parts,)


SAVED: Final[dict[type, Any]] = {**copyreg.dispatch_table, itertools.count: count_parts}
