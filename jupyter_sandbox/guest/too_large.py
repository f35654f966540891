"""How much a snapshot or a journal may be, and the words for what is more, or for which there is no memory. Pure."""

from __future__ import annotations

from typing import Final

from ..model.errors import SnapshotError
from ..wire.legality import LARGE

MOST: Final = LARGE["SnapshotBlob"] - 4096
"""Bytes of a snapshot that travels, without what the frame says beside it."""


class TooLarge(SnapshotError):
    """The state is more than can be saved: waiting makes it no smaller."""


class Endless(SnapshotError):
    """How its class is saved does not come to an end: waiting for a quiet moment does not help."""


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


def long_journal(size: int, sandbox: str) -> TooLarge:
    """What was sent to it is more than can be brought to a fresh OS process, where it is run again.

    >>> print(long_journal(75_000_000, "shop"))  # doctest: +NORMALIZE_WHITESPACE
    the journal of sandbox 'shop' is too long to go back over: with all that was sent to the sandbox it has 75 MB, and
    at most 67 MB are run again; begin a new one here: %sandbox snapshot shop NAME, then %sandbox restore shop NAME
    """
    return TooLarge(
        f"the journal of sandbox {sandbox!r} is too long to go back over: with all that was sent to the sandbox it has "
        f"{_megabytes(size)}, and at most {_megabytes(MOST)} are run again; {_anew(sandbox)}"
    )


def no_memory_for_journal(sandbox: str) -> TooLarge:
    """It is copied, and run beside the copy.

    >>> print(no_memory_for_journal("shop"))  # doctest: +NORMALIZE_WHITESPACE
    memory ended while the journal of sandbox 'shop' was copied or run again, so it cannot go back; give it more:
    %sandbox limits shop --max-memory BYTES, or begin a new one here: %sandbox snapshot shop NAME, then
    %sandbox restore shop NAME
    """
    return TooLarge(
        f"memory ended while the journal of sandbox {sandbox!r} was copied or run again, so it cannot go back; give it "
        f"more: %sandbox limits {sandbox} --max-memory BYTES, or {_anew(sandbox)}"
    )


def _anew(sandbox: str) -> str:
    """From a restore on there is a journal that begins with the snapshot."""
    return f"begin a new one here: %sandbox snapshot {sandbox} NAME, then %sandbox restore {sandbox} NAME"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1_000_000 else f"{size} bytes"
