"""Exit reasons as people see them."""

from __future__ import annotations

from jupyter_sandbox.model.exits import AND_SO_ON, Frame, told_frames


def test_an_endless_recursion_is_told_three_times_and_then_so_on() -> None:
    start, again = Frame("cell", 1, "handle_call"), Frame("cell", 2, "f")
    told = [line for line, _ in told_frames([start, *[again] * 40])]
    assert told == ['  File "cell", line 1, in handle_call', *['  File "cell", line 2, in f'] * 3, AND_SO_ON]
    assert [frame for _, frame in told_frames([again] * 3)] == [again] * 3
