"""The benchmarks of creation, frames and watching run, small: their figures are read, never asserted."""

from __future__ import annotations

import sys

import pytest

from . import creation, frames, watching

pytestmark = pytest.mark.serial


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc")
def test_every_kind_of_creation_is_measured_and_told_beside_its_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "MANY", 3)
    figures = creation.measure(1)
    assert set(figures) == {*creation.GOALS, "bare", "rested", "kernel", "pss", "uss"}
    assert all(value > 0 for name, value in figures.items() if name != "rested"), "which may be lost in the noise"
    assert len(list(creation.report(figures))) == len(creation.GOALS) + 5


def test_frames_are_counted_and_come_back() -> None:
    lines = list(frames.report(1, frames=2 * frames.BATCH, trips=10))
    assert len(lines) == 3


def test_watching_and_hanging_are_measured() -> None:
    assert len(list(watching.report(1, seconds=0.3, budget_ms=200))) == 5
