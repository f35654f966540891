"""How much of a tree a guest tells."""

from __future__ import annotations

from jupyter_sandbox.guest.watching import _told
from jupyter_sandbox.model.listed import LINKS
from jupyter_sandbox.model.views import ProcessView, TreeView


def tree(processes: int, links: int) -> TreeView:
    names = tuple(map(str, range(links)))
    views = (ProcessView(f"p{n}", None, "", "", "", "", links=names) for n in range(processes))
    return TreeView("shop", 1, 1, tuple(views))


def test_a_tree_with_as_many_links_as_are_told_is_told_as_it_is() -> None:
    whole = tree(LINKS // 1_000, 1_000)
    assert _told(whole) is whole


def test_of_more_links_those_of_the_processes_behind_are_left_out() -> None:
    told = _told(tree(LINKS // 1_000 + 2, 1_000)).processes
    assert [len(view.links) for view in told] == [1_000] * (LINKS // 1_000) + [0, 0]
