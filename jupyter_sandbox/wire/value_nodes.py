"""The form on the wire of a Python value: a tree of MessagePack values and tagged arrays.

None, bool, 64-bit int, float and str stand for themselves; everything else is
an array whose first item is a tag. Decoding a tree checks all of its shape.
"""

from __future__ import annotations

import msgspec

MAX_BITS = 14_000
"""Of an int: Python refuses to write a longer one as decimal digits, so nobody could look at it."""
SMALL_INT = range(-(1 << 63), 1 << 64)


class IntNode(msgspec.Struct, array_like=True, tag=1, frozen=True):
    body: bytes


class ListNode(msgspec.Struct, array_like=True, tag=2, frozen=True):
    items: list[Node]


class TupleNode(msgspec.Struct, array_like=True, tag=3, frozen=True):
    items: list[Node]


class DictNode(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """Keys and values in turn."""

    items: list[Node]


class SetNode(msgspec.Struct, array_like=True, tag=5, frozen=True):
    items: list[Node]


class FrozenSetNode(msgspec.Struct, array_like=True, tag=6, frozen=True):
    items: list[Node]


class RecordNode(msgspec.Struct, array_like=True, tag=7, frozen=True):
    type_name: str
    names: list[str]
    items: list[Node]


class OpaqueNode(msgspec.Struct, array_like=True, tag=8, frozen=True):
    type_name: str
    text: str


class IdNode(msgspec.Struct, array_like=True, tag=9, frozen=True):
    """A Pid when ``process``, else a Ref."""

    process: bool
    number: int


class TimeNode(msgspec.Struct, array_like=True, tag=10, frozen=True):
    """ISO 8601 of a datetime, date or time; ``fold`` is the second pass of a repeated hour."""

    kind: str
    text: str
    fold: bool


class DeltaNode(msgspec.Struct, array_like=True, tag=11, frozen=True):
    days: int
    seconds: int
    microseconds: int


class BytesNode(msgspec.Struct, array_like=True, tag=13, frozen=True):
    body: bytes


class SurrogatesNode(msgspec.Struct, array_like=True, tag=12, frozen=True):
    """A str that UTF-8 cannot carry."""

    body: bytes


Node = (
    None | bool | int | float | str | BytesNode | IntNode | ListNode | TupleNode | DictNode | SetNode
    | FrozenSetNode | RecordNode | OpaqueNode | IdNode | TimeNode | DeltaNode | SurrogatesNode
)  # fmt: skip
