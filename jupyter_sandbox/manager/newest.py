"""The newest of what a sandbox told: so many things, and so much memory, whatever it tells. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from sys import getsizeof
from typing import Final, Generic, TypeVar

from ..model.views import Event

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
        self._kept: deque[tuple[T, int]] = deque()
        self._bytes = 0

    def append(self, one: T) -> None:
        """One more. The newest is kept in any case, so it has to be bounded by itself."""
        size = self._size(one)
        self._kept.append((one, size))
        self._bytes += size
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[1]

    def extend(self, more: Iterable[T]) -> None:
        """One after the other."""
        for one in more:
            self.append(one)

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        return (one for one, _ in self._kept)

    def __reversed__(self) -> Iterator[T]:
        return (one for one, _ in reversed(self._kept))


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
    if is_dataclass(value) and not isinstance(value, type):
        return _OBJECT + sum(memory_of(getattr(value, name)) for name in _names(type(value)))
    return _OBJECT if value is not None and not isinstance(value, int) else 8


def memory_of_event(event: Event) -> int:
    """The same, in a tenth of the time: there may be thousands of them a second."""
    texts = getsizeof(event.text) + getsizeof(event.name) + getsizeof(event.pid) + getsizeof(event.kind)
    return texts + _OBJECT + (memory_of(event.data) if event.data else 0)


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))
