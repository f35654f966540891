"""What a guest pushes is cut to a size that can be kept, and what can be told of it is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.manager.news import NAME, RELATIONS, TEXT, VIEW, bounded, whole
from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView
from jupyter_sandbox.wire.messages import TreeChanged

SHOP = ProcessView(
    "shop", "<0.5.0>", "shop", "supervisor", "m.Shop", "waiting", registered="shop", strategy="one_for_one",
    budget_left=2, budget=3, period_s=5, links=("<0.6.0>", "<0.7.0>"), monitors=("<0.9.0>",), last_exit="killed",
)  # fmt: skip


def told(view: ProcessView) -> ProcessView:
    frame = bounded(TreeChanged(diff=TreeDiff("shop", 1, 0, (view,))))
    assert isinstance(frame, TreeChanged)
    assert whole(TreeView("shop", 1, 0, (view,))).processes == frame.diff.changed
    return frame.diff.changed[0]


def test_a_process_with_long_texts_is_told_with_short_ones_and_all_else_that_it_is() -> None:
    long = replace(SHOP, state="x" * VIEW, last_exit="y" * VIEW)
    assert told(long) == replace(SHOP, state="x" * TEXT, last_exit="y" * TEXT)


def test_links_and_monitors_are_told_whole_and_as_many_as_fit() -> None:
    pids = tuple(f"<0.{number}.0>" for number in range(10_000))
    few = told(replace(SHOP, links=pids, monitors=pids)).links
    assert few == pids[: len(few)] and len(few) > 800 and len("".join(few)) <= RELATIONS
    both = told(replace(SHOP, state="x" * VIEW, links=pids[:500], monitors=pids))
    assert both.links == pids[:500] and both.monitors == pids[: len(both.monitors)] != ()
    assert len("".join((*both.links, *both.monitors))) <= RELATIONS


def test_names_that_are_no_pids_are_left_out_of_the_links() -> None:
    given_links = ("", "x" * (NAME + 1), "<0.6.0>\x1b")
    assert told(replace(SHOP, state="x" * VIEW, links=given_links)).links == ("<0.6.0>\\x1b",)


LONG = st.text(max_size=3).map(lambda text: text * VIEW)


@given(LONG, LONG, st.lists(LONG, max_size=3), st.integers(0, 30_000))
def test_whatever_is_told_of_one_process_has_a_bound(one: str, other: str, links: list[str], empty: int) -> None:
    view = ProcessView(one, one, one, one, one, one, one, one, one, strategy=other, last_exit=other)
    kept = told(replace(view, links=tuple(links), monitors=("",) * empty))
    texts = (kept.key, kept.name, kept.kind, kept.behaviour, kept.status, kept.pid, kept.parent, kept.registered)
    rest = (kept.state, kept.strategy, kept.last_exit, *kept.links, *kept.monitors)
    escaped = len("\\U0001f600")
    assert sum(len(text) for text in (*texts, *rest) if text) <= escaped * (4 * TEXT + 7 * NAME + RELATIONS)
    assert len(kept.links) + len(kept.monitors) <= max(VIEW, RELATIONS)
