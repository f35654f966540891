"""Trees and their diffs: apply one to a tree, merge many into one. Pure."""

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


def merge(*diffs: TreeDiff) -> TreeDiff:
    """One diff that does what all of them do, one after the other, in one pass over them.

    A process that was removed and came back with the same key is only changed.
    """
    changed: dict[str, ProcessView] = {}
    removed: dict[str, None] = {}
    order: tuple[str, ...] | None = None
    gone: set[str] = set()
    for diff in diffs:
        for key in diff.removed:
            changed.pop(key, None)
            removed[key] = None
        changed.update((process.key, process) for process in diff.changed)
        if diff.order is not None:
            order = diff.order
            gone.clear()
        else:
            gone.update(diff.removed)
    if order is not None and gone:
        order = tuple(key for key in order if key not in gone)
    left_out = tuple(key for key in removed if key not in changed)
    return TreeDiff(diffs[0].sandbox, diffs[-1].step, diffs[-1].now_ms, tuple(changed.values()), left_out, order)
