"""What the modules of a sandbox, and their classes, hold at their top level and has changed since they were loaded.

Only modules that were loaded into the sandbox are looked at. Functions,
classes and modules are no values, and what belongs to a library is left to it.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import EnumMeta
from typing import Any, Final

from ..code.finder import ModuleFinder
from ..model.anatomy import full_name
from .refilling import ways_of
from .value_digest import MOST, Untold, digest_of

Place = tuple[str, ...]
"""A module, perhaps classes in it, and a name."""
_TOGETHER: Final = 4 * MOST
"""Bytes of all values that are looked at."""
_ATOMS: Final = frozenset({str, bytes, int, float, bool, complex, type(None)})
_NO_VALUES: Final = frozenset({types.ModuleType, types.BuiltinFunctionType})
_DEEPEST: Final = 8
_MOST_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Before:
    """A value when its module had been loaded; ``digest`` is None where that could not be told."""

    number: int
    kind: type
    digest: Any


@dataclass(frozen=True, slots=True)
class Found:
    """What is held now, against what was held when the modules had been loaded."""

    changed: dict[Place, Any]
    """In this place there is another value, or what is in it has changed."""
    gone: list[Place]
    untold: list[Place]
    """Whether these have changed cannot be told."""
    same: dict[Place, Any]
    """The very objects of then, changed or not, that can be filled again."""


class ModuleValues:
    """Of one guest. ``note`` after a load, ``found`` at any time later."""

    def __init__(self, finder: ModuleFinder) -> None:
        self._finder = finder
        self._before: dict[str, dict[Place, _Before]] = {}
        self._foreign: dict[tuple[Place, int], bool] = {}
        self._others: list[dict[str, Any]] = []
        """What is in all other modules, while values are compared."""

    def note(self, names: Collection[str]) -> None:
        """These modules were loaded just now: what they hold is what they begin with."""
        self._foreign.clear()
        room = _TOGETHER
        for name in names:
            noted = self._before[name] = {}
            for place, value in _held_by(sys.modules[name], (name,), 0):
                digest, room = _told(value, room)
                noted[place] = _Before(id(value), type(value), digest)

    def found(self) -> Found:
        """Compares all that modules hold now."""
        found = Found({}, [], [], {})
        room, held = _TOGETHER, self._finder.modules
        modules = [module for name, module in list(sys.modules.items()) if name not in held]
        self._others = [vars(module) for module in modules if type(module) is types.ModuleType]
        for name in held:
            left = dict(self._before.get(name, {}))
            for place, value in _held_by(sys.modules[name], (name,), 0) if name in sys.modules else ():
                digest, room = _told(value, room)
                self._compare(found, place, value, left.pop(place, None), digest)
            found.gone.extend(place for place in left if _is_gone(place))
        self._others = []
        return found

    def _compare(self, found: Found, place: Place, value: Any, before: _Before | None, digest: Any) -> None:
        alike = before is not None and before.number == id(value) and before.kind is type(value)
        fills = alike and ways_of(type(value)) is not None
        same = before is not None and before.kind is type(value) and digest is not None and before.digest == digest
        if (same and not fills) or self._of_a_library(place, value):
            return
        if fills:
            found.same[place] = value
        if same:
            return
        if before is not None and alike and None in (digest, before.digest):
            found.untold.append(place)
        else:
            found.changed[place] = value

    def _of_a_library(self, place: Place, value: Any) -> bool:
        """Whether a module of somebody else's has the very object under this name."""
        if type(value) in _ATOMS:
            return False
        known = self._foreign.get((place, id(value)))
        if known is None:
            key = place[-1]
            known = any(other.get(key) is value for other in self._others)
            if len(self._foreign) > _MOST_KNOWN:
                self._foreign.clear()
            self._foreign[place, id(value)] = known
        return known


def holder_of(place: Place) -> Any:
    """The module or class of a place. Raises KeyError, AttributeError where there is none."""
    holder: Any = sys.modules[place[0]]
    for key in place[1:-1]:
        holder = getattr(holder, key)
    return holder


def words_of(place: Place) -> str:
    """As the user would write it: ``shop.Order.made``."""
    return ".".join(place)


def _told(value: Any, room: int) -> tuple[Any, int]:
    """The digest of a value, None where it has none, and the room that is left for others."""
    if type(value) in _ATOMS:
        return (value,), room
    most = min(room, MOST)
    try:
        digest, used = digest_of(value, most)
    except Untold:
        return None, room - most
    return digest, room - used


def _is_gone(place: Place) -> bool:
    try:
        return place[-1] not in vars(holder_of(place))
    except (KeyError, AttributeError):
        return False  # its class is another one now


def _held_by(holder: Any, above: Place, depth: int) -> Iterator[tuple[Place, Any]]:
    for key, value in list(vars(holder).items()):
        if type(key) is not str or (key.startswith("__") and key.endswith("__")) or key.startswith("_abc_"):
            continue
        kind = type(value)
        place = (*above, key)
        if issubclass(kind, type):
            if full_name(value) == words_of(place) and not issubclass(kind, EnumMeta) and depth < _DEEPEST:
                yield from _held_by(value, place, depth + 1)
        elif kind not in _NO_VALUES and not hasattr(kind, "__get__"):
            yield place, value
