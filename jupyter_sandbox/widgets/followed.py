"""Trees that are followed: what changes is noted, and put together when somebody looks.

A tree of twenty thousand processes takes ten milliseconds to put together. Whoever changes one of them a hundred times
a second, or pretends to, must not keep the thread that all sandboxes share busy with it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Final

from ..model.views import TreeDiff, TreeView
from .patch import apply, merge

_FEW: Final = 1_000
"""Things that may wait whatever the size of the tree, and what each change counts for beside what it names."""


class Followed:
    """One tree. Any thread may note a change or look.

    >>> tree = Followed(TreeView("shop", 1, 0))
    >>> tree.note(TreeDiff("shop", 2, 5)); tree.view
    TreeView(sandbox='shop', step=2, now_ms=5, processes=())
    """

    def __init__(self, view: TreeView) -> None:
        self._view, self._waiting, self._things = view, list[TreeDiff](), 0
        self._lock = threading.Lock()

    def note(self, change: TreeView | TreeDiff) -> None:
        """A new tree, or a change of it. What waits is never more than a few times the tree."""
        with self._lock:
            if isinstance(change, TreeView):
                self._view, self._waiting, self._things = change, [], 0
                return
            self._waiting.append(change)
            self._things += _FEW // 100 + len(change.changed) + len(change.removed) + len(change.order or ())
            if self._things > _FEW + len(self._view.processes):
                self._put_together()

    @property
    def view(self) -> TreeView:
        """The tree as it is now."""
        with self._lock:
            if self._waiting:
                self._put_together()
            return self._view

    def _put_together(self) -> None:
        self._view = apply(self._view, merge(*self._waiting))
        self._waiting, self._things = [], 0


class Trees(Mapping[str, TreeView]):
    """Those of many sandboxes, by name. To ask whether there is one costs nothing.

    >>> trees = Trees()
    >>> trees.note("shop", TreeDiff("shop", 1, 0)); "shop" in trees, trees["shop"].step
    (True, 1)
    """

    def __init__(self) -> None:
        self._followed: Mapping[str, Followed] = {}

    def note(self, name: str, change: TreeView | TreeDiff) -> None:
        """A new tree, or a change of the one there is."""
        tree = self._followed.get(name)
        if tree is None:
            first = change if isinstance(change, TreeView) else TreeView(name, change.step, change.now_ms)
            tree = Followed(first)
            self._followed = {**self._followed, name: tree}
        tree.note(change)

    def forget(self, name: str) -> None:
        """The sandbox is gone."""
        self._followed = {key: tree for key, tree in self._followed.items() if key != name}

    def __getitem__(self, name: str) -> TreeView:
        return self._followed[name].view

    def __contains__(self, name: object) -> bool:
        return name in self._followed

    def __iter__(self) -> Iterator[str]:
        return iter(self._followed)

    def __len__(self) -> int:
        return len(self._followed)
