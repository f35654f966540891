"""Lists of Linux that grow with what an OS process does: its memory maps, the machine's System V pieces.

Linux gives a page of such a list at a time, whatever is asked for. Other threads go on meanwhile, for it may take long.
"""

from __future__ import annotations

MOST = 1 << 20
"""Bytes of one that are read. Sixty thousand maps of a file far below others are a quarter of a gigabyte of text."""


def read(path: str, most: int = MOST) -> bytes:
    """As much of it as is looked at; of that length when there may be more. Raises OSError."""
    pieces, size = list[bytes](), 0
    with open(path, "rb", buffering=0) as file:
        while size < most and (piece := file.read(most - size)):
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)
