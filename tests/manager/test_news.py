"""What a guest pushes is cut to a size that can be kept, and what can be told of it is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.manager.news import (
    DECISION_LINES,
    DEEDS,
    LINE_COST,
    NAME,
    PAST_LINES,
    RELATIONS,
    SAMPLE_LINES,
    TEXT,
    VIEW,
    bounded,
    deeds,
    past,
    whole,
)
from jupyter_sandbox.model.views import Counters, ProcessView, StepView, TreeDiff, TreeView, WhyView
from jupyter_sandbox.wire.messages import Sample, TreeChanged

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


EMPTY = ("",) * 999
WHY = WhyView("k", "n", 1, 1, "", "", "", EMPTY, "", "", EMPTY, EMPTY)
LINE = "x" * 60
HONEST = replace(WHY, traceback=(LINE,) * 60, stopped=("front",), started=("front",))


def lines_of(decisions: list[WhyView]) -> int:
    return sum(len(one.traceback) + len(one.stopped) + len(one.started) for one in decisions)


def sampled(decisions: list[WhyView]) -> list[WhyView]:
    told = bounded(Sample(counters=Counters(), events=[], decisions=decisions))
    assert isinstance(told, Sample)
    return told.decisions


def test_the_lines_of_a_decision_share_one_room() -> None:
    (alone,) = sampled([WHY])
    assert alone.traceback == EMPTY and lines_of([alone]) == DECISION_LINES // LINE_COST


def test_the_decisions_of_a_sample_and_those_of_an_answer_share_one_room() -> None:
    assert lines_of(sampled([WHY] * 50)) == SAMPLE_LINES // LINE_COST
    _, kept = past((), [WHY] * 200)
    assert len(kept) == 200 and lines_of(kept) == PAST_LINES // LINE_COST


def test_decisions_of_an_honest_guest_are_kept_whole() -> None:
    assert sampled([HONEST] * 50) == [HONEST] * 50
    assert past((), [HONEST] * 200) == ([], [HONEST] * 200)


STEP = StepView(1, "<0.5.0>", "front", "call", "m", "s", "a", "b", ("sent ('add', 1) to back",) * 20)


def test_the_deeds_of_all_steps_that_are_told_share_one_room_and_the_rest_is_counted() -> None:
    assert deeds([STEP] * 1_000) == (STEP,) * 1_000
    crowded = deeds([replace(STEP, did=("",) * 1_000)] * 1_999)
    fitting = DEEDS // LINE_COST // 1_000
    assert [len(one.did) for one in crowded] == [1_000] * fitting + [1] * (1_999 - fitting)
    assert crowded[-1].did == ("and 1000 more",)
    (last,) = deeds([replace(STEP, did=("x" * (DEEDS // 2 - LINE_COST),) * 3)])
    assert len(last.did) == 3 and last.did[-1] == "and 1 more"
