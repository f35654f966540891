"""Python values as data: what may leave a sandbox, and how the kernel reads it.

The guest's side (``encode_value``) takes any object, however hostile, runs none
of its code and always returns bytes: what has no form as data becomes its
type's name and a bounded text. The kernel's side (``decode_value``) builds
plain values only; nothing is imported, unpickled or evaluated.

One node of the tree is a plain MessagePack value (None, bool, 64-bit int,
float, str) or an array whose first item is a tag.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ..model import anatomy
from ..model.data import Opaque, Record
from ..model.errors import RemoteProtocolError
from ..model.ids import Pid, Ref
from ..model.text import short_text

MAX_BYTES = 256_000
MAX_ITEMS = 10_000
MAX_DEPTH = 20
_TEXT_LIMIT = 400
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1
_NODE_COST = 4


class _Int(msgspec.Struct, array_like=True, tag=1, frozen=True):
    body: bytes


class _List(msgspec.Struct, array_like=True, tag=2, frozen=True):
    items: list[_Node]


class _Tuple(msgspec.Struct, array_like=True, tag=3, frozen=True):
    items: list[_Node]


class _Dict(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """Keys and values in turn."""

    items: list[_Node]


class _Set(msgspec.Struct, array_like=True, tag=5, frozen=True):
    items: list[_Node]


class _FrozenSet(msgspec.Struct, array_like=True, tag=6, frozen=True):
    items: list[_Node]


class _Record(msgspec.Struct, array_like=True, tag=7, frozen=True):
    type_name: str
    names: list[str]
    items: list[_Node]


class _Opaque(msgspec.Struct, array_like=True, tag=8, frozen=True):
    type_name: str
    text: str


class _Id(msgspec.Struct, array_like=True, tag=9, frozen=True):
    """A Pid when ``process``, else a Ref."""

    process: bool
    number: int


class _Time(msgspec.Struct, array_like=True, tag=10, frozen=True):
    """ISO 8601 of a datetime, date or time; ``fold`` is the second pass of a repeated hour."""

    kind: str
    text: str
    fold: bool


class _Delta(msgspec.Struct, array_like=True, tag=11, frozen=True):
    days: int
    seconds: int
    microseconds: int


class _Bytes(msgspec.Struct, array_like=True, tag=13, frozen=True):
    body: bytes


class _Surrogates(msgspec.Struct, array_like=True, tag=12, frozen=True):
    """A str that UTF-8 cannot carry."""

    body: bytes


_Node = (
    None | bool | int | float | str | _Bytes | _Int | _List | _Tuple | _Dict | _Set | _FrozenSet | _Record | _Opaque
    | _Id | _Time | _Delta | _Surrogates
)  # fmt: skip
_DECODER: msgspec.msgpack.Decoder[_Node] = msgspec.msgpack.Decoder(_Node)
_encode = msgspec.msgpack.Encoder().encode


def encode_value(
    value: object, *, max_bytes: int = MAX_BYTES, max_items: int = MAX_ITEMS, max_depth: int = MAX_DEPTH
) -> bytes:
    """Any object as at most about ``max_bytes`` bytes. Never raises for any object and runs none of its code.

    What is over a limit is left out, and a text in its place says so.

    >>> decode_value(encode_value({"n": 1, ("a", 2): {3}}))
    {'n': 1, ('a', 2): {3}}
    >>> decode_value(encode_value(list(range(100)), max_items=4))
    [0, 1, 2, … 97 more]
    """
    try:
        return _encode(_Encoder(max_bytes, max_items, max_depth).node(value, 0))
    except Exception:  # changed by another thread while we looked, or a metaclass that lies
        return _encode(_opaque(value))


def decode_value(data: bytes, *, max_bytes: int = 1 << 20, max_items: int = 2 * MAX_ITEMS) -> object:
    """The value as plain data, ids, Record and Opaque. Raises RemoteProtocolError on anything malformed."""
    if len(data) > max_bytes:
        raise RemoteProtocolError(f"the other side sent a value of {len(data)} bytes; {max_bytes} are allowed")
    try:
        return _Decoder(max_items).value(_DECODER.decode(data))
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"the other side sent a value that cannot be read: {str(error)[:200]}") from None


def _opaque(value: object) -> _Opaque:
    try:
        name, text = anatomy.type_name(value), short_text(value, _TEXT_LIMIT)
    except Exception:
        name, text = "object", ""
    return _Opaque(name, _carried(text))


def _carried(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _more(count: int | None) -> _Opaque:
    return _Opaque("more", "… more" if count is None else f"… {count} more")


class _Encoder:
    """One walk over one value, counting what it costs."""

    __slots__ = ("bytes_left", "items_left", "max_depth", "path")

    def __init__(self, max_bytes: int, max_items: int, max_depth: int) -> None:
        self.bytes_left, self.items_left, self.max_depth = max_bytes, max_items, max_depth
        self.path: set[int] = set()

    def node(self, value: Any, depth: int) -> _Node:
        self.items_left -= 1
        self.bytes_left -= _NODE_COST
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value  # type: ignore[no-any-return]
        leaf = _LEAVES.get(kind)
        if leaf is not None:
            return leaf(self, value)
        if depth >= self.max_depth or id(value) in self.path:
            return self.opaque(value)
        self.path.add(id(value))
        try:
            container = _CONTAINERS.get(kind)
            return container(self, value, depth + 1) if container is not None else self.other(value, depth + 1)
        finally:
            self.path.discard(id(value))

    def key(self, value: Any, depth: int) -> _Node:
        """A node that the kernel can hash: mutable things and big numbers (whose hashes can be chosen) are texts."""
        kind = type(value)
        if kind is tuple and depth < self.max_depth:
            return _Tuple([self.key(item, depth + 1) for item in self.some(value, len(value))])
        if kind is frozenset and depth < self.max_depth:
            return _FrozenSet([self.key(item, depth + 1) for item in self.some(value, len(value))])
        if kind is int and not _INT_MIN <= value <= _INT_MAX:
            return self.opaque(value)
        if value is None or kind is bool or kind is float or kind in _LEAVES:
            return self.node(value, depth)
        for base in (str, int, float, bytes):
            if anatomy.isinstance_of(value, base) and anatomy.enum_name(value) is None:
                return self.key(_exact(value, base), depth)
        return self.opaque(value)

    def some(self, values: Iterable[Any], count: int) -> Iterable[Any]:
        """The values while there is room; a text that counts the rest comes last."""
        for index, value in enumerate(values):
            if self.items_left <= 1 or self.bytes_left <= 0:
                yield _More(count - index)
                return
            yield value

    def opaque(self, value: object) -> _Opaque:
        found = _opaque(value)
        self.items_left -= 1
        self.bytes_left -= len(found.text) + len(found.type_name)
        return found

    def sized(self, value: str | bytes) -> _Node:
        """A text or bytes; over the limit its beginning and its length."""
        self.bytes_left -= len(value)
        if self.bytes_left < 0:
            self.bytes_left += len(value)
            return self.opaque(value)
        if isinstance(value, str):
            try:
                self.bytes_left -= 0 if value.isascii() else len(value.encode()) - len(value)
            except UnicodeEncodeError:
                return _Surrogates(value.encode("utf-8", "surrogatepass"))
            return value
        return _Bytes(value)

    def integer(self, value: int) -> _Node:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        size = value.bit_length() // 8 + 1
        self.bytes_left -= size
        if self.bytes_left < 0:
            return self.opaque(value)
        return _Int(value.to_bytes(size, "big", signed=True))

    def items(self, values: Iterable[Any], count: int, depth: int) -> list[_Node]:
        return [self.node(value, depth) for value in self.some(values, count)]

    def keys(self, values: Iterable[Any], count: int, depth: int) -> list[_Node]:
        return [self.key(value, depth) for value in self.some(values, count)]

    def pairs(self, value: dict[Any, Any], depth: int) -> _Dict:
        flat: list[_Node] = []
        entries = list(dict.items(value)) if dict.__len__(value) <= self.items_left else dict.items(value)
        for entry in self.some(entries, dict.__len__(value)):
            if type(entry) is _More:
                flat += (_more(entry.count), None)
                break
            flat += (self.key(entry[0], depth), self.node(entry[1], depth))
        return _Dict(flat)

    def record(self, value: object, fields: Iterable[tuple[str, Any]], depth: int) -> _Node:
        names: list[str] = []
        items: list[_Node] = []
        for name, held in fields:
            if self.items_left <= 1 or self.bytes_left <= 0:
                return self.opaque(value)
            names.append(_carried(anatomy.plain_text(name)))
            items.append(self.node(held, depth))
            self.bytes_left -= len(names[-1])
        return _Record(_carried(anatomy.type_name(value)), names, items)

    def other(self, value: Any, depth: int) -> _Node:
        """An object of another class: dataclasses and named tuples by field, subclasses of plain types as these."""
        if anatomy.enum_name(value) is not None or anatomy.isinstance_of(value, type):
            return self.opaque(value)
        declared = anatomy.named_fields(value)
        if declared is not None:
            stored = dict(anatomy.instance_fields(value))
            return self.record(value, [(name, stored[name]) for name in declared if name in stored], depth)
        names = anatomy.tuple_names(value)
        if names is not None:
            return self.record(value, zip(names, tuple.__iter__(value), strict=True), depth)
        for base in _PLAIN:
            if anatomy.isinstance_of(value, base):
                return self.node(_exact(value, base), depth)
        return self.opaque(value)


class _More:
    """Marks in a walk that the rest was left out."""

    __slots__ = ("count",)

    def __init__(self, count: int | None) -> None:
        self.count = count


_PLAIN: tuple[type, ...] = (str, int, float, bytes, bytearray, list, tuple, dict, set, frozenset)


def _exact(value: Any, base: type) -> Any:
    """A copy of the plain part of a subclass, through the base's own methods."""
    if base is str:
        return str.__getitem__(value, slice(None))
    if base is bytes or base is bytearray:
        return bytes(base.__getitem__(value, slice(None)))
    if base is int:
        return int.__pos__(value)
    if base is float:
        return float.__pos__(value)
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value))  # type: ignore[attr-defined]


