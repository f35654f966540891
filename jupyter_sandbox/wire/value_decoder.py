"""A received tree of nodes to plain Python values. Nothing is imported or evaluated; every count is bounded."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable
from typing import Any

from ..model.data import Opaque, Record
from ..model.harmless import visible
from ..model.ids import Pid, Ref
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

_DEEPEST = 64
_COMPARISONS = 100_000
"""Of keys with the same hash, in one value, by what is compared in them."""
_TOO_MUCH = _COMPARISONS + 1
_NUMBERS = range(1 << 48)
_CLOCKS: dict[str, Any] = {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}


class ValueDecoder:
    """One walk over one received tree. Raises ValueError (or what the constructors raise) on anything odd."""

    __slots__ = ("comparisons_left", "items_left", "keys_left")

    def __init__(self, max_items: int, max_keys: int) -> None:
        self.items_left, self.keys_left = max_items, max_keys
        self.comparisons_left = _COMPARISONS

    def value(self, node: Node, depth: int = 0) -> Any:
        self.items_left -= 1
        if self.items_left < 0 or depth > _DEEPEST:
            raise ValueError("too many items or levels")
        match node:
            case None | bool() | int() | float() | str():
                return node
            case ListNode(items):
                return self.many(items, depth)
            case TupleNode(items):
                return tuple(self.many(items, depth))
            case DictNode(items):
                return self.mapping(items, depth)
            case SetNode(items):
                return set(self.keys(self.many(items, depth)))
            case FrozenSetNode(items):
                return frozenset(self.keys(self.many(items, depth)))
            case RecordNode():
                return self.record(node, depth)
            case _:
                return _leaf(node)

    def many(self, items: list[Node], depth: int) -> list[Any]:
        return [self.value(item, depth + 1) for item in items]

    def mapping(self, items: list[Node], depth: int) -> dict[Any, Any]:
        if len(items) % 2:
            raise ValueError("a key without a value")
        values = self.many(items, depth)
        return dict(zip(self.keys(values[::2]), values[1::2], strict=True))

    def keys(self, values: list[Any]) -> list[Any]:
        """The values, when a dict of them is soon made: keys with one hash are compared each with each.

        Hashes of numbers, and of tuples and sets of numbers, can be chosen. What ``-1`` and ``-2`` do in honest pairs
        is far within the bound. Keys of different hashes can be chosen to stand in each other's way, too, but with as
        many of them as an answer may have that takes a tenth of a second.
        """
        if all(type(value) is str for value in values):
            return values
        self.keys_left -= len(values)
        if self.keys_left < 0:
            raise ValueError("too many keys that are no text")
        if any(type(value) is int and value not in SMALL_INT for value in values):
            raise ValueError("a number of this size cannot be a key")
        for _, alike in itertools.groupby(sorted(values, key=hash), hash):
            self.compare(alike)
        return values

    def compare(self, alike: Iterable[Any]) -> None:
        """Count the comparisons that a dict makes of keys with the same hash; one that is there already ends them."""
        different: list[Any] = []
        for value in alike:
            cost = _cost(value) if different else 0
            for other in different:
                self.comparisons_left -= cost
                if self.comparisons_left < 0:
                    raise ValueError("too many keys with the same hash")
                if other == value:
                    break
            else:
                different.append(value)

    def record(self, node: RecordNode, depth: int) -> Record:
        if len(node.names) != len(node.items):
            raise ValueError("a field without a value")
        names = map(_line, node.names)
        return Record(_line(node.type_name), dict(zip(names, self.many(node.items, depth), strict=True)))


def _cost(key: object) -> int:
    """How much is compared at most when a key is compared with another one of the same hash; any more is too much.

    Without an end to it, sets in sets would make a number of more digits than there is memory for.
    """
    if isinstance(key, tuple):
        return min(_TOO_MUCH, 1 + sum(map(_cost, key)))
    if isinstance(key, frozenset):
        return min(_TOO_MUCH, (1 + sum(map(_cost, key))) ** 2)  # its items may have one hash, too
    return 1


def _line(text: str) -> str:
    """Names and texts are shown as they are, so nothing in them may steer a terminal."""
    return visible(text if text.isprintable() else repr(text)[1:-1])


def _leaf(node: BytesNode | IntNode | IdNode | TimeNode | DeltaNode | SurrogatesNode | OpaqueNode) -> object:
    match node:
        case OpaqueNode(type_name, text):
            return Opaque(_line(type_name), _line(text))
        case BytesNode(body):
            return body
        case IntNode(body):
            if len(body) > MAX_BITS // 8 + 1:
                raise ValueError("a number too long")
            return int.from_bytes(body, "big", signed=True)
        case IdNode(process, number):
            if number not in _NUMBERS:
                raise ValueError("an id out of range")
            return Pid.of(number) if process else Ref.of(number)
        case TimeNode():
            return _moment(node)
        case DeltaNode(days, seconds, microseconds):
            return datetime.timedelta(days, seconds, microseconds)
        case SurrogatesNode(body):
            return body.decode("utf-8", "surrogatepass")


def _moment(node: TimeNode) -> object:
    if node.kind not in _CLOCKS:
        raise ValueError("an unknown kind of time")
    found = _CLOCKS[node.kind].fromisoformat(node.text)
    return found.replace(fold=1) if node.fold and node.kind != "date" else found
