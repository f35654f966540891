"""Any object to a tree of nodes: bounded, total, and without running a line of the object's own code."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any, Literal

from ..model import anatomy
from ..model.data import Opaque, Record
from ..model.ids import Pid, Ref
from ..model.text import short_text
from .value_nodes import (
    MAX_BITS,
    SMALL_INT,
    BytesNode,
    DeltaNode,
    DictNode,
    FrozenSetNode,
    IdNode,
    IntNode,
    ListNode,
    Node,
    OpaqueNode,
    RecordNode,
    SetNode,
    SurrogatesNode,
    TimeNode,
    TupleNode,
)

_TEXT_LIMIT = 400
_NODE_COST = 10
_TIME_COST = 40
_LAST = 1


def opaque_node(value: object) -> OpaqueNode:
    """The name and a bounded text of anything."""
    try:
        return OpaqueNode(carried(anatomy.type_name(value)), carried(short_text(value, _TEXT_LIMIT)))
    except Exception:  # a metaclass that lies, or that another thread changes under us
        return OpaqueNode("object", "")


def carried(text: str) -> str:
    """The text with everything that UTF-8 has no bytes for written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


class More:
    """Stands in a walk for ``count`` values that are left out."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count

    def node(self) -> OpaqueNode:
        return OpaqueNode("more", f"… {self.count} more")


class Oversize(Exception):
    """A value that is to arrive whole and cannot: it has ``size`` bytes or more, or too ``many`` things."""

    def __init__(self, size: int, many: Literal["", "items", "keys"] = "") -> None:
        super().__init__(size, many)
        self.size, self.many = size, many


class ValueEncoder:
    """One walk over one value, counting what it costs."""

    __slots__ = ("_path", "bytes_left", "items_left", "max_depth")

    def __init__(self, max_bytes: int, max_items: int, max_depth: int) -> None:
        self.bytes_left, self.items_left, self.max_depth = max_bytes, max_items, max_depth
        self._path: set[int] = set()

    def node(self, value: Any, depth: int = 0) -> Node:
        self.items_left -= 1
        self.bytes_left -= _NODE_COST
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value  # type: ignore[no-any-return]
        leaf = _LEAVES.get(kind)
        if leaf is not None:
            return leaf(self, value)
        if depth >= self.max_depth or id(value) in self._path:
            return self.opaque(value)
        self._path.add(id(value))
        try:
            container = _CONTAINERS.get(kind)
            return container(self, value, depth + 1) if container is not None else self.other(value, depth)
        finally:
            self._path.discard(id(value))

    def key(self, value: Any, depth: int) -> Node:
        """A node that the kernel can hash: mutable things and big numbers (whose hashes can be chosen) are texts."""
        kind = type(value)
        if kind in (tuple, frozenset) and depth < self.max_depth:
            self.items_left -= 1
            self.bytes_left -= _NODE_COST
            items = self.keys(value, depth + 1)
            return TupleNode(items) if kind is tuple else FrozenSetNode(items)
        if kind is int and value not in SMALL_INT:
            return self.opaque(value)
        if value is None or kind is bool or kind is float or kind in _LEAVES:
            return self.node(value, depth)
        for base in (str, int, float, bytes):
            if anatomy.isinstance_of(value, base) and anatomy.enum_name(value) is None:
                return self.key(plain_part(value, base), depth)
        return self.opaque(value)

    def full(self) -> bool:
        """Whether what is to come has to be left out."""
        return self.items_left <= _LAST or self.bytes_left <= 0

    def long(self, value: str | bytes | bytearray | int, size: int) -> Node:
        """In place of something of so many bytes, which are more than there is room for."""
        return self.opaque(value)

    def some(self, values: Iterable[Any], count: int) -> Iterable[Any]:
        """The values while there is room; then a More that counts the rest."""
        for index, value in enumerate(values):
            if self.full():
                yield More(count - index)
                return
            yield value

    def opaque(self, value: object) -> OpaqueNode:
        found = opaque_node(value)
        self.items_left -= 1
        self.bytes_left -= _NODE_COST + len(found.text.encode()) + len(found.type_name.encode())
        return found

    def text(self, value: str) -> Node:
        """The whole text; over the limit its beginning."""
        if len(value) > self.bytes_left:
            return self.long(value, len(value))
        try:
            size = len(value) if value.isascii() else len(value.encode())
        except UnicodeEncodeError:
            body = value.encode("utf-8", "surrogatepass")
            self.bytes_left -= len(body)
            return SurrogatesNode(body)
        if size > self.bytes_left:
            return self.long(value, size)
        self.bytes_left -= size
        return value

    def body(self, value: bytes | bytearray) -> Node:
        if len(value) > self.bytes_left:
            return self.long(value, len(value))
        self.bytes_left -= len(value)
        return BytesNode(bytes(value))

    def integer(self, value: int) -> Node:
        if value in SMALL_INT:
            return value
        bits = value.bit_length()
        if bits > MAX_BITS:
            return self.opaque(value)
        if bits > self.bytes_left * 8:
            return self.long(value, bits // 8 + 1)
        self.bytes_left -= bits // 8 + 1
        return IntNode(value.to_bytes(bits // 8 + 1, "big", signed=True))

    def time(self, value: datetime.datetime | datetime.date | datetime.time) -> Node:
        """With its offset from UTC. A user's time zone would run its code, so only the standard ones are asked."""
        zone = getattr(value, "tzinfo", None)
        if zone is not None and type(zone) is not datetime.timezone and not anatomy.is_standard(type(zone)):
            return self.opaque(value)
        self.bytes_left -= _TIME_COST
        return TimeNode(type(value).__name__, value.isoformat(), bool(getattr(value, "fold", 0)))

    def items(self, values: list[Any] | tuple[Any, ...], depth: int) -> list[Node]:
        return [self.node(value, depth) for value in self.some(values, len(values))]

    def keys(self, values: tuple[Any, ...] | set[Any] | frozenset[Any], depth: int) -> list[Node]:
        return [self.key(value, depth) for value in self.some(values, len(values))]

    def pairs(self, value: dict[Any, Any], depth: int) -> DictNode:
        flat: list[Node] = []
        for pair in self.some(value.items(), len(value)):
            if type(pair) is More:
                flat += (pair.node(), None)
            else:
                flat += (self.key(pair[0], depth), self.node(pair[1], depth))
        return DictNode(flat)

    def record(self, value: object, fields: Iterable[tuple[str, Any]], depth: int) -> Node:
        type_name = value.type_name if type(value) is Record else anatomy.type_name(value)
        names: list[str] = []
        items: list[Node] = []
        for name, held in fields:
            if self.full():
                return self.opaque(value)
            names.append(carried(anatomy.plain_text(name)))
            self.bytes_left -= len(names[-1].encode())
            items.append(self.node(held, depth))
        self.bytes_left -= len(type_name.encode("utf-8", "backslashreplace"))
        return RecordNode(carried(type_name), names, items)

    def other(self, value: Any, depth: int) -> Node:
        """An object of another class: dataclasses and named tuples by field, subclasses of plain types as these."""
        if anatomy.enum_name(value) is not None or anatomy.isinstance_of(value, type):
            return self.opaque(value)
        if (declared := anatomy.named_fields(value)) is not None:
            stored = dict(anatomy.instance_fields(value))
            return self.record(value, [(name, stored[name]) for name in declared if name in stored], depth + 1)
        if (names := anatomy.tuple_names(value)) is not None:
            return self.record(value, zip(names, tuple.__iter__(value), strict=True), depth + 1)
        for base in _PLAIN:
            if anatomy.isinstance_of(value, base):
                return self.node(plain_part(value, base), depth)
        return self.opaque(value)