def _moment(encoder: _Encoder, value: datetime.datetime | datetime.time) -> _Node:
    """With its offset from UTC; the zone's own class would run code, so only the standard ones are asked."""
    zone = value.tzinfo
    if zone is not None and type(zone) is not datetime.timezone and anatomy.type_name(zone) != "zoneinfo.ZoneInfo":
        return encoder.opaque(value)
    return _Time(type(value).__name__, value.isoformat(), bool(value.fold))


_LEAVES: dict[type, Callable[[_Encoder, Any], _Node]] = {
    int: _Encoder.integer,
    str: _Encoder.sized,
    bytes: _Encoder.sized,
    bytearray: lambda encoder, value: encoder.sized(bytes(value)),
    Pid: lambda encoder, value: _Id(True, value.number),
    Ref: lambda encoder, value: _Id(False, value.number),
    Opaque: lambda encoder, value: _Opaque(_carried(value.type_name), _carried(value.text)),
    _More: lambda encoder, value: _more(value.count),
    datetime.datetime: _moment,
    datetime.time: _moment,
    datetime.date: lambda encoder, value: _Time("date", value.isoformat(), False),
    datetime.timedelta: lambda encoder, value: _Delta(value.days, value.seconds, value.microseconds),
}
_CONTAINERS: dict[type, Callable[[_Encoder, Any, int], _Node]] = {
    list: lambda encoder, value, depth: _List(encoder.items(value, len(value), depth)),
    tuple: lambda encoder, value, depth: _Tuple(encoder.items(value, len(value), depth)),
    dict: _Encoder.pairs,
    set: lambda encoder, value, depth: _Set(encoder.keys(value, len(value), depth)),
    frozenset: lambda encoder, value, depth: _FrozenSet(encoder.keys(value, len(value), depth)),
    Record: lambda encoder, value, depth: encoder.record(value, value.fields.items(), depth),
}


