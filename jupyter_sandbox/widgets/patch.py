"""Trees and their diffs: apply one to a tree, merge two into one. Pure."""

from __future__ import annotations

from ..model.views import TreeDiff, TreeView

MOST = 20_000
"""Processes of one tree: a sandbox that tells of more and more must not fill the kernel."""


def apply(tree: TreeView, diff: TreeDiff) -> TreeView:
    """The tree after a diff. Keys without a place in ``order`` come last, in the order they were told."""
    removed = frozenset(diff.removed)
    processes = {process.key: process for process in tree.processes if process.key not in removed}
    processes.update((process.key, process) for process in diff.changed)
    if diff.order is not None:
        ranked = {key: processes[key] for key in diff.order if key in processes}
        processes = {**ranked, **processes}
    return TreeView(tree.sandbox, diff.step, diff.now_ms, tuple(processes.values())[:MOST])


def merge(first: TreeDiff, second: TreeDiff) -> TreeDiff:
    """One diff that does what both do, one after the other.

    A process that was removed and came back with the same key is only changed.
    """
    gone = frozenset(second.removed)
    changed = {process.key: process for process in first.changed if process.key not in gone}
    changed.update((process.key, process) for process in second.changed)
    removed = dict.fromkeys(key for key in (*first.removed, *second.removed) if key not in changed)
    order = second.order if second.order is not None else first.order
    if order is not None and second.order is None:
        order = tuple(key for key in order if key not in gone)
    return TreeDiff(first.sandbox, second.step, second.now_ms, tuple(changed.values()), tuple(removed), order)
