"""A failed start in words: one line from the main class down to the child that failed, and where."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.guest.starting import start_text
from jupyter_sandbox.model.exits import Crash, Frame
from jupyter_sandbox.wire import messages as m

CRASH = Crash("ValueError", "no such table", None, (Frame("cell", 5, "init"),))
CALL = ("module", "start", ("normal", None))


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (CRASH, "ValueError: no such table (cell line 5)"),
        (
            ("shutdown", ("failed_to_start_child", "front", CRASH)),
            "its child 'front' failed: ValueError: no such table (cell line 5)",
        ),
        (
            (
                ("shutdown", ("failed_to_start_child", "in", ("shutdown", ("failed_to_start_child", "front", "x")))),
                CALL,
            ),
            "its child 'in' failed: its child 'front' failed: 'x'",
        ),
        (("bad_return", (CALL, ("EXIT", CRASH))), "its start raised: ValueError: no such table (cell line 5)"),
        (("bad_return", (CALL, 7)), "its start returned 7, which is no process"),
        (("bad_return_value", 7), "its init returned 7, which means nothing here"),
        ("timeout", "it did not come up in time"),
        ("ignore", "its init said ignore"),
        (("already_started", "<0.7.0>"), "'<0.7.0>' has its name already; stop that one first or give another name"),
    ],
)
def test_every_reason_of_a_failed_start_is_one_line(reason: Any, text: str) -> None:
    assert start_text("Shop", reason) == f"Shop did not start: {text}"


def test_a_reason_without_end_is_cut() -> None:
    reason: Any = "deep"
    for _ in range(100):
        reason = ("shutdown", ("failed_to_start_child", "x", reason))
    assert len(start_text("Shop", reason)) < 2_000 and "\n" not in start_text("Shop", reason)


def test_the_answer_carries_the_users_lines(bench: Any, shop_source: str) -> None:
    bench.load(shop_source.replace("return start", "raise ValueError('no such table')"), "tshop")
    failed = bench.start("tshop.Shop")
    assert isinstance(failed, m.Failed) and failed.kind == "start_failed"
    assert failed.message == "Shop did not start: its child 'front' failed: ValueError: no such table (<tshop> line 6)"
    assert failed.traceback[-2:] == ["    raise ValueError('no such table')", "ValueError: no such table"]
