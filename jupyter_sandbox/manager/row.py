"""Whether a row of the snapshots' file is one that a kernel wrote. Pure.

SQLite keeps any value in any column, and the file is the user's: what other
hands changed in it is told in words, and takes no other row along.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model.given import MOST
from ..wire.framing import MAX_TRANSFER

MOST_BYTES = MAX_TRANSFER - 64
"""Of a snapshot that a sandbox can be sent, with room for what a message has beside it."""
_LATEST = 253_000_000_000
"""Seconds: nearly the year 9999, after which there are no dates."""
FACTS = "name, created_at, step, processes, length(blob), origin"
CONTENTS = "typeof(meta), typeof(blob), length(meta)"


def fault(row: Sequence[object]) -> str:
    """What is wrong with a row of ``FACTS`` and ``CONTENTS``; empty when nothing is.

    >>> fault(("before", 0.0, 12, 3, 2, "", "blob", "blob", 1))
    ''
    >>> fault(("before", "yesterday", 12, 3, 2, "", "blob", "blob", 1))
    "its created_at is 'yesterday'"
    """
    name, created_at, step, processes, size, origin, meta, blob, meta_size = row
    for field, text in (("name", name), ("origin", origin)):
        if type(text) is not str:
            return _told(field, text)
    if type(created_at) is not float or not 0 <= created_at <= _LATEST:
        return _told("created_at", created_at)
    for field, count in (("step", step), ("processes", processes)):
        if type(count) is not int or not 0 <= count <= MOST:
            return _told(field, count)
    for field, kind, length in (("meta", meta, meta_size), ("blob", blob, size)):
        if kind != "blob" or type(length) is not int:
            return f"its {field} is {kind}"
        if length > MOST_BYTES:
            return f"its {field} has {length} bytes, more than the {MOST_BYTES} that a sandbox can be sent"
    return ""


def _told(field: str, value: object) -> str:
    return f"its {field} is {value!r:.60}"
