"""The OS processes that one has started, and those that they have, in whatever session: found from parent to child.

Whose parent has ended belongs to its zygote and is not found any more, unless by
its session.
"""

from __future__ import annotations

from . import brief

_CHILDREN = 1 << 12
"""Bytes of one list of children: Linux gives no more at a time, some five hundred of them, and more than half of that
are too many."""
_THREADS = 250


def descendants(pid: int, most: int) -> list[int]:
    """Some more than ``most`` at most; none where Linux keeps no lists of children. Zombies are among them.

    Costs some ten microseconds for each thread of each of them.
    """
    found, seen = [pid], {pid}
    for parent in found:
        if len(found) > most + 1:
            break
        new = [child for child in _children(parent) if child not in seen]
        found += new
        seen.update(new)
    return found[1:]


def _children(pid: int) -> list[int]:
    try:
        threads = brief.names(f"/proc/{pid}/task", _THREADS)
    except OSError:
        return []
    return [child for thread in threads for child in _listed(f"/proc/{pid}/task/{thread}/children")]


def _listed(path: str) -> list[int]:
    try:
        words = brief.read(path, _CHILDREN)
    except OSError:
        return []
    return [int(word) for word in words.rpartition(b" ")[0].split()]
