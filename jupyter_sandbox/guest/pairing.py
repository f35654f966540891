"""What stands in for what when modules are replaced: classes, functions and members of enums, by their names."""

from __future__ import annotations

import operator
import sys
from collections.abc import Collection, Mapping
from enum import EnumMeta
from functools import reduce
from types import FunctionType, ModuleType
from typing import Any, Final

from ..model.anatomy import home_of, is_class, isinstance_of, lookup
from ..runtime import Node
from .renewal import Renewal

_DEEPEST: Final = 8


def renewal_of(node: Node, old: Mapping[str, ModuleType]) -> Renewal:
    """Pairs of old and new by their qualified names. The node's own records must never be copied.

    Of versions before the old one are those classes that something may still be of: one that was renamed by
    mistake and has its name again takes back the objects of then.
    """
    renewal = Renewal({id(node): node})
    for process in node.processes.values():
        renewal.memo[id(process)] = process
        renewal.memo[id(process.context)] = process.context
    for name, module in old.items():
        renewal.memo[id(module)] = sys.modules[name]
        _pair(renewal, module, sys.modules[name], name, 0)
    for kind in _strays(old) if old else ():
        if id(kind) not in renewal.old:
            _pair_class(renewal, kind, _named(sys.modules[str(home_of(kind))], kind.__qualname__))
    return renewal


def _strays(modules: Collection[str]) -> list[type]:
    """Classes of these modules, of whichever version, that are still alive; but what processes run."""
    found: dict[int, type] = {}  # by number: a class may say itself what its hash is
    waiting: list[type] = [object]
    while waiting:
        below: list[type] = type.__subclasses__(waiting.pop())
        for kind in below:
            if id(kind) not in found:
                found[id(kind)] = kind
                waiting.append(kind)
    return [kind for kind in found.values() if _is_of(kind, modules)]


def _is_of(kind: type, modules: Collection[str]) -> bool:
    home = home_of(kind)
    return isinstance_of(home, str) and home in modules and lookup(kind, "engine") is None


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
