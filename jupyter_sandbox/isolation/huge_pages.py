"""What may be kept of huge pages that were given back in part: all of one stays as long as a small part of it is used.

No figure of Linux tells how much that is, so it counts as much as it could be.
Huge pages are switched off for guests; only who switches them on again is asked.
"""

from __future__ import annotations

import os
import re

from . import brief, long_list

HUGE = 2 << 20
_BYTES = 1 << 22
"""Of the list of maps that is read, some six thousand of them. Who has more is counted with all that it has mapped."""
_MAP = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) [r-][w-][x-]p [^\n]*\n(?:[A-Z][^\n]*\n)*?Anonymous: +(\d+) kB", re.M)


def kept_whole(pid: int) -> int:
    """Bytes that it may hold in huge pages beyond its private memory; 0 when it has ended."""
    try:
        maps = long_list.read(f"/proc/{pid}/smaps", _BYTES)
        if len(maps) < _BYTES:
            return most_kept(maps)
        return int(brief.read(f"/proc/{pid}/statm", 512).split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def most_kept(maps: bytes) -> int:
    """The same from a list of maps: a huge page that is kept has a place of its own and a small part that is used.

    >>> most_kept(b"00200000-00201000 rw-p 00000000 00:00 0\\nSize: 4 kB\\nAnonymous:             4 kB\\n")
    2093056
    """
    places: set[int] = set()
    used = parts = 0
    for begin, end, kilobytes in _MAP.findall(maps):
        if int(kilobytes):
            used += int(kilobytes) * 1024
            first, last = int(begin, 16) // HUGE, (int(end, 16) - 1) // HUGE
            parts += min(last - first + 1, int(kilobytes) // 4)
            places.update(range(first, min(last + 1, first + (1 << 16))))
    return max(0, min(len(places), parts) * HUGE - used)