class _Decoder:
    """One walk over one received tree."""

    __slots__ = ("items_left",)

    def __init__(self, max_items: int) -> None:
        self.items_left = max_items

    def value(self, node: _Node) -> Any:
        self.items_left -= 1
        if self.items_left < 0:
            raise ValueError("too many items")
        match node:
            case None | bool() | int() | float() | str():
                return node
            case _List(items):
                return self.many(items)
            case _Tuple(items):
                return tuple(self.many(items))
            case _Dict(items):
                return self.mapping(items)
            case _Set(items):
                return set(self.many(items))
            case _FrozenSet(items):
                return frozenset(self.many(items))
            case _Record():
                return self.record(node)
            case _Opaque(type_name, text):
                return Opaque(type_name, text)
            case _:
                return _scalar(node)

    def many(self, items: list[_Node]) -> list[Any]:
        return [self.value(item) for item in items]

    def mapping(self, items: list[_Node]) -> dict[Any, Any]:
        if len(items) % 2:
            raise ValueError("a key without a value")
        values = self.many(items)
        return dict(zip(values[::2], values[1::2], strict=True))

    def record(self, node: _Record) -> Record:
        if len(node.names) != len(node.items):
            raise ValueError("a field without a value")
        return Record(node.type_name, dict(zip(node.names, self.many(node.items), strict=True)))


_NUMBERS = 1 << 48
_CLOCKS: dict[str, Any] = {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}


def _scalar(node: _Bytes | _Int | _Id | _Time | _Delta | _Surrogates) -> object:
    match node:
        case _Int(body):
            return int.from_bytes(body, "big", signed=True)
        case _Id(process, number):
            if not 0 <= number < _NUMBERS:
                raise ValueError("an id out of range")
            return Pid.of(number) if process else Ref.of(number)
        case _Time(kind, text, fold):
            found = _CLOCKS[kind].fromisoformat(text) if kind in _CLOCKS else None
            if found is None:
                raise ValueError("an unknown kind of time")
            return found.replace(fold=1) if fold and kind != "date" else found
        case _Delta(days, seconds, microseconds):
            return datetime.timedelta(days, seconds, microseconds)
        case _Bytes(body):
            return body
        case _Surrogates(body):
            return body.decode("utf-8", "surrogatepass")
