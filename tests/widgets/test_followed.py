"""A tree that is followed is the same as one that is put together at each change, and costs little meanwhile."""

from __future__ import annotations

import pytest

from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView
from jupyter_sandbox.widgets import followed
from jupyter_sandbox.widgets.followed import Followed, Trees
from jupyter_sandbox.widgets.patch import apply


def view(key: str, state: str = "") -> ProcessView:
    return ProcessView(key, "<0.1.0>", key, "worker", "m.C", "waiting", state=state)


DIFFS = (
    TreeDiff("shop", 2, 2, (view("a"), view("b")), (), ("b", "a")),
    TreeDiff("shop", 3, 3, (), ("b",)),
    TreeDiff("shop", 4, 4, (view("b", "new"), view("c"))),
)


def test_it_is_the_tree_that_its_changes_come_to() -> None:
    tree, expected = Followed(TreeView("shop", 1, 1)), TreeView("shop", 1, 1)
    for diff in DIFFS:
        tree.note(diff)
        expected = apply(expected, diff)
    assert tree.view == expected and tree.view is tree.view
    tree.note(TreeView("shop", 9, 9))
    assert tree.view == TreeView("shop", 9, 9)


def test_it_is_put_together_when_somebody_looks_and_seldom_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    put_together: list[int] = []

    def count(tree: TreeView, diff: TreeDiff) -> TreeView:
        put_together.append(len(tree.processes))
        return apply(tree, diff)

    monkeypatch.setattr(followed, "apply", count)
    tree = Followed(TreeView("shop", 0, 0, tuple(view(str(number)) for number in range(20_000))))
    for step in range(1, 2_000):
        tree.note(TreeDiff("shop", step, 0))
    assert not put_together
    assert tree.view.step == 1_999 and len(put_together) == 1
    for step in range(5):
        tree.note(TreeDiff("shop", step, 0, tuple(view(str(number)) for number in range(10_000))))
    assert len(put_together) == 2, "what waits is never more than a few times the tree"


def test_those_of_many_sandboxes_are_told_apart_and_forgotten() -> None:
    trees = Trees()
    trees.note("shop", DIFFS[0])
    trees.note("bank", TreeView("bank", 1, 1))
    assert [process.key for process in trees["shop"].processes] == ["b", "a"] and set(trees) == {"shop", "bank"}
    trees.forget("shop")
    assert "shop" not in trees and trees.get("shop") is None and len(trees) == 1
