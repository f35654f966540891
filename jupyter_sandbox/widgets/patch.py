"""Trees and their diffs: apply one to a tree, merge two into one. Pure."""

from __future__ import annotations

from ..model.views import ProcessView, TreeDiff, TreeView

MOST = 20_000
"""Processes of one tree: a sandbox that tells of more and more must not fill the kernel."""
FEW, CHARACTERS = 2_000, 8_000_000
"""Processes whose texts are not counted, and how long all texts may be otherwise: what a frame holds is less."""


def apply(tree: TreeView, diff: TreeDiff) -> TreeView:
    """The tree after a diff. Keys without a place in ``order`` come last, in the order they were told."""
    removed = frozenset(diff.removed)
    processes = {process.key: process for process in tree.processes if process.key not in removed}
    processes.update((process.key, process) for process in diff.changed)
    if diff.order is not None:
        ranked = {key: processes[key] for key in diff.order if key in processes}
        processes = {**ranked, **processes}
    return TreeView(tree.sandbox, diff.step, diff.now_ms, _kept(tuple(processes.values())))


def _kept(processes: tuple[ProcessView, ...]) -> tuple[ProcessView, ...]:
    """As many as fit, so that a sandbox that tells of ever larger ones does not fill the kernel either."""
    if len(processes) <= FEW:
        return processes
    left = CHARACTERS
    for number, view in enumerate(processes[:MOST]):
        left -= len(view.key) + len(view.name) + len(view.behaviour) + len(view.state) + len(view.last_exit or "")
        if view.links or view.monitors:
            left -= len("".join(view.links)) + len("".join(view.monitors))
        if left < 0:
            return processes[:number]
    return processes[:MOST]


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
