"""Whose callback runs is marked for the kernel step by step while a node has little to do, and told as unknown else."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from jupyter_sandbox.guest.guest import _MARKED
from jupyter_sandbox.isolation.heartbeat import UNTOLD

from .conftest import Bench

NOTER = """
from jupyter_sandbox.otp import GenServer, NoReply
import seen_by_the_test as seen
class Noter(GenServer):
    def init(self, n):
        seen.marks.append((seen.mark[0], self.pid.number))
        return n
    def handle_cast(self, left, n):
        seen.marks.append((seen.mark[0], self.pid.number))
        if left:
            self.cast(self.pid, left - 1)
        return NoReply(n)
"""


@pytest.fixture
def seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("seen_by_the_test")
    module.marks, module.mark = [], [0]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    bench.guest.mark = module.mark  # type: ignore[attr-defined]
    bench.load({"noter.py": NOTER})
    bench.start("noter.Noter", 0)
    return module


def test_a_few_steps_are_all_marked(bench: Bench, seen: ModuleType) -> None:
    (pid,) = {number for _, number in seen.marks}
    bench.cast(f"<0.{pid}.0>", 3)
    bench.run(10)
    assert seen.marks == [(pid, pid)] * 5


def test_of_many_steps_the_first_ones_are_marked_and_the_others_say_that_they_are_not(
    bench: Bench, seen: ModuleType
) -> None:
    (pid,) = {number for _, number in seen.marks}
    seen.marks.clear()
    bench.guest._slice = 10 * _MARKED
    bench.cast(f"<0.{pid}.0>", 5 * _MARKED)
    bench.run(10)
    told = [mark for mark, _ in seen.marks]
    assert len(told) == 5 * _MARKED + 1
    assert set(told[: _MARKED // 2]) == {pid} and set(told[_MARKED:]) == {UNTOLD}
