"""The page on which a guest says what it does can be read while it hangs, and cannot hurt who reads it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from jupyter_sandbox.isolation.heartbeat import PAGE, Beat, Counts, HeartbeatPage, HeartbeatWriter

from .conftest import Launcher, Story, read_all

Play = Callable[[Story], None]


def test_enter_and_leave_are_seen_by_the_reader() -> None:
    page = HeartbeatPage()
    writer = HeartbeatWriter(page.fd, now=lambda: 123)
    writer.enter(7)
    assert page.read() == Beat(steps=1, started_ns=123, process=7, phase=0)
    writer.leave()
    writer.phase(3)
    assert page.read() == Beat(steps=1, started_ns=0, process=7, phase=3)
    assert page.busy_ms() == 0
    writer.enter(8)
    assert page.read().steps == 2
    assert page.busy_ms() > 0
    page.close()
    page.close()
    assert page.read() == Beat(0, 0, 0, 0)


def test_the_guest_can_say_whose_callback_runs_in_a_bounded_harmless_text() -> None:
    page = HeartbeatPage()
    writer = HeartbeatWriter(page.fd)
    assert page.name() == ""
    writer.say("front <0.7.0>", 12)
    assert (page.name(), page.read().phase) == ("front <0.7.0>", 12)
    writer.say("a\x1b]0;b\n" + "ü" * 1_000, 0)
    assert page.name().startswith("a\ufffd]0;b\ufffdü") and len(page.name()) < 200 and page.name().isprintable()
    writer.words("os._exit in init of a <0.7.0>" + "\n" * 1_000)
    assert page.words().startswith("os._exit in init of a <0.7.0>\ufffd") and len(page.words()) < 200
    page.close()
    assert page.name() == page.words() == ""


def test_what_was_counted_is_left_on_the_page() -> None:
    page = HeartbeatPage()
    writer = HeartbeatWriter(page.fd)
    assert page.counts() == Counts()
    writer.counted(12, 300)
    assert page.counts() == Counts(lived=12, waited=300)
    page.close()
    assert page.counts() == Counts()


def test_a_hang_inside_c_is_seen_from_outside(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.tell("heartbeat.enter(12); print('in'); sum(range(10**15))")
        await read_all(told.process.stdout_fd, "in")
        first, process = told.process.heartbeat.busy_ms(), told.process.heartbeat.read().process
        assert process == 12
        while told.process.heartbeat.busy_ms() < first + 20:
            pass

    play(story)


@pytest.mark.skipif(sys.platform != "linux", reason="seals are Linux's")
@pytest.mark.parametrize("size", [0, 1, PAGE * 2])
def test_its_size_is_sealed(size: int) -> None:
    page = HeartbeatPage()
    try:
        with pytest.raises(PermissionError):
            os.ftruncate(page.fd, size)
    finally:
        page.close()


def test_garbage_in_the_page_is_only_garbage(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        await told.ask("heartbeat._cells.cast('B')[:32] = b'\\xff' * 32")
        assert told.process.heartbeat.read() == Beat(*[(1 << 64) - 1] * 4)
        assert told.process.heartbeat.busy_ms() == 0

    play(story)
