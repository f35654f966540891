"""How much of a sandbox's tree is told to pages in a second: a page that does not read must not fill the kernel. Pure.

What nobody reads waits in the kernel, and a sandbox that tells of ten thousand processes on and on tells megabytes a
second. Above the budget the next picture comes later, and is a whole tree: nothing is lost but what was in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..model.views import ProcessView, TreeDiff, TreeView

PER_SECOND: Final = 1_000_000
"""Bytes. A hundred processes that all change ten times a second are half of it."""
AT_ONCE: Final = 16_000_000
"""What may come before that counts: two pictures of twenty thousand processes, or minutes of a thousand."""
_FRAME, _PROCESS, _KEY = 100, 330, 4
"""Bytes of the names and numbers around the texts."""
_ESCAPED: Final = 6
"""Bytes of a character that JSON does not hold as it is."""


def size_of(change: TreeView | TreeDiff) -> int:
    """About how many bytes a change is as JSON."""
    if isinstance(change, TreeView):
        return _FRAME + _views(change.processes)
    return _FRAME + _views(change.changed) + _texts(change.removed) + _texts(change.order or ())


def _views(views: Iterable[ProcessView]) -> int:
    size = 0
    for view in views:
        parts = (
            view.key, view.name, view.kind, view.behaviour, view.status, view.state, view.pid or "", view.parent or "",
            view.registered or "", view.last_exit or "", view.strategy or "",
        )  # fmt: skip
        size += _PROCESS + _written("".join(parts))
        if view.links or view.monitors:
            size += _texts(view.links) + _texts(view.monitors)
    return size


def _texts(texts: tuple[str, ...]) -> int:
    return _KEY * len(texts) + _written("".join(texts))


def _written(text: str) -> int:
    return len(text) if text.isascii() and text.isprintable() else _ESCAPED * len(text)
