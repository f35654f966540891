"""How much a snapshot may be, and the words for a state that is more, or for which there is no memory. Pure."""

from __future__ import annotations

from typing import Final

from ..model.errors import SnapshotError
from ..wire.legality import LARGE

MOST: Final = LARGE["SnapshotBlob"] - 4096
"""Bytes of a snapshot that travels, without what the frame says beside it."""


class TooLarge(SnapshotError):
    """The state is more than can be saved: waiting makes it no smaller."""


def too_large(what: str, size: int, others: int) -> TooLarge:
    """``size`` is as much of it as was seen, ``others`` what was saved before it.

    >>> print(str(too_large("the state of cart", 100_000_000, 0)).partition(";")[0])
    the state of cart is too large to be saved: it has 100 MB or more, a snapshot at most 67 MB
    """
    beside = f", and {_megabytes(others)} are taken by others" if others > MOST // 100 else ""
    return TooLarge(
        f"{what} is too large to be saved: it has {_megabytes(size)} or more, a snapshot at most {_megabytes(MOST)}"
        f"{beside}; keep large data in files, and their names in states"
    )


def no_memory(what: str, size: int, sandbox: str) -> TooLarge:
    """``sandbox`` is the one that has too little of it.

    >>> print(no_memory("the state of cart", 60_000_000, "shop"))  # doctest: +NORMALIZE_WHITESPACE
    the state of cart cannot be saved: memory ended at 60 MB of it, which saving copies; give the sandbox more:
    %sandbox limits shop --max-memory BYTES
    """
    return TooLarge(
        f"{what} cannot be saved: memory ended at {_megabytes(size)} of it, which saving copies; "
        f"give the sandbox more: %sandbox limits {sandbox} --max-memory BYTES"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1_000_000 else f"{size} bytes"
