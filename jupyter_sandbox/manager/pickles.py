"""Python arguments on their way into a guest. Only written here: nothing is ever read from a pickle in the kernel.

What came out of a sandbox may go back into one: a Record as an object of its class, plain data as it is. What came out
in words only, of its own or because it was too much, is refused: it would replace what it tells of.
"""

from __future__ import annotations

import io
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NoReturn

import cloudpickle

from ..model import anatomy, returned
from ..model.data import Opaque, Record
from ..model.errors import UsageError, shown
from ..model.harmless import on_one_line
from ..model.picture import Drawn

MAX_BYTES = 32 << 20
_LONGEST_PLACE = 200


class _NotItself(Exception):
    """Something that only tells of a value is about to be sent in its place."""

    def __init__(self, found: Opaque | Drawn) -> None:
        super().__init__()
        self.found = found


def _refuse(found: Opaque | Drawn) -> NoReturn:
    raise _NotItself(found)


def _record(value: Record) -> Any:
    return returned.again, (value.type_name, dict(value.fields))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Mapping[Any, Any]] = ChainMap(
        {Opaque: _refuse, Drawn: _refuse, Record: _record}, *cloudpickle.Pickler.dispatch_table.maps
    )


def pack(value: object, field: str = "the argument") -> bytes:
    """``value`` as a guest can open it; classes and functions of the notebook travel by value.

    Raises UsageError for what cannot travel (an open file, a lock, a generator), is too large, or came out of a sandbox
    in words only.
    """
    buffer = io.BytesIO()
    try:
        _Pickler(buffer).dump(value)
    except _NotItself as error:
        raise _in_words(value, error.found, field) from None
    except MemoryError as error:
        raise UsageError(
            f"the kernel has no memory to send {field} of type {type(value).__name__}: free some in the notebook"
        ) from error
    except Exception as error:  # whatever a user's __reduce__ raises
        raise UsageError(
            f"{field} of type {type(value).__name__} cannot be sent into a sandbox "
            f"({type(error).__name__}{_words(error)}); send plain data"
        ) from error
    data = buffer.getvalue()
    if len(data) > MAX_BYTES:
        raise UsageError(f"{field} is too large: {len(data)} bytes of at most {MAX_BYTES}; send less")
    return data


def _in_words(value: object, found: Opaque | Drawn, field: str) -> UsageError:
    place = on_one_line(_place(value, found), _LONGEST_PLACE)
    head = f"{field} cannot be sent into a sandbox: {f'at {place} it has' if place else 'it is'}"
    if isinstance(found, Drawn):
        return UsageError(f"{head} a value with its picture; send its .value")
    told = on_one_line(shown(found), _LONGEST_PLACE)
    return UsageError(
        f"{head} {told}, of which only these words came out of a sandbox; change the value inside: %%sandbox exec"
    )


def _place(value: object, wanted: object) -> str:
    """Where in a value something is: ``[2]['total'].item``; empty where that cannot be told. Runs no code of it."""
    waiting, seen = [(value, "")], {id(value)}
    while waiting:
        one, place = waiting.pop()
        if one is wanted:
            return place
        for step, inside in _inside(one):
            if id(inside) not in seen:
                seen.add(id(inside))
                waiting.append((inside, place + step))
    return ""


def _inside(value: Any) -> Iterator[tuple[str, object]]:
    kind = type(value)
    if kind is Record:
        yield from ((f".{name}", held) for name, held in value.fields.items())
    elif issubclass(kind, dict):
        for key, held in dict.items(value):
            yield ".keys()", key
            yield f"[{shown(key)}]", held
    elif issubclass(kind, list | tuple):
        items = (list if issubclass(kind, list) else tuple).__iter__(value)
        yield from ((f"[{index}]", held) for index, held in enumerate(items))
    elif issubclass(kind, set | frozenset):
        items = (set if issubclass(kind, set) else frozenset).__iter__(value)
        yield from (("{}", held) for held in items)
    else:
        yield from ((f".{name}", held) for name, held in anatomy.instance_fields(value))


def _words(error: Exception) -> str:
    try:
        return f": {on_one_line(str(error), 200)}"
    except Exception:  # an error of the user's own that cannot be read either
        return ""
