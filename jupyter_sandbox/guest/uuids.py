"""UUIDs from a given time and given random bits, as RFC 9562 lays them out. Pure.

Python's own remember the latest they made, and one goes through the C library:
what is made then depends on what else the OS process has made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

Reading = Callable[[], int]
"""Nanoseconds since 1970, later at each call."""
Bits = Callable[[int], int]
"""That many random bits."""

_MULTICAST: Final = 1 << 40
"""Marks a node that is no network card's."""
_GREGORIAN: Final = 0x01B2_1DD2_1381_4000
"""From 1582 to 1970, in steps of 100 ns."""
_VARIANT: Final = 2 << 62


def uuid1(read: Reading, bits: Bits, node: int | None = None, clock_seq: int | None = None) -> UUID:
    """By time, its lowest bits first.

    >>> uuid1(lambda: 0, lambda count: 0)
    UUID('13814000-1dd2-11b2-8000-010000000000')
    """
    tail = _tail(bits, node, clock_seq)
    at = _since_1582(read)
    return UUID(int=(at & 0xFFFF_FFFF) << 96 | (at >> 32 & 0xFFFF) << 80 | 1 << 76 | at >> 48 << 64 | tail)


def uuid6(read: Reading, bits: Bits, node: int | None = None, clock_seq: int | None = None) -> UUID:
    """By time, its highest bits first.

    >>> uuid6(lambda: 0, lambda count: 0)
    UUID('1b21dd21-3814-6000-8000-010000000000')
    """
    tail = _tail(bits, node, clock_seq)
    at = _since_1582(read)
    return UUID(int=at >> 12 << 80 | 6 << 76 | (at & 0xFFF) << 64 | tail)


def uuid7(read: Reading, bits: Bits) -> UUID:
    """By milliseconds, ordered within one by its fraction (RFC 9562, 6.2, method 3).

    >>> uuid7(lambda: 1_500_000, lambda count: 0)
    UUID('00000000-0001-7800-8000-000000000000')
    """
    ms, rest = divmod(read(), 1_000_000)
    return UUID(int=ms << 80 | 7 << 76 | (rest << 12) // 1_000_000 << 64 | _VARIANT | bits(62))


def _tail(bits: Bits, node: int | None, clock_seq: int | None) -> int:
    node = bits(48) | _MULTICAST if node is None else node
    clock_seq = bits(14) if clock_seq is None else clock_seq & 0x3FFF
    return _VARIANT | clock_seq << 48 | node & 0xFFFF_FFFF_FFFF


def _since_1582(read: Reading) -> int:
    return (read() // 100 + _GREGORIAN) & (1 << 60) - 1


MAKERS: Final[dict[str, Callable[..., Any]]] = {"uuid1": uuid1, "uuid6": uuid6, "uuid7": uuid7}
"""By the names that ``uuid`` has them under, the later two from Python 3.14 on."""
