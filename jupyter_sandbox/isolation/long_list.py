"""Lists of Linux that grow with what an OS process does: its memory maps, the machine's System V pieces.

Linux gives a page of such a list at a time, whatever is asked for. Other threads go on meanwhile, for it may take long.
"""

from __future__ import annotations

import os
from typing import Final

from . import brief
from .waits import Waits

MOST = 1 << 20
"""Bytes of one that are read. Sixty thousand maps of a file far below others are a quarter of a gigabyte of text."""
_PIECE: Final = 1 << 16
"""Bytes asked for at once: Python makes room for so many, which a kernel may not have, before Linux gives a few."""


FOR_A_START: Final = Waits()
"""Who opens the memory maps of an OS process, or asks for its system calls, waits while it becomes another program: on
a busy machine for a good part of a second."""


def read(path: str, most: int = MOST) -> bytes:
    """As much of it as is looked at; of that length when there may be more. Raises OSError."""
    pieces, size = list[bytes](), 0
    brief.find(path)
    fd = FOR_A_START.during(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while size < most and (piece := os.read(fd, min(most - size, _PIECE))):
            pieces.append(piece)
            size += len(piece)
    finally:
        os.close(fd)
    return b"".join(pieces)
