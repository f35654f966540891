"""From a Python exception to the reason a process ends with."""

from __future__ import annotations

import sys
from types import TracebackType

import pytest

from jupyter_sandbox.model.exits import Crash, Frame
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


def test_what_a_class_says_of_its_traceback_and_its_name_is_not_asked() -> None:
    class Meta(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise AssertionError

    class Odd(Exception, metaclass=Meta):
        __traceback__ = property(lambda self: 1 / 0)  # type: ignore[assignment]

    with pytest.raises(Odd) as caught:
        raise Odd("said")
    reason = crashes.exit_reason(caught.value)
    assert isinstance(reason, Crash) and (reason.error, reason.text) == ("Odd", "said")
    assert reason.frames[-1].function == "test_what_a_class_says_of_its_traceback_and_its_name_is_not_asked"


def test_a_name_has_an_end() -> None:
    reason = crashes.exit_reason(type("E" * 100_000, (Exception,), {})())
    assert isinstance(reason, Crash) and reason.error == "E" * 100
