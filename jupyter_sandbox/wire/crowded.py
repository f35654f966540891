"""How many things the lists of a long frame hold, counted in its bytes before anything is made of them. Pure.

What a list of lists may hold cannot be said list by list: a thousand processes with a thousand links each are a million
things, each of which would be made, looked at and thrown away again on the kernel's time. Nor can it be asked of who
decodes: of a key that comes twice, both values are made and one is told. So whatever stands behind such a key counts.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from ..model.errors import RemoteProtocolError
from ..model.listed import DEEDS_TOLD, LINES_TOLD, LINKS, LISTED

SHORT: Final = 64 * 1024
"""Bytes: what so few can hold is not worth counting."""


def _lists(key: str) -> re.Pattern[bytes]:
    """The head of a list behind its key.

    In a text no such byte stands behind a letter but those of two letters in Syria, so there the length of the key has
    to stand before it. It is looked at last: what begins with plain letters is found five times as soon.
    """
    name, size = key.encode(), len(key)
    return re.compile(
        rb"%b([\x90-\x9f]|(?<=[%b%b]%b)(?:\xdc..|\xdd....))" % (name, bytes([0xA0 | size]), bytes([size]), name), re.S
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What lies in all lists behind these keys together."""

    what: str
    most: int
    lists: tuple[re.Pattern[bytes], ...]

    def refuse(self, payload: bytes) -> None:
        """Raises RemoteProtocolError for too many; of what is named twice both count, as both would be made."""
        size = 0
        for lists in self.lists:
            heads = lists.findall(payload)
            if len(heads) > LISTED:
                raise RemoteProtocolError(f"the other side sent {len(heads)} lists of {self.what} at once")
            size += sum(_length(head) * count for head, count in Counter(heads).items())
        if size > self.most:
            raise RemoteProtocolError(f"the other side sent {size} {self.what} at once; {self.most} are told at most")


def _crowd(what: str, most: int, *keys: str) -> _Crowd:
    return _Crowd(what, most, tuple(map(_lists, keys)))


_LINKS = _crowd("links", LINKS, "links", "monitors")
_LINES = _crowd("lines", LINES_TOLD, "traceback", "stopped", "started")
_CROWDS: Final[dict[str, tuple[_Crowd, ...]]] = {
    "TreeReply": (_LINKS, _crowd("processes", LISTED, "processes")),
    "TreeChanged": (_LINKS, _crowd("processes", 3 * LISTED, "changed", "removed", "order")),
    "Stepped": (_crowd("deeds", DEEDS_TOLD, "did"),),
    "WhyList": (_LINES,),
    "Sample": (_LINES,),
}
"""By the name of the frame. Of another one's keys nothing is known: a snapshot may hold anything."""


def refuse_crowds(frame: str, payload: bytes) -> None:
    """Raises RemoteProtocolError for a frame of this name with more things than any honest guest tells of.

    >>> import msgspec
    >>> shown = {"links": [""] * 150_000, "monitors": [""] * 60_000}
    >>> refuse_crowds("TreeReply", msgspec.msgpack.encode(shown))
    Traceback (most recent call last):
    jupyter_sandbox.model.errors.RemoteProtocolError: the other side sent 210000 links at once; 200000 are told at most
    """
    for crowd in _CROWDS.get(frame, ()):
        crowd.refuse(payload)


def _length(head: bytes) -> int:
    return head[0] & 0x0F if len(head) == 1 else int.from_bytes(head[1:], "big")
