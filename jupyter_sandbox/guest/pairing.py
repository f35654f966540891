"""What stands in for what when modules are replaced: classes, functions and members of enums, by their names."""

from __future__ import annotations

import operator
import sys
import weakref
from collections.abc import Iterator, Mapping
from enum import EnumMeta
from functools import reduce
from types import FunctionType, ModuleType
from typing import Any, Final

from ..model.anatomy import home_of, is_class
from ..runtime import Node
from .renewal import Renewal

_DEEPEST: Final = 8


class Retired:
    """Classes of versions that are no longer there, which objects may still be of.

    A class that was renamed by mistake and has its name again takes back the objects of then. Who nobody has an
    object of is not kept alive for it.
    """

    def __init__(self) -> None:
        self._classes: dict[str, list[weakref.ref[type]]] = {}

    def note(self, renewal: Renewal) -> None:
        """After a load: what was replaced. Processes have left their behaviours, or have been ended with them."""
        for value in renewal.old.values():
            if is_class(value) and getattr(value, "engine", None) is None:
                known = self._classes.setdefault(value.__module__, [])
                if not any(one() is value for one in known):
                    known.append(weakref.ref(value))

    def of(self, module: str) -> Iterator[type]:
        """The classes of this module that are still alive, the newest first: it knows its objects best."""
        alive = [one for one in self._classes.get(module, ()) if one() is not None]
        self._classes[module] = alive
        for one in reversed(alive):
            found = one()
            if found is not None:
                yield found


def renewal_of(node: Node, old: Mapping[str, ModuleType], retired: Retired) -> Renewal:
    """Pairs of old and new by their qualified names. The node's own records must never be copied."""
    renewal = Renewal({id(node): node})
    for process in node.processes.values():
        renewal.memo[id(process)] = process
        renewal.memo[id(process.context)] = process.context
    for name, module in old.items():
        renewal.memo[id(module)] = sys.modules[name]
        _pair(renewal, module, sys.modules[name], name, 0)
        for kind in retired.of(name):
            if id(kind) not in renewal.old:
                _pair_class(renewal, kind, _named(sys.modules[name], kind.__qualname__))
    return renewal


def _pair(renewal: Renewal, old: Any, new: Any, module: str, depth: int) -> None:
    for key, value in list(vars(old).items()):
        if type(value) is not FunctionType and not is_class(value):
            continue
        if home_of(value) != module or id(value) in renewal.old:
            continue
        twin = getattr(new, key, None)
        if not _pair_class(renewal, value, twin) or isinstance(value, EnumMeta):
            continue
        if is_class(value) and depth < _DEEPEST:
            _pair(renewal, value, twin, module, depth + 1)


def _pair_class(renewal: Renewal, value: Any, twin: Any) -> bool:
    """A class with its members, or a function. Whether the new code has one of the kind."""
    renewal.old[id(value)] = value
    if type(twin) is not type(value):
        return False
    renewal.memo[id(value)] = twin
    if isinstance(value, EnumMeta) and isinstance(twin, EnumMeta):
        _pair_members(renewal, value, twin)
    return True


def _pair_members(renewal: Renewal, old: EnumMeta, new: EnumMeta) -> None:
    members: dict[str, Any] = dict(old.__members__)
    for key, member in members.items():
        renewal.old[id(member)] = member
        renewal.memo[id(member)] = new.__members__.get(key, member)
    for member in list(vars(old)["_value2member_map_"].values()):
        if id(member) not in renewal.old:  # several flags at once: Python makes one object of each such value
            renewal.old[id(member)] = member
            renewal.memo[id(member)] = _composed(member, old, new)


def _composed(flags: Any, old: Any, new: Any) -> Any:
    """The same flags by their names; by their value where not all of it has names."""
    try:
        names = [one.name for one in flags]
        if reduce(operator.or_, [old[name] for name in names], old(0)) is flags:
            return reduce(operator.or_, [new[name] for name in names], new(0))
        return new(flags.value)
    except Exception:  # a flag that is gone, or an enum that makes members in its own way
        return flags


def _named(module: ModuleType, path: str) -> Any:
    one: Any = module
    for name in path.split("."):
        one = getattr(one, name, None)
    return one
