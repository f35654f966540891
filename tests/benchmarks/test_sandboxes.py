"""The benchmark of sandboxes runs, small: its figures are read, never asserted."""

from __future__ import annotations

import pytest

from .sandboxes import GOALS, measure, report

pytestmark = pytest.mark.serial


def test_every_waiting_time_is_measured_and_told_beside_its_goal() -> None:
    figures = measure(1)
    assert set(figures) == {*GOALS, "kernel"}
    assert all(value > 0 for value in figures.values())
    assert len(list(report(figures))) >= len(GOALS)