class WholeEncoder(ValueEncoder):
    """Leaves out nothing for its size: where there is no room for the whole value, it raises Oversize."""

    __slots__ = ("_keys_left", "_most_bytes", "_most_items")

    def __init__(self, max_bytes: int, max_items: int, max_keys: int, max_depth: int) -> None:
        super().__init__(max_bytes, max_items, max_depth)
        self._most_bytes, self._most_items, self._keys_left = max_bytes, max_items, max_keys

    @property
    def size(self) -> int:
        """Bytes that the nodes so far take at most."""
        return self._most_bytes - self.bytes_left

    @property
    def least(self) -> int:
        """Bytes of what stands in them alone."""
        return self.size - _NODE_COST * (self._most_items - self.items_left)

    def full(self) -> bool:
        if self.items_left <= 0:
            raise Oversize(self.size, "items")
        if self.bytes_left <= 0:
            raise Oversize(self.size)
        return False

    def long(self, value: str | bytes | bytearray | int, size: int) -> Node:
        raise Oversize(self.size + size)

    def keys(self, values: tuple[Any, ...] | set[Any] | frozenset[Any], depth: int) -> list[Node]:
        found = super().keys(values, depth)
        self._count_keys(found)
        return found

    def pairs(self, value: dict[Any, Any], depth: int) -> DictNode:
        found = super().pairs(value, depth)
        self._count_keys(found.items[::2])
        return found

    def _count_keys(self, keys: list[Node]) -> None:
        """Hashes of what is no text can be chosen, so who reads takes fewer of them."""
        if any(type(key) is not str for key in keys):
            self._keys_left -= len(keys)
            if self._keys_left < 0:
                raise Oversize(self.size, "keys")


_PLAIN: tuple[type, ...] = (str, int, float, bytes, bytearray, list, tuple, dict, set, frozenset)


def plain_part(value: Any, base: Any) -> Any:
    """A copy of the plain part of a subclass's object, through the base's own methods."""
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
    return base(base.__iter__(value))


_LEAVES: dict[type, Callable[[ValueEncoder, Any], Node]] = {
    int: ValueEncoder.integer,
    str: ValueEncoder.text,
    bytes: ValueEncoder.body,
    bytearray: ValueEncoder.body,
    Pid: lambda encoder, value: IdNode(True, value.number),
    Ref: lambda encoder, value: IdNode(False, value.number),
    Opaque: lambda encoder, value: OpaqueNode(carried(value.type_name), carried(value.text)),
    More: lambda encoder, value: value.node(),
    datetime.datetime: ValueEncoder.time,
    datetime.time: ValueEncoder.time,
    datetime.date: ValueEncoder.time,
    datetime.timedelta: lambda encoder, value: DeltaNode(value.days, value.seconds, value.microseconds),
}
_CONTAINERS: dict[type, Callable[[ValueEncoder, Any, int], Node]] = {
    list: lambda encoder, value, depth: ListNode(encoder.items(value, depth)),
    tuple: lambda encoder, value, depth: TupleNode(encoder.items(value, depth)),
    dict: lambda encoder, value, depth: encoder.pairs(value, depth),
    set: lambda encoder, value, depth: SetNode(encoder.keys(value, depth)),
    frozenset: lambda encoder, value, depth: FrozenSetNode(encoder.keys(value, depth)),
    Record: lambda encoder, value, depth: encoder.record(value, value.fields.items(), depth),
}
