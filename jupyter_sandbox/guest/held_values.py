"""Saves what modules hold beside the states of processes, and puts it back into modules that were loaded anew.

A value that can be filled again is the fresh module's own object, filled: functions that took hold of it see it too.
What values and states have in common they have in common afterwards: pickles of states begin with what the pickle of
the values has met.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from ..model.errors import SnapshotError
from . import entropy
from .module_values import Found, ModuleValues, Place, holder_of, words_of
from .refilling import ways_of
from .tracebacks import one_line

MOST: Final = 16_000_000
"""Bytes of all values together: they must not take the room that states need."""
_MOST_SHARED: Final = 5_000_000
"""So many times, over all processes, something is offered to a pickle that may have it in common."""
_MOST_NAMED: Final = 5
_ALONE: Final = (str, bytes, int, float, bool, complex, type(None), type, tuple)
"""Whether one has such a value in common with others makes no difference."""

Met = dict[int, tuple[int, Any]]
"""What a pickle has met: by ``id`` its number in the pickle, and the object."""
Write = Callable[[Any, Met, int], tuple[bytes, Met]]
"""Pickles a value in so much room with what was met before; raises whatever the hooks of the value raise."""
Read = Callable[[bytes, Sequence[Any]], tuple[Any, dict[int, Any]]]
"""The way back: what was met before stands in a sequence, what has been met then by number in a dictionary."""
_Entry = tuple[Place, str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """In a snapshot: the values, and what cannot be put back."""

    blob: bytes
    own: bytes
    """Pickled, because their classes may be the user's: places and kinds of objects of the modules, which the other
    pickle names by number."""
    shared: tuple[int, ...]
    """What states may have in common with it, by its number in the pickle."""
    lost: tuple[str, ...]
    """What has changed, or may have, and is not in here, in words."""


def taken(values: ModuleValues, seed: int, processes: int, write: Write) -> tuple[Held | None, Met]:
    """What modules hold now, None for nothing, and what pickles of states begin with."""
    found, chance = values.found(), entropy.changed(seed)
    lost = [words_of(place) for place in found.untold]
    own, places = _own_objects(found)
    if not (own or found.changed or found.gone or lost or chance):
        return None, {}
    entries = _entries(found, lost)
    blob, met = _written(entries, chance, own, write, lost)
    passing = {id(content) for _, _, content in entries} | {id(entries), id(chance)}
    wanted = sorted(
        (number, value)
        for key, (number, value) in met.items()
        if key not in passing and not issubclass(type(value), _ALONE)
    )  # fmt: skip
    del wanted[_MOST_SHARED // max(1, processes) :]
    begin = {id(value): (place, value) for place, (_, value) in enumerate(wanted)}
    return Held(blob, write(places, {}, MOST)[0], tuple(number for number, _ in wanted), tuple(lost)), begin


def put_back(held: Held, read: Read) -> list[Any]:
    """Fill modules that were loaded anew; returns what pickles of states begin with. Raises SnapshotError."""
    own = [_own(place, kind) for place, kind in read(held.own, ())[0]]
    (entries, chance), met = read(held.blob, own)
    for place, how, content in entries:
        try:
            _put(place, how, content)
        except Exception as error:  # a metaclass, or a class that is no longer there
            why = one_line(error)
            raise SnapshotError(
                f"{words_of(place)} cannot be put back ({why}); load the code it was saved with"
            ) from None
    entropy.put_back(chance)
    return [met[number] for number in held.shared]


def _own_objects(found: Found) -> tuple[Met, list[tuple[Place, type]]]:
    """What the pickle names instead of holding it. What no name leads to the class of is replaced as a whole."""
    own: Met = {}
    places: list[tuple[Place, type]] = []
    for place, value in list(found.same.items()):
        kind = type(value)
        if not _can_be_named(kind):
            del found.same[place]
        elif id(value) not in own:
            own[id(value)] = len(places), value
            places.append((place, kind))
    return own, places


def _can_be_named(kind: type) -> bool:
    one: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        one = vars(one).get(name) if isinstance(one, type | ModuleType) else None
    return one is kind


def _written(entries: list[_Entry], chance: Any, own: Met, write: Write, lost: list[str]) -> tuple[bytes, Met]:
    """Pickle as many entries as can be, and take the others out of them."""
    try:
        return write((entries, chance), own, MOST)
    except BaseException:  # the hooks of the user's classes may raise anything
        entries[:] = _savable(entries, own, write, lost)
    try:
        return write((entries, chance), own, MOST)
    except BaseException:
        lost += [words_of(place) for place, _, _ in entries]
        entries.clear()
    return write((entries, chance), own, MOST)


def _entries(found: Found, lost: list[str]) -> list[_Entry]:
    entries: list[_Entry] = [(place, "delete", None) for place in found.gone]
    for place, value in found.changed.items():
        ways = ways_of(type(value)) if place in found.same else None
        try:
            entries.append((place, "bind", value) if ways is None else (place, "fill", ways[0](value)))
        except Exception:
            lost.append(words_of(place))
    return entries


def _savable(entries: list[_Entry], own: Met, write: Write, lost: list[str]) -> list[_Entry]:
    """Those that can be saved, each looked at alone; the others are lost."""
    kept, room = [], MOST // 2
    for entry in entries:
        try:
            blob, _ = write(entry, own, room)
        except BaseException:
            lost.append(words_of(entry[0]))
        else:
            room -= len(blob)
            kept.append(entry)
    return kept


def _own(place: Place, kind: type) -> Any:
    """The object that the fresh module has in this place; a new one where it has none of this kind."""
    try:
        found = vars(holder_of(place)).get(place[-1])
        if type(found) is kind:
            return found
        make: Any = kind.__new__
        made = make(kind)
        setattr(holder_of(place), place[-1], made)
    except Exception as error:
        raise _refusal(place, error) from None
    return made


def _put(place: Place, how: str, content: Any) -> None:
    holder, name = holder_of(place), place[-1]
    if how == "delete":
        if name in vars(holder):
            delattr(holder, name)
    elif how == "bind":
        setattr(holder, name, content)
    else:
        one = vars(holder)[name]
        ways = ways_of(type(one))
        assert ways is not None
        ways[1](one, content)


def _refusal(place: Place, error: Exception) -> SnapshotError:
    why = one_line(error)
    return SnapshotError(f"{words_of(place)} cannot be put back ({why}); load the code it was saved with")


def told_at_restore(lost: Sequence[str]) -> str:
    """What the user is told of values that are not in a snapshot.

    >>> told_at_restore(["shop.orders"])  # doctest: +NORMALIZE_WHITESPACE
    'not restored: shop.orders, which changed, or may have, since its module was loaded, and cannot be saved; it begins
    as the module makes it. Keep what has to last in the state of a process'
    """
    return (
        f"not restored: {_listed(lost)}, which changed, or may have, since its module was loaded, and cannot be saved; "
        "it begins as the module makes it. Keep what has to last in the state of a process"
    )


def begins_anew(names: Sequence[str]) -> str:
    """What the user is told of values of a module that is replaced while processes go on.

    >>> print(begins_anew(["shop.orders"]))  # doctest: +NORMALIZE_WHITESPACE
    shop.orders had changed since its module was loaded, and begins anew: keep what has to last in the state of a
    process
    """
    return (
        f"{_listed(names)} had changed since its module was loaded, and begins anew: keep what has to last in the "
        "state of a process"
    )


def no_way_back(lost: Sequence[str], begins: int, sandbox: str) -> SnapshotError:
    """A replay that would begin without values that the sandbox had then would show what never was.

    >>> print(no_way_back(["shop.orders"], 20_001, "shop"))  # doctest: +NORMALIZE_WHITESPACE
    sandbox 'shop' cannot go back now: its recording begins anew at step 20001, and shop.orders, which had changed by
    then, or may have, cannot be saved, so what would be shown never was; keep it in the state of a process, or begin a
    new recording: %sandbox snapshot shop NAME, then %sandbox restore shop NAME
    """
    return SnapshotError(
        f"sandbox {sandbox!r} cannot go back now: its recording begins anew at step {begins}, and {_listed(lost)}, "
        "which had changed by then, or may have, cannot be saved, so what would be shown never was; keep it in the "
        f"state of a process, or begin a new recording: %sandbox snapshot {sandbox} NAME, then %sandbox restore "
        f"{sandbox} NAME"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown
