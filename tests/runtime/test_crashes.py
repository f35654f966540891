"""From a Python exception to the reason a process ends with."""

from __future__ import annotations

import sys
from types import TracebackType

import pytest

from jupyter_sandbox.model.exits import Frame
from jupyter_sandbox.runtime import crashes


def chain(length: int) -> TracebackType:
    """A traceback of so many frames, the newest with the highest number."""
    frame, made = sys._getframe(), None
    for line in range(length, 0, -1):
        made = TracebackType(made, frame, 0, line)
    assert made is not None
    return made


def test_of_a_traceback_without_end_the_newest_frames_are_told() -> None:
    assert [frame.line for frame in crashes.user_frames(chain(1_000))] == list(range(951, 1_001))


def test_frames_that_are_not_told_cost_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Frame] = []

    def counted(*facts: object) -> Frame:
        made.append(Frame(*facts))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(crashes, "Frame", counted)
    assert len(crashes.user_frames(chain(100_000))) == len(made) == 50
