"""Lists of Linux that grow with what an OS process does: its memory maps, the machine's System V pieces.

Linux gives a page of such a list at a time, whatever is asked for. Other threads go on meanwhile, for it may take long.
"""

from __future__ import annotations

import os

from . import brief

MOST = 1 << 20
"""Bytes of one that are read. Sixty thousand maps of a file far below others are a quarter of a gigabyte of text."""


def read(path: str, most: int = MOST) -> bytes:
    """As much of it as is looked at; of that length when there may be more. Raises OSError."""
    pieces, size = list[bytes](), 0
    brief.find(path)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # an OS process that becomes another program can keep who opens this
    try:
        while size < most and (piece := os.read(fd, most - size)):
            pieces.append(piece)
            size += len(piece)
    finally:
        os.close(fd)
    return b"".join(pieces)
