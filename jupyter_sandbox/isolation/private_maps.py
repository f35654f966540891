"""Memory maps of no file are private in a sandbox, whatever is asked for.

Shared ones have a size that nobody sees from outside: given back but for one
page, such a map keeps all its memory, and nothing counts more than the page.
Inside one OS process the two kinds do the same, so ordinary code, which asks for
shared ones because Python does unless told otherwise, need not know.
"""

from __future__ import annotations

import errno
import mmap
from typing import Self

_KIND = 0xF
"""The bits of the flags that say whose the memory is; see mmap(2)."""
_BOTH = mmap.PROT_READ | mmap.PROT_WRITE
_AS_ACCESS = {mmap.ACCESS_READ: mmap.PROT_READ, mmap.ACCESS_WRITE: _BOTH}
"""``access`` stands for a kind as well as for a protection, and Python takes it instead of the two or not at all."""
_shared = mmap.mmap


class _Map(mmap.mmap):
    """Python's own but for maps of no file."""

    __slots__ = ()

    def __new__(
        cls, fileno: int, length: int, flags: int = mmap.MAP_SHARED, prot: int = _BOTH,
        access: int = mmap.ACCESS_DEFAULT, *offset: int, **options: int,
    ) -> Self:  # fmt: skip
        """Raises MemoryError where Python's own says ENOMEM of a map of no file: it is memory, and limited as such."""
        if fileno != -1:
            return super().__new__(cls, fileno, length, flags, prot, access, *offset, **options)
        if access in _AS_ACCESS and (flags, prot) == (mmap.MAP_SHARED, _BOTH):
            access, prot = mmap.ACCESS_DEFAULT, _AS_ACCESS[access]
        if access == mmap.ACCESS_DEFAULT:
            flags = flags & ~_KIND | mmap.MAP_PRIVATE
        try:
            return super().__new__(cls, fileno, length, flags, prot, access, *offset, **options)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
            raise MemoryError(f"there is no memory for a map of {length} bytes") from None


_Map.__name__ = _Map.__qualname__ = _shared.__name__
_Map.__module__ = _shared.__module__


def make_private() -> None:
    """From here on, in this OS process and its forks. For whoever imports ``mmap``, also by ``from mmap import mmap``
    if that comes later. Idempotent.

    >>> make_private()
    >>> with mmap.mmap(-1, 4096) as piece:
    ...     isinstance(piece, mmap.mmap), piece.write(b"private")
    (True, 7)
    """
    mmap.mmap = _Map  # type: ignore[misc]


def share() -> None:
    """Try for a map that is shared, as who means harm would. Raises OSError where that is refused."""
    _shared(-1, mmap.PAGESIZE).close()
