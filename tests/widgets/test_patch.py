"""Diffs of trees: applying them one by one and applying their merger are the same."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView
from jupyter_sandbox.widgets.patch import apply, merge

KEYS = ["a", "b", "c", "d"]


def view(key: str, state: str = "") -> ProcessView:
    return ProcessView(key, "<0.1.0>", key, "worker", "m.C", "waiting", state=state)


def difference(before: TreeView, after: TreeView) -> TreeDiff:
    """What a sandbox would tell of a change."""
    old = {process.key: process for process in before.processes}
    new = {process.key: process for process in after.processes}
    changed = tuple(process for key, process in new.items() if old.get(key) != process)
    removed = tuple(key for key in old if key not in new)
    return TreeDiff(after.sandbox, after.step, 0, changed, removed, None if list(old) == list(new) else tuple(new))


@st.composite
def trees(draw: st.DrawFn) -> TreeView:
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    return TreeView("s", draw(st.integers(0, 9)), 0, tuple(view(key, draw(st.sampled_from("xy"))) for key in keys))


@given(trees(), trees())
def test_a_diff_leads_from_one_tree_to_the_next(before: TreeView, after: TreeView) -> None:
    assert apply(before, difference(before, after)) == after


@given(trees(), trees(), trees())
def test_a_merged_diff_does_what_both_do(first: TreeView, second: TreeView, third: TreeView) -> None:
    merged = merge(difference(first, second), difference(second, third))
    assert apply(first, merged) == third


def test_a_process_that_comes_back_with_the_same_key_is_changed_not_removed() -> None:
    gone = TreeDiff("s", 1, 0, (), ("a",), ("b",))
    back = TreeDiff("s", 2, 0, (view("a", "new"),), (), ("b", "a"))
    assert merge(gone, back).removed == ()


def test_what_is_not_in_the_order_comes_last() -> None:
    tree = TreeView("s", 0, 0, (view("a"), view("b")))
    assert [process.key for process in apply(tree, TreeDiff("s", 1, 0, (), (), ("b",))).processes] == ["b", "a"]
    assert apply(tree, TreeDiff("s", 1, 0)) == replace(tree, step=1)


def test_a_change_does_not_say_whose_tree_it_is() -> None:
    mine, theirs = TreeDiff("shop", 2, 0), TreeDiff("bank", 3, 0)
    assert apply(TreeView("shop", 1, 0), theirs).sandbox == "shop"
    assert merge(mine, theirs).sandbox == "shop"


@given(st.lists(trees(), min_size=2, max_size=6))
def test_many_merged_at_once_are_as_one_after_the_other(told: list[TreeView]) -> None:
    diffs = [difference(*pair) for pair in pairwise(told)]
    assert apply(told[0], merge(*diffs)) == apply(told[0], reduce(merge, diffs)) == told[-1]
