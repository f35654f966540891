"""How many things a value on the wire has, counted in its bytes before anything is made of them. Pure.

A megabyte of empty lists is three hundred thousand of them, each of which takes fifty times what it took on the wire.
"""

from __future__ import annotations

from typing import Final

HEADS: Final = 6
"""Of one item at most: the tag and the array of its node, and what a moment or a field of a record has beside it."""
_WIDTHS: Final = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4,
}  # fmt: skip
"""Bytes that say how long it is, or how many things are in it."""
_FIXED: Final = {
    0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5,
    0xD7: 9, 0xD8: 17,
}  # fmt: skip
_EXTENSIONS: Final = range(0xC7, 0xCA)
_ARRAYS: Final = (0xDC, 0xDD)
_MAPS: Final = (0xDE, 0xDF)


def refuse_many(data: bytes, items: int) -> None:
    r"""Raises ValueError for the bytes of more than so many items. What is no value at all is found out later.

    >>> refuse_many(bytes([0x92, 2, 0x93, 1, 2, 3]), 4)
    >>> refuse_many(b"\x92\x02\x91" * 10_000, 100)
    Traceback (most recent call last):
    ValueError: too many items or levels
    """
    most = HEADS * items
    if len(data) <= most:  # each has a byte at least
        return
    at, due = 0, 1
    for _ in range(most):
        if not due or at >= len(data):
            return
        head = data[at]
        at, inside = _passed(data, at + 1, head)
        due += inside - 1
    if due:
        raise ValueError("too many items or levels")


def _passed(data: bytes, at: int, head: int) -> tuple[int, int]:
    """Where the next one begins, and how many are in this one."""
    if head < 0x80 or head >= 0xE0:
        return at, 0
    if head < 0x90:
        return at, 2 * (head & 0x0F)
    if head < 0xA0:
        return at, head & 0x0F
    if head < 0xC0:
        return at + (head & 0x1F), 0
    width = _WIDTHS.get(head)
    if width is None:
        return at + _FIXED.get(head, 0), 0
    size = int.from_bytes(data[at : at + width], "big")
    at += width
    if head in _ARRAYS:
        return at, size
    if head in _MAPS:
        return at, 2 * size
    return at + size + (head in _EXTENSIONS), 0
