"""Looks for objects inside a value without running any of the value's code."""

from __future__ import annotations

import gc
import types
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from ..runtime import Node
from ..runtime.process import Process

_LEAVES = (ModuleType, FunctionType, type, str, bytes, int, float, Process, Node)


def mentions(value: Any, wanted: Mapping[int, Any]) -> bool:
    """Whether anything inside a value is, or is an instance of, one of the wanted objects. Runs none of its code."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        number = id(found)
        if number in wanted or id(type(found)) in wanted:
            return True
        if number in seen or _is_leaf(found):
            continue
        seen.add(number)
        waiting += gc.get_referents(found)
    return False


def _is_leaf(value: Any) -> bool:
    """Whether there is nothing below this value worth looking at."""
    kind = type(value)
    return value is None or kind in _LEAVES or issubclass(kind, (type, types.FrameType, types.CodeType, Process, Node))
