"""The newest of what a sandbox told: so many things, and so much memory, whatever it tells. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from sys import getsizeof
from typing import Final, Generic, TypeVar

import msgspec

from ..wire.encoding import encode

T = TypeVar("T")
_OBJECT: Final = 100
"""Bytes about, of whatever is no text."""


class Newest(Generic[T]):
    """Oldest first; the oldest go when there are more than ``most``, or they take more than ``most_bytes``.

    >>> newest = Newest(3, 10_000)
    >>> newest.extend(["a", "b", "c", "d"]); list(newest)
    ['b', 'c', 'd']
    >>> newest.append("e" * 9_990); list(newest) == ["e" * 9_990]
    True
    """

    def __init__(self, most: int, most_bytes: int, size: Callable[[T], int] | None = None) -> None:
        self._most, self._most_bytes, self._size = most, most_bytes, memory_of if size is None else size
        self._kept: deque[T] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0

    def append(self, one: T) -> None:
        """One more. The newest is kept in any case, so it has to be bounded by itself."""
        size = self._size(one)
        self._kept.append(one)
        self._sizes.append(size)
        self._bytes += size
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self._kept.popleft()
            self._bytes -= self._sizes.popleft()

    def extend(self, more: Iterable[T]) -> None:
        """One after the other."""
        for one in more:
            self.append(one)

    def clear(self) -> None:
        self._kept.clear()
        self._sizes.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        return iter(self._kept)

    def __reversed__(self) -> Iterator[T]:
        return reversed(self._kept)


class Packed(Generic[T]):
    """The same for what is seldom looked at: kept as bytes, made anew when somebody asks.

    Twenty sandboxes tell some hundred thousand things. As objects Python's collector walks through all of them, in
    the thread that all sandboxes share; bytes it need not look at.

    >>> packed = Packed(tuple[int, str], 2, 10_000)
    >>> packed.extend([(1, "a"), (2, "b"), (3, "c")]); list(packed), list(reversed(packed))
    ([(2, 'b'), (3, 'c')], [(3, 'c'), (2, 'b')])
    """

    def __init__(self, kind: type[T], most: int, most_bytes: int) -> None:
        self._decode = decoder(kind)
        self._kept: Newest[bytes] = Newest(most, most_bytes, getsizeof)

    def append(self, one: T) -> None:
        """One more, as a value of MessagePack."""
        self._kept.append(encode(one))

    def extend(self, more: Iterable[T]) -> None:
        """One after the other."""
        self._kept.extend(map(encode, more))

    def take(self, other: Packed[T]) -> None:
        """All that the other keeps, which is empty after it."""
        self._kept.extend(other._kept)
        other.clear()

    def clear(self) -> None:
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        return map(self._decode, self._kept)

    def __reversed__(self) -> Iterator[T]:
        return map(self._decode, reversed(self._kept))


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """What makes a thing of its bytes."""
    return msgspec.msgpack.Decoder(kind).decode


def memory_of(value: object) -> int:
    """About how many bytes a thing takes with all that it holds: a text of one emoji takes four for each character.

    >>> memory_of("x" * 1_000) < 1_100, memory_of("\\U0001f600" * 1_000) > 4_000
    (True, True)
    """
    if isinstance(value, str | bytes):
        return getsizeof(value)
    if isinstance(value, dict):
        return _OBJECT + sum(memory_of(key) + memory_of(held) for key, held in value.items())
    if isinstance(value, list | tuple):
        return _OBJECT + sum(map(memory_of, value))
    return _OBJECT if value is not None and not isinstance(value, int) else 8
