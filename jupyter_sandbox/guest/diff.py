"""The difference between two pictures of a tree. Pure."""

from __future__ import annotations

from ..model.views import TreeDiff, TreeView


def tree_diff(before: TreeView, after: TreeView) -> TreeDiff | None:
    """What to change in ``before`` to get ``after``; None when no process changed.

    ``order`` is told when processes came, went or moved.
    """
    old = {view.key: view for view in before.processes}
    keys = tuple(view.key for view in after.processes)
    changed = tuple(view for view in after.processes if old.get(view.key) != view)
    here = set(keys)
    removed = tuple(key for key in old if key not in here)
    order = keys if keys != tuple(old) else None
    if not changed and not removed and order is None:
        return None
    return TreeDiff(after.sandbox, after.step, after.now_ms, changed, removed, order)
