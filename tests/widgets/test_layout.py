"""The tidy layout: what holds for every tree."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.widgets.layout import GAP, Position, tidy

Nodes = list[tuple[str, str | None]]


@st.composite
def forests(draw: st.DrawFn) -> Nodes:
    """A forest in tree order: a parent before its children."""
    size = draw(st.integers(0, 40))
    parents = [draw(st.one_of(st.none(), st.integers(0, index - 1))) if index else None for index in range(size)]
    return [(str(index), None if parent is None else str(parent)) for index, parent in enumerate(parents)]


@given(forests())
def test_neighbours_of_one_depth_are_at_least_one_apart(nodes: Nodes) -> None:
    rows = defaultdict(list)
    for place in tidy(nodes).values():
        rows[place.depth].append(place.across)
    for row in rows.values():
        row.sort()
        assert all(right - left >= GAP - 1e-9 for left, right in pairwise(row))


@given(forests())
def test_a_parent_stands_over_the_middle_of_its_children(nodes: Nodes) -> None:
    places = tidy(nodes)
    children = defaultdict(list)
    for key, parent in nodes:
        if parent is not None:
            children[parent].append(places[key].across)
    for parent, across in children.items():
        assert places[parent].across == pytest.approx((across[0] + across[-1]) / 2)


@given(forests())
def test_siblings_keep_their_order_and_children_stand_one_deeper(nodes: Nodes) -> None:
    places = tidy(nodes)
    last: dict[str | None, float] = {}
    for key, parent in nodes:
        assert places[key].across > last.get(parent, float("-inf"))
        last[parent] = places[key].across
        assert places[key].depth == (0 if parent is None else places[parent].depth + 1)


@given(forests())
def test_every_node_has_a_place_and_the_picture_begins_at_zero(nodes: Nodes) -> None:
    places = tidy(nodes)
    assert set(places) == {key for key, _ in nodes}
    assert min((place.across for place in places.values()), default=0.0) == pytest.approx(0.0)


def test_a_child_of_an_unknown_parent_is_a_root() -> None:
    assert tidy([("a", "gone")]) == {"a": Position(0.0, 0)}


def test_a_small_subtree_tucks_in_beside_a_deep_one() -> None:
    places = tidy([("r", None), ("a", "r"), ("a1", "a"), ("a2", "a"), ("b", "r")])
    assert places["b"].across - places["a"].across == GAP


def test_a_chain_of_thousands_needs_no_deep_stack() -> None:
    chain: Nodes = [("0", None), *((str(index), str(index - 1)) for index in range(1, 3000))]
    assert tidy(chain)["2999"] == Position(0.0, 2999)
