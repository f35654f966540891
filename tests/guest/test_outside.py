"""Work outside shares one loop and a few threads: what one piece does to them costs no other piece, and is told."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from jupyter_sandbox.guest.outside import Outside
from jupyter_sandbox.runtime import OutsideWork
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.values import decode_value

BEFORE = """
import asyncio, os, sys
async def work():
{body}
    await asyncio.sleep(0.02)
    return 'done'
await self.outside(work())
"""
STOPPED = "RuntimeError: loop.stop() would end the loop, and all work of this sandbox outside runs on it. Let your "
REFUSED = {
    "stop": ("asyncio.get_running_loop().stop()", STOPPED),
    "close": ("asyncio.get_running_loop().close()", "RuntimeError: loop.close() would end the loop, and all work"),
    "a run of another coroutine": (
        "asyncio.get_running_loop().run_until_complete(None)", "RuntimeError: This event loop is already running",
    ),
    "asyncio.run": (
        "asyncio.run(None)", "RuntimeError: asyncio.run() cannot be called from a running event loop",
    ),
    "the end of its threads": (
        "await asyncio.get_running_loop().shutdown_default_executor()",
        "RuntimeError: loop.shutdown_default_executor() would take asyncio.to_thread from the loop",
    ),
    "an exit": ("sys.exit(3)", "SystemExit: 3"),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "an exit in a task that is awaited": (
        "async def inner(): sys.exit(4)\n    await asyncio.create_task(inner())", "SystemExit: 4",
    ),
    "a cancelled task": ("asyncio.current_task().cancel()", "RuntimeError: the work was cancelled"),
}  # fmt: skip
WITHOUT_EFFECT = {
    "a stop that is called later": (
        "loop = asyncio.get_running_loop(); loop.call_soon(loop.stop)", "loop.stop() would end the loop",
    ),
    "a stop from another thread": (
        "loop = asyncio.get_running_loop()\n    await asyncio.to_thread(loop.call_soon_threadsafe, loop.stop)",
        "loop.stop() would end the loop",
    ),
    "an exit in a callback": (
        "asyncio.get_running_loop().call_soon(sys.exit)", "SystemExit in a task or callback outside: that ends a",
    ),
    "an exit in a task of nobody": (
        "async def inner(): sys.exit(4)\n    asyncio.create_task(inner())",
        "SystemExit in a task or callback outside: that ends a",
    ),
    "a stop behind its back": ("asyncio.BaseEventLoop.stop(asyncio.get_running_loop())", ""),
    "a handler of exceptions that raises": (
        "loop = asyncio.get_running_loop(); loop.set_exception_handler(lambda *_: 1 / 0); loop.call_soon(sys.exit)\n"
        "    await asyncio.sleep(0.01); loop.set_exception_handler(None)", "Unhandled error in exception handler",
    ),
}  # fmt: skip


def ask(bench: Any, number: int, source: str) -> Any:
    bench.guest.handle(m.Execute(id=number, source=source, file="<c>"))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        bench.turn()
        for frame in bench.frames:
            if frame.id == number:
                return decode_value(frame.data) if isinstance(frame, m.Value) else frame
    raise AssertionError("outside work never came back")


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_end_the_loop_is_an_error_of_who_calls_it(bench: Any, what: str) -> None:
    body, told = REFUSED[what]
    failed = ask(bench, 77, BEFORE.format(body="    " + body))
    assert failed.message.startswith(told), failed
    assert ask(bench, 78, BEFORE.format(body="    pass")) == "done", "and nobody else's"


@pytest.mark.parametrize("what", WITHOUT_EFFECT)
def test_what_would_end_it_later_ends_nothing_and_is_told(
    bench: Any, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    body, told = WITHOUT_EFFECT[what]
    assert ask(bench, 77, BEFORE.format(body="    " + body)) == "done"
    assert ask(bench, 78, BEFORE.format(body="    pass")) == "done"
    assert told in caplog.text + "".join(str(record.exc_info) for record in caplog.records)


def test_a_loop_whose_files_were_closed_fails_what_it_owes_and_there_is_another(bench: Any) -> None:
    body = "    asyncio.get_running_loop()._selector.close()"
    failed = ask(bench, 77, BEFORE.format(body=body))
    assert failed.message.startswith("RuntimeError: the loop of work outside was broken"), failed
    assert ask(bench, 78, BEFORE.format(body="    pass")) == "done"


def test_a_loop_that_breaks_before_it_is_known_what_it_owes_fails_that_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hand_over = asyncio.run_coroutine_threadsafe

    def slow(work: Any, loop: Any) -> Any:
        future = hand_over(work, loop)
        broken.wait(20)
        return future

    async def work() -> None:
        asyncio.get_running_loop()._selector.close()  # type: ignore[attr-defined]

    broken, told = threading.Event(), threading.Event()
    made = Outside(told.set)
    broke = made._broke
    monkeypatch.setattr(made, "_broke", lambda *which: (broke(*which), broken.set()))
    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", slow)
    made.start(OutsideWork(1, work()))
    assert told.wait(20)
    assert [(done.ok, str(done.value)) for done in made.take()] == [(False, "the loop of work outside was broken")]
    made.close()


def test_work_that_cannot_begin_has_failed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    for number, work in enumerate(("work()", "lambda: 1"), 77):
        source = BEFORE.format(body="    pass").replace("outside(work())", f"outside({work})")
        assert ask(bench, number, source).message == "RuntimeError: can't start new thread"
    monkeypatch.undo()
    assert ask(bench, 80, BEFORE.format(body="    pass")) == "done"


def test_work_in_progress_is_cancelled_when_its_sandbox_ends() -> None:
    """The loop itself ends, though nobody else can end it."""
    cleaned, woken = threading.Event(), threading.Event()

    async def work() -> None:
        import asyncio

        try:
            woken.set()
            await asyncio.sleep(100)
        finally:
            cleaned.set()

    made = Outside(lambda: None)
    made.start(OutsideWork(1, work()))
    assert woken.wait(10)
    thread = made._thread
    assert thread is not None
    made.close()
    assert cleaned.is_set() and not thread.is_alive()
