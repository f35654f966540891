"""How many links a long picture of a tree holds, counted in its bytes before anything is made of them. Pure.

What a list of lists may hold cannot be said list by list: a thousand processes with a thousand links each are a million
things, each of which would be made, looked at and thrown away again on the kernel's time.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..model.errors import RemoteProtocolError
from ..model.listed import LINKS, ManyOf

SHORT: Final = 64 * 1024
"""Bytes: what so few can hold is not worth counting."""
_NOTHING = msgspec.Raw(b"\x90")


class _Process(msgspec.Struct):
    links: msgspec.Raw = _NOTHING
    monitors: msgspec.Raw = _NOTHING


class _Picture(msgspec.Struct):
    processes: ManyOf[_Process] = []
    changed: ManyOf[_Process] = []


class _Outer(msgspec.Struct):
    tree: _Picture | None = None
    diff: _Picture | None = None


_DECODER = msgspec.msgpack.Decoder(_Outer)
_PICTURES: Final = (b"TreeChanged", b"TreeReply")


def links_in(payload: bytes) -> int:
    """Of a frame that shows a tree. Raises msgspec.MsgspecError for bytes that are none.

    >>> links_in(msgspec.msgpack.encode({"diff": {"changed": [{"links": ["a", "b"], "monitors": ["c"]}, {}]}}))
    3
    """
    outer = _DECODER.decode(payload)
    shown = [*outer.tree.processes] if outer.tree is not None else []
    shown += outer.diff.changed if outer.diff is not None else []
    return sum(_length(bytes(one.links)) + _length(bytes(one.monitors)) for one in shown)


def refuse_crowds(payload: bytes) -> None:
    """Raises RemoteProtocolError for a picture of a tree with more links than any honest guest tells of."""
    if not any(name in payload for name in _PICTURES):
        return
    if (links := links_in(payload)) > LINKS:
        raise RemoteProtocolError(f"the other side sent a tree with {links} links; {LINKS} are told at most")


def _length(array: bytes) -> int:
    """As the head of a list says; what is none is found out later."""
    if array[0] & 0xF0 == 0x90:
        return array[0] & 0x0F
    return int.from_bytes(array[1 : 5 if array[0] == 0xDD else 3], "big") if array[0] in (0xDC, 0xDD) else 0
