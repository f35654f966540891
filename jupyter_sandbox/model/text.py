"""Short texts of arbitrary values for columns and lines.

Bounded in time and length, always one printable line, and safe with hostile
objects: no ``__repr__`` (or any other method) of a user's class is called.
An object of an unknown class is shown by its name and its stored attributes.
"""

from __future__ import annotations

import collections
import datetime
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from . import anatomy
from .data import Opaque, Record
from .exits import CallFailed, Crash
from .ids import Pid, Ref

_DEEPEST = 8
_FEW = 16
_QUICK = frozenset({tuple, list, dict})
_SCALARS = frozenset({bool, type(None), float, Pid, Ref})
_SORTED_SET = 64
_SMALL_INT = 10**15
_READABLE_BITS = 2_000


def short_text(value: object, limit: int = 80) -> str:
    """``repr`` for people: at most ``limit`` characters, cut with ``…``; never raises, never runs user code.

    >>> short_text({"n": [1, "two", None]})
    "{'n': [1, 'two', None]}"
    >>> short_text(list(range(1000)), 20)
    '[0, 1, 2, 3, 4, 5, …'
    """
    kind = type(value)
    if kind is int:
        if -_SMALL_INT < value < _SMALL_INT:  # type: ignore[operator]
            return repr(value)
    elif value is None or kind is bool:
        return repr(value)
    elif kind in _QUICK and _is_quick(value, limit):
        text = repr(value)
        return text if len(text) <= limit else text[: limit - 1] + "…"
    out: list[str] = []
    try:
        room = _write(out, value, limit, 0)
        text = "".join(out)
    except Exception:  # a dict that another thread changes under us, a lying metaclass: a name is still a text
        text = f"<{_safe_name(value)}>"
        room = limit - len(text)
    return text if room >= 0 else text[: limit - 1] + "…"


def _is_quick(value: Any, limit: int, depth: int = 0) -> bool:
    """A handful of plain things, whose own ``repr`` is as short and as safe as ours, and faster."""
    if depth > 1 or len(value) > _FEW:
        return False
    parts = value if type(value) is not dict else (*value, *value.values())
    for part in parts:
        kind = type(part)
        if kind is str:
            if len(part) > limit:
                return False
        elif kind is int:
            if not -_SMALL_INT < part < _SMALL_INT:
                return False
        elif kind not in _SCALARS and not (kind in _QUICK and _is_quick(part, limit, depth + 1)):
            return False
    return True


def _safe_name(value: object) -> str:
    try:
        return anatomy.type_name(value)
    except Exception:
        return "object"


def _write(out: list[str], value: object, room: int, depth: int) -> int:
    """Append the text of ``value``; returns the room left, negative once the limit is passed."""
    if depth > _DEEPEST:
        text = "…"
    else:
        writer = _WRITERS.get(type(value))
        if writer is not None:
            return writer(out, value, room, depth)
        leaf = _LEAVES.get(type(value))
        if leaf is None:
            return _write_other(out, value, room, depth)
        text = leaf(value, room)
    out.append(text)
    return room - len(text)


def _write_many(out: list[str], ends: str, parts: Iterable[object], room: int, depth: int) -> int:
    """``ends`` is the text around the items, split in the middle: ``[]``, ``Name()``."""
    opening, closing = ends[:-1], ends[-1]
    out.append(opening)
    room -= len(opening) + 1
    first = True
    for part in parts:
        if not first:
            out.append(", ")
            room -= 2
        first = False
        room = _write(out, part, room, depth + 1)
        if room < 0:
            return room
    out.append(closing)
    return room


def _write_pairs(out: list[str], ends: str, pairs: Iterable[tuple[object, object]], room: int, depth: int) -> int:
    """Pairs with ``: `` between when ``ends`` is braces, with ``=`` and bare names otherwise."""
    opening, closing, named = ends[:-1], ends[-1], ends[-1] == ")"
    out.append(opening)
    room -= len(opening) + 1
    first = True
    for key, value in pairs:
        if not first:
            out.append(", ")
            room -= 2
        first = False
        if named:
            out.append(f"{key}=")
            room -= len(key) + 1  # type: ignore[arg-type]
        else:
            room = _write(out, key, room, depth + 1) - 2
            out.append(": ")
        room = _write(out, value, room, depth + 1) if room >= 0 else room
        if room < 0:
            return room
    out.append(closing)
    return room


