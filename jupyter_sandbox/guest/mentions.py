"""Looks for objects inside a value without running any of the value's code."""

from __future__ import annotations

import gc
import types
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from ..runtime import Node
from ..runtime.process import Process

_LEAVES = (ModuleType, FunctionType, type, str, bytes, int, float, Process, Node)


def mentions(value: Any, wanted: Mapping[int, Any]) -> bool:
    """Whether anything inside a value is, or is an instance of, one of the wanted objects. Runs none of its code."""
    return any(id(found) in wanted or id(type(found)) in wanted for found in _inside(value))


def leads_to(value: Any, but: Mapping[int, Any], is_wanted: Callable[[Any], bool]) -> bool:
    """Whether something inside a value, other than itself and what is in ``but``, is wanted. Runs none of its code."""
    return any(found is not value and id(found) not in but and is_wanted(found) for found in _inside(value))


def _inside(value: Any) -> Iterator[Any]:
    """The value and all that it holds. Who asks knows it by its number: some is there more than once."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        yield found
        if id(found) in seen or _is_leaf(found):
            continue
        seen.add(id(found))
        waiting += gc.get_referents(found)


def _is_leaf(value: Any) -> bool:
    """Whether there is nothing below this value worth looking at."""
    kind = type(value)
    return value is None or kind in _LEAVES or issubclass(kind, (type, types.FrameType, types.CodeType, Process, Node))
