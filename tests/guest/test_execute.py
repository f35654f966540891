"""A cell run inside the sandbox, in a process of its own; the main application; work outside."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.values import decode_value


def execute(bench: Any, source: str, **fields: Any) -> Any:
    answer = bench.ask(m.Execute, source=source, file="<ipython-input-8-e>", **fields)
    return decode_value(answer.data) if isinstance(answer, m.Value) else answer


def test_the_last_expression_is_the_value(shop: Any) -> None:
    assert execute(shop, "a = 20\na + 1") == 21
    assert execute(shop, "a = 20") is None
    assert execute(shop, "") is None


def test_a_cell_talks_to_processes_with_await_at_its_top(shop: Any) -> None:
    assert execute(shop, "x = await self.call('front', 'next')\n(x, await self.call('back', 'next'))") == (0, 100)
    assert execute(shop, "import tshop\nawait self.start(tshop.Counter, 7, name='mine')\nself.whereis('mine')")


def test_functions_and_comprehensions_of_a_cell_see_its_names(shop: Any) -> None:
    assert execute(shop, "k = 2\ndef f(x):\n    return x * k\n[f(x) for x in range(3)]") == [0, 2, 4]


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("raise MemoryError", "memory_limit"),
        ('raise RuntimeError("can\'t start new thread")', "memory_limit"),
        ("raise OSError(24, 'Too many open files')", "files_limit"),
        ("raise OSError(27, 'File too large')", "file_limit"),
    ],
)
def test_a_cell_that_meets_a_limit_of_the_operating_system_raises_its_alert(shop: Any, source: str, limit: str) -> None:
    assert execute(shop, source).kind == "raised"
    (alert,) = shop.of(m.Alert)
    assert alert.limit == limit and "the cell <ipython-input-8-e> raised" in alert.message
    assert limit in shop.ask(m.Events, limit=9, kinds=["limit"]).events[0].text
    assert execute(shop, "raise OSError(2, 'No such file')").kind == "raised"
    assert len(shop.of(m.Alert)) == 1


def test_an_answer_that_there_is_no_memory_for_raises_the_alert_too(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(value: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("jupyter_sandbox.guest.values.encode_value", no_memory)
    assert "MemoryError" in execute(shop, "1 + 1").message
    assert [alert.limit for alert in shop.of(m.Alert)] == ["memory_limit"]


def test_an_exception_points_into_the_cell(shop: Any) -> None:
    failed = execute(shop, "def f():\n    return 1 / 0\nf()")
    assert failed.kind == "raised" and "ZeroDivisionError" in failed.message
    assert '  File "<ipython-input-8-e>", line 2, in f' in failed.traceback
    assert any("return 1 / 0" in line for line in failed.traceback)
    assert not any("jupyter_sandbox" in line for line in failed.traceback)


def test_a_syntax_error_has_its_place(shop: Any) -> None:
    failed = execute(shop, "x = = 1")
    assert failed.kind == "compilation_failed" and failed.diagnostics[0].column == 5


def test_a_cell_that_takes_too_long_is_ended(shop: Any) -> None:
    failed = execute(shop, "await self.sleep(60_000)", timeout_ms=100)
    assert failed.kind == "timeout"
    shop.run(5)
    assert shop.shown() == ["Shop", "Shop/front", "Shop/back"]


@pytest.mark.parametrize("source", ["self.exit('bye')", "raise SystemExit(2)", "raise KeyboardInterrupt"])
def test_a_cell_that_ends_itself_ends_nothing_else(shop: Any, source: str) -> None:
    assert execute(shop, source).kind == "raised"
    assert shop.call("front", "next") == 0


def test_awaiting_something_foreign_names_the_door(shop: Any) -> None:
    failed = execute(shop, "import asyncio\nawait asyncio.sleep(1)")
    assert "outside" in failed.message


def wait_for(bench: Any, number: int) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        bench.turn()
        for frame in bench.frames:
            if frame.id == number:
                return decode_value(frame.data) if isinstance(frame, m.Value) else frame
    raise AssertionError("outside work never came back")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import threading\nawait self.outside(lambda: threading.current_thread() is threading.main_thread())", False),
        ("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7\nawait self.outside(f())", 7),
    ],
)
def test_outside_work_is_done_in_a_thread_or_on_an_asyncio_loop(bench: Any, source: str, expected: Any) -> None:
    bench.guest.handle(m.Execute(id=77, source=source, file="<c>"))
    assert wait_for(bench, 77) == expected


def test_outside_work_that_fails_raises_in_the_process(bench: Any) -> None:
    source = "def f():\n    raise ValueError('far away')\nawait self.outside(f)"
    bench.guest.handle(m.Execute(id=77, source=source, file="<c>"))
    assert "far away" in wait_for(bench, 77).message
    bench.guest.handle(m.Execute(id=78, source="await self.outside(5)", file="<c>"))
    assert "callable" in wait_for(bench, 78).message


def test_main_may_be_a_server_a_supervisor_an_application_or_a_module(bench: Any, shop_source: str) -> None:
    app = "\nfrom jupyter_sandbox.otp.application import Application\nclass App(Application):\n"
    app += "    def start(self, kind, argument):\n        return Child(Shop)\n"
    bench.load(shop_source + app, "tshop")
    for main, keys in (
        ("tshop.App", ["Shop", "Shop/front", "Shop/back"]),
        ("tshop", ["Shop", "Shop/front", "Shop/back"]),
        ("tshop.Shop", ["Shop", "Shop/front", "Shop/back"]),
        ("tshop.Counter", ["LoneServer", "LoneServer/Counter"]),
    ):
        assert isinstance(bench.start(main, 3), m.Done), main
        assert bench.shown() == keys
        assert isinstance(bench.ask(m.Stop, app="sandbox_1"), m.Done)


def test_a_main_class_that_is_not_there_names_those_that_are(shop: Any) -> None:
    failed = shop.ask(m.Start, app="other", main="tshop.Shopp")
    assert failed.kind == "usage_error" and "'tshop.Shop'" in failed.message


def test_a_start_that_fails_says_why_and_leaves_nothing(bench: Any, shop_source: str) -> None:
    bench.load(shop_source.replace("return start", "return 1 / start"), "tshop")
    failed = bench.start("tshop.Shop")
    assert isinstance(failed, m.Failed) and "ZeroDivisionError" in failed.message
    assert any("1 / start" in line for line in failed.traceback)
    assert bench.shown() == []


def test_stopping_what_does_not_run_is_an_error(shop: Any) -> None:
    assert shop.ask(m.Stop, app="nothing").kind == "application_error"


def test_a_guest_that_is_idle_has_loaded_neither_threads_nor_asyncio_itself(bench: Any) -> None:
    assert bench.guest._outside is None
    assert "jupyter_sandbox.guest.guest" in sys.modules