def _write_tuple(out: list[str], value: tuple[object, ...], room: int, depth: int) -> int:
    if len(value) == 1:
        out.append("(")
        room = _write(out, value[0], room - 3, depth + 1)
        if room >= 0:
            out.append(",)")
        return room
    return _write_many(out, "()", value, room, depth)


def _write_set(out: list[str], value: Iterable[object], room: int, depth: int, name: str = "") -> int:
    """Small sets in the order of their texts, so that two interpreters show the same."""
    parts = list(value)
    if not parts:
        out.append(f"{name or 'set'}()")
        return room - len(out[-1])
    ends = "{}" if not name else f"{name}({{}}"
    if len(parts) > _SORTED_SET:
        room = _write_many(out, ends, parts, room, depth)
    else:
        texts = sorted(_joined(part, room, depth + 1) for part in parts)
        text = ends[:-1] + ", ".join(texts) + ends[-1]
        out.append(text)
        room -= len(text)
    if name:
        out.append(")")
        room -= 1
    return room


def _joined(value: object, room: int, depth: int) -> str:
    out: list[str] = []
    _write(out, value, room, depth)
    return "".join(out)


def _write_other(out: list[str], value: object, room: int, depth: int) -> int:
    """An object of a class that is not known: by what it is built on, then by its stored attributes."""
    cls = type(value)
    if type(cls) is type and "__dataclass_fields__" in cls.__dict__:
        return _write_object(out, value, room, depth, cls.__qualname__)
    name = anatomy.class_name(cls)
    if (text := _standard_text(value)) is not None:
        return _append(out, _printable(text, room), room)
    if (member := anatomy.enum_name(value)) is not None:
        return _append(out, member, room)
    if (names := anatomy.tuple_names(value)) is not None:
        return _write_pairs(out, f"{name}()", zip(names, tuple.__iter__(value), strict=True), room, depth)  # type: ignore[arg-type]
    if anatomy.isinstance_of(value, BaseException):
        return _write_many(out, f"{name}()", anatomy.exception_args(value), room, depth)  # type: ignore[arg-type]
    if anatomy.isinstance_of(value, type):
        return _append(out, f"<class {anatomy.full_name(value)}>", room)  # type: ignore[arg-type]
    for base, writer in _BASES.items():
        if anatomy.isinstance_of(value, base):
            return writer(out, value, room, depth, name)
    return _write_object(out, value, room, depth, name)


def _write_object(out: list[str], value: object, room: int, depth: int, name: str) -> int:
    stored = list(anatomy.instance_fields(value))
    declared = anatomy.named_fields(value)
    if declared is not None:
        known = dict(stored)
        stored = [(field, known[field]) for field in declared if field in known]
    elif not stored:
        return _append(out, f"<{anatomy.type_name(value)}>", room)
    pairs = ((anatomy.plain_text(field), held) for field, held in stored)
    return _write_pairs(out, f"{name}()", pairs, room, depth)


def _append(out: list[str], text: str, room: int) -> int:
    out.append(text)
    return room - len(text)


def _standard_text(value: object) -> str | None:
    cls = type(value)
    if anatomy.is_standard(cls):
        return repr(value)
    if cls is getattr(sys.modules.get("numpy"), "ndarray", None):
        return f"<numpy.ndarray shape {value.shape} {value.dtype.kind}{value.dtype.itemsize}>"  # type: ignore[attr-defined]
    return None


def _printable(text: str, room: int) -> str:
    text = text[: max(room, 0) + 1]
    return text if text.isprintable() else repr(text)[1:-1]


def _text_of_str(value: str, room: int) -> str:
    return repr(value if len(value) <= room else value[: max(room, 0) + 1])


def _text_of_bytes(value: bytes, room: int) -> str:
    return repr(value if len(value) <= room else value[: max(room, 0) + 1])


def _text_of_int(value: int, room: int) -> str:
    bits = value.bit_length()
    return repr(value) if bits <= _READABLE_BITS else f"<int of {bits} bits>"


def _text_of_function(value: types.FunctionType, room: int) -> str:
    return f"<function {anatomy.plain_text(value.__module__)}.{anatomy.plain_text(value.__qualname__)}>"


def _text_of_builtin(value: types.BuiltinFunctionType, room: int) -> str:
    return f"<built-in {anatomy.plain_text(value.__qualname__)}>"


def _text_of_module(value: types.ModuleType, room: int) -> str:
    return f"<module {anatomy.plain_text(vars(value).get('__name__'))}>"


def _text_of_crash(value: Crash, room: int) -> str:
    return _printable(f"{value.error}: {value.text}" if value.text else value.error, room)


