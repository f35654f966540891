"""Tells whether a value is what it was, by a digest of all that it holds. Nothing is copied, and there is an end to it.

The digest is of a pickle that nobody ever reads. What cannot be pickled, like
a lock or a function, stands in it by which object it is.
"""

from __future__ import annotations

import copyreg
import itertools
import pickle
import types
import zlib
from typing import Any, Final

from ..runtime import Node
from ..runtime.context import Context
from ..runtime.process import Process
from .aside import HandlerTimeout

MOST: Final = 4_000_000
"""Bytes of a value that are looked at: some milliseconds."""
_MOST_OBJECTS: Final = 20_000
"""Objects with hooks of their own that are looked at in one value: each takes about a microsecond."""
_BLOCK: Final = 128_000
_CHEAP: Final = 16
"""A block of plain bytes, of an array, is looked at so much faster than objects are."""
_ITSELF: Final = id
"""Stands in pickles for what is told apart by which object it is."""
_BY_IDENTITY: Final = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, Process, Node, Context)


class Untold(Exception):
    """Whether the value changed cannot be told: it is too large, or hides where it stands."""


class _Sum:
    """A file that keeps nothing of what is written to it but its digest."""

    def __init__(self, room: int) -> None:
        self.room, self.first, self.second = room, 0, 1

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes  # an array comes as a buffer that has no length
        self.room -= size if size < _BLOCK else size // _CHEAP
        if self.room < 0:
            raise Untold
        self.first, self.second = zlib.crc32(data, self.first), zlib.adler32(data, self.second)
        return size


class _Reader(pickle.Pickler):
    def __init__(self, out: _Sum) -> None:
        super().__init__(out, pickle.HIGHEST_PROTOCOL)
        self._left = _MOST_OBJECTS

    def reducer_override(self, value: Any) -> Any:
        if value is _ITSELF:
            return NotImplemented
        kind = type(value)
        if issubclass(kind, _BY_IDENTITY):
            return _ITSELF, (id(value),)
        self._left -= 1
        if self._left < 0:
            raise Untold
        if kind is types.GeneratorType:
            frame = value.gi_frame
            return _ITSELF, (id(value),) if frame is None else (id(value), frame.f_lasti, dict(frame.f_locals))
        return _parts(value, kind)


def _parts(value: Any, kind: type) -> Any:
    if kind is itertools.count:
        return _ITSELF, (repr(value),)
    reduce = copyreg.dispatch_table.get(kind)
    try:
        parts = value.__reduce_ex__(pickle.HIGHEST_PROTOCOL) if reduce is None else reduce(value)
    except HandlerTimeout:
        raise Untold from None
    except BaseException:  # the user's hooks may raise anything
        if kind.__module__ == "itertools":
            raise Untold from None
        parts = None
    return parts if isinstance(parts, tuple) else (_ITSELF, (id(value),))


def digest_of(value: Any, room: int = MOST) -> tuple[tuple[int, int], int]:
    """A digest, the same for the same object as long as nothing in it has changed, and how much of the room it took.

    >>> value = {"ids": itertools.count(1), "made": [1, 2]}
    >>> before = digest_of(value)
    >>> digest_of(value) == before
    True
    >>> _ = next(value["ids"]); digest_of(value) == before
    False

    Raises Untold.
    """
    out = _Sum(room)
    try:
        _Reader(out).dump(value)
    except BaseException:  # the hooks of the user's classes may raise anything
        raise Untold from None
    return (out.first, out.second), room - out.room