def _text_of_failed_call(value: CallFailed, room: int) -> str:
    return f"{value.function} to {value.target} failed: {short_text(value.reason, max(room, 20))}"


def _text_of_opaque(value: Opaque, room: int) -> str:
    return _printable(repr(value), room)


def _text_of_zoned(value: datetime.datetime | datetime.time, room: int) -> str:
    """A time zone of a user's class would run its code; it is left out."""
    zone = value.tzinfo
    if zone is None or type(zone) is datetime.timezone or anatomy.is_standard(type(zone)):
        return repr(value)
    return repr(value.replace(tzinfo=None))


def _plain(value: object, room: int) -> str:
    return repr(value)


_LEAVES: dict[type, Callable[..., str]] = {
    str: _text_of_str, int: _text_of_int, bool: _plain, type(None): _plain, float: _plain, complex: _plain,
    bytes: _text_of_bytes, Pid: _plain, Ref: _plain, type(...): _plain, type(NotImplemented): _plain,
    datetime.date: _plain, datetime.timedelta: _plain, datetime.timezone: _plain,
    datetime.datetime: _text_of_zoned, datetime.time: _text_of_zoned,
    types.FunctionType: _text_of_function, types.BuiltinFunctionType: _text_of_builtin,
    types.ModuleType: _text_of_module, Opaque: _text_of_opaque,
    Crash: _text_of_crash, CallFailed: _text_of_failed_call,
}  # fmt: skip
_WRITERS: dict[type, Callable[..., int]] = {
    tuple: _write_tuple,
    list: lambda out, value, room, depth: _write_many(out, "[]", value, room, depth),
    dict: lambda out, value, room, depth: _write_pairs(out, "{}", value.items(), room, depth),
    set: _write_set,
    frozenset: lambda out, value, room, depth: _write_set(out, value, room, depth, "frozenset"),
    range: lambda out, value, room, depth: _write_many(out, "range()", (value.start, value.stop), room, depth),
    slice: lambda out, value, room, depth: _write_many(out, "slice()", (value.start, value.stop), room, depth),
    Record: lambda out, value, room, depth: _write_pairs(
        out, f"{value.type_name.rpartition('.')[2]}()", value.fields.items(), room, depth
    ),
}
# Subclasses of built-ins, read through the built-in's own methods.
_BASES: dict[type, Callable[..., int]] = {
    str: lambda out, value, room, depth, name: _append(
        out, f"{name}({_text_of_str(str.__getitem__(value, slice(max(room, 0) + 1)), room)})", room
    ),
    bytes: lambda out, value, room, depth, name: _append(
        out, f"{name}({_text_of_bytes(bytes.__getitem__(value, slice(max(room, 0) + 1)), room)})", room
    ),
    bytearray: lambda out, value, room, depth, name: _append(
        out, f"{name}({_text_of_bytes(bytes(bytearray.__getitem__(value, slice(max(room, 0) + 1))), room)})", room
    ),
    int: lambda out, value, room, depth, name: _append(out, f"{name}({_text_of_int(int.__pos__(value), room)})", room),
    float: lambda out, value, room, depth, name: _append(out, f"{name}({float.__repr__(value)})", room),
    list: lambda out, value, room, depth, name: _write_wrapped(out, list.__iter__(value), "[]", room, depth, name),
    tuple: lambda out, value, room, depth, name: _write_wrapped(out, tuple.__iter__(value), "()", room, depth, name),
    collections.deque: lambda out, value, room, depth, name: _write_wrapped(
        out, collections.deque.__iter__(value), "[]", room, depth, name
    ),
    dict: lambda out, value, room, depth, name: _wrap(
        out, name, room, lambda left: _write_pairs(out, "{}", dict.items(value), left, depth)
    ),
    set: lambda out, value, room, depth, name: _write_set(out, set.__iter__(value), room, depth, name),
    frozenset: lambda out, value, room, depth, name: _write_set(out, frozenset.__iter__(value), room, depth, name),
}


def _write_wrapped(out: list[str], parts: Iterable[object], ends: str, room: int, depth: int, name: str) -> int:
    return _wrap(out, name, room, lambda left: _write_many(out, ends, parts, left, depth))


def _wrap(out: list[str], name: str, room: int, inner: Callable[[int], int]) -> int:
    out.append(f"{name}(")
    room = inner(room - len(name) - 2)
    if room >= 0:
        out.append(")")
    return room
