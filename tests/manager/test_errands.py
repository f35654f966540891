"""Errands are done elsewhere, each by somebody, and whoever is kept keeps nobody else."""

from __future__ import annotations

import _thread
import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from jupyter_sandbox.isolation import brief, long_list
from jupyter_sandbox.manager import errands as module
from jupyter_sandbox.manager.errands import (
    KEPT,
    KEPT_BY_SOMEBODY,
    KEPT_BY_STARTS,
    MOST,
    Errand,
    Errands,
    GuestErrands,
    Worker,
    errands_of,
    kept_by_somebody,
)

from ..waiting import until


def run(work: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        try:
            await work
        finally:
            errands_of(asyncio.get_running_loop()).close()

    asyncio.run(asyncio.wait_for(bounded(), 60))


async def came(found: list[Any], count: int) -> None:
    while len(found) < count:
        await asyncio.sleep(0.001)


def test_it_is_done_on_another_thread_and_its_result_comes_on_the_loop() -> None:
    async def work() -> None:
        found: list[tuple[int, int]] = []
        GuestErrands(errands_of(asyncio.get_running_loop())).send(
            threading.get_ident, lambda thread: found.append((thread or 0, threading.get_ident()))
        )
        assert found == []
        await came(found, 1)
        assert found[0][0] != found[0][1] == threading.get_ident()

    run(work())


def test_one_that_fails_has_no_result_and_the_next_one_is_done(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        found: list[Any] = []
        errands = GuestErrands(errands_of(asyncio.get_running_loop()))
        errands.send(lambda: 1 // 0, found.append)
        await came(found, 1)
        errands.send(lambda: 2, found.append)
        await came(found, 2)
        assert found == [None, 2] and not errands.kept()

    run(work())
    assert "ZeroDivisionError" in caplog.text


def test_others_are_done_while_one_is_kept_and_only_one_thread_stays() -> None:
    async def work() -> None:
        free, found = threading.Event(), list[Any]()
        all_of_them = Errands(asyncio.get_running_loop())
        one, other = GuestErrands(all_of_them), GuestErrands(all_of_them)
        for _ in range(3):
            one.send(free.wait, found.append)
        for number in range(20):
            other.send(lambda number=number: number, found.append)  # type: ignore[misc]
        await came(found, 20)
        assert sorted(found) == list(range(20))
        assert len(all_of_them._threads) <= MOST
        free.set()
        await came(found, 23)
        while len(all_of_them._threads) > 1:
            await asyncio.sleep(0.001)
        all_of_them.close()
        while all_of_them._threads:
            await asyncio.sleep(0.001)

    run(work())


def test_a_thread_whose_loop_is_forgotten_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORGOTTEN_S", 0.01)
    loop = asyncio.new_event_loop()
    errands = Errands(loop)
    time.sleep(0.05)
    assert len(errands._threads) == 1
    loop.close()
    until(lambda: not errands._threads, "it waits for ever")


def test_where_no_thread_can_be_had_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> None:
        monkeypatch.setattr("_thread.start_new_thread", refuse)
        found: list[Any] = []
        GuestErrands(Errands(asyncio.get_running_loop())).send(threading.get_ident, found.append)
        await came(found, 1)
        assert found == [threading.get_ident()]

    run(work())


def test_a_thread_that_never_began_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, lost = _thread.start_new_thread, 2

    def lose(act: Callable[[], None], arguments: tuple[()]) -> int:
        nonlocal lost
        lost -= 1
        return begin(act, arguments) if lost < 0 else 0  # as when Python has no memory for it

    async def work() -> None:
        monkeypatch.setattr("_thread.start_new_thread", lose)
        monkeypatch.setattr(module, "LOOK_S", 0.01)
        errands, found = Errands(asyncio.get_running_loop()), list[int]()
        GuestErrands(errands).send(threading.get_ident, lambda thread: found.append(thread or 0))
        await came(found, 1)
        assert found[0] != threading.get_ident() and lost == -1
        errands.close()

    run(work())


def test_it_is_kept_too_long_after_so_many_looks_that_found_it_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        free, found, waits = threading.Event(), list[Any](), [True, False]
        errands = GuestErrands(errands_of(asyncio.get_running_loop()))
        errand = errands.send(free.wait, found.append)
        while not errand._thread:
            await asyncio.sleep(0.001)

        def kept() -> bool:
            assert not kept_by_somebody(asyncio.get_running_loop())
            return errands.kept()

        assert not any(kept() for _ in range(2 * KEPT)), "who waits for an event is not kept by Linux"
        monkeypatch.setattr(Worker, "is_kept", lambda worker: waits[0])
        assert [kept() for _ in range(KEPT)] == [False] * (KEPT - 1) + [True]
        free.set()
        await came(found, 1)
        assert not kept()

    run(work())


def test_who_waits_for_a_lock_of_all_is_kept_by_somebody_and_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        loop, free, found = asyncio.get_running_loop(), threading.Event(), list[Any]()
        errands = GuestErrands(errands_of(loop))
        errand = errands.send(lambda: brief._waited_for(free.wait, 60), found.append)
        while not (errand._thread and errand._thread.number in brief.AMONG_ALL):
            await asyncio.sleep(0.001)
        monkeypatch.setattr(Worker, "is_kept", lambda worker: True)
        seen = [kept_by_somebody(loop) for _ in range(KEPT_BY_SOMEBODY)]
        assert seen == [False] * (KEPT_BY_SOMEBODY - 1) + [True] and not errands.kept()
        free.set()
        await came(found, 1)
        assert not kept_by_somebody(loop)

    run(work())


def test_who_waits_while_a_program_starts_is_kept_too_long_much_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        loop, free, found = asyncio.get_running_loop(), threading.Event(), list[Any]()
        errands = GuestErrands(errands_of(loop))
        errand = errands.send(lambda: long_list.FOR_A_START.during(free.wait, 60), found.append)
        while not (errand._thread and errand._thread.number in long_list.FOR_A_START):
            await asyncio.sleep(0.001)
        monkeypatch.setattr(Worker, "is_kept", lambda worker: True)
        seen = list[bool]()
        for _ in range(KEPT_BY_STARTS):
            assert not kept_by_somebody(loop)
            seen.append(errands.kept())
        assert seen == [False] * (KEPT_BY_STARTS - 1) + [True] and KEPT_BY_STARTS > KEPT
        free.set()
        await came(found, 1)

    run(work())


def test_what_is_fetched_is_the_result_or_the_error() -> None:
    async def work() -> None:
        errands = GuestErrands(errands_of(asyncio.get_running_loop()))
        assert await errands.fetch(lambda: 42) == 42
        with pytest.raises(ZeroDivisionError):
            await errands.fetch(lambda: 1 // 0)
        free = threading.Event()
        given_up = asyncio.ensure_future(errands.fetch(lambda: free.wait(60)))
        await asyncio.sleep(0)
        given_up.cancel()
        free.set()
        assert await errands.fetch(lambda: 43) == 43

    run(work())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("where", "name"), [(module, "told"), (Errand, "run")])
def test_what_a_thread_was_at_that_ended_for_want_of_memory_is_told_all_the_same(
    where: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had done, or that it did not do it: nobody waits for ever, and nothing is taken for a result."""
    missed: list[object] = []
    whole = getattr(where, name)

    def short(*words: object) -> object:
        if missed.append(words) is None and len(missed) == 1:
            raise MemoryError
        return whole(*words)

    async def work() -> None:
        errands = GuestErrands(errands_of(asyncio.get_running_loop()))
        assert await errands.fetch(lambda: 41) == 41
        with monkeypatch.context() as patch:
            patch.setattr(where, name, short)
            if name == "told":
                assert await asyncio.wait_for(errands.fetch(lambda: 42), 10) == 42
            else:
                with pytest.raises(MemoryError):
                    await asyncio.wait_for(errands.fetch(lambda: 42), 10)
        assert await errands.fetch(lambda: 43) == 43

    monkeypatch.setattr(module, "LOOK_S", 0.01)
    run(work())


def test_a_thread_that_waits_in_linux_is_seen_to_be_kept_and_closes_what_it_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = Worker()
    assert not worker.is_kept()
    monkeypatch.setattr(brief, "read_at_start", lambda fd, most: b"7 (a) b) D 1")
    assert worker.is_kept()
    worker.close()
    worker.close()
    assert not worker.is_kept()


def test_who_cannot_wait_otherwise_has_it_at_once_and_only_once() -> None:
    async def work() -> None:
        found: list[Any] = []
        errands = GuestErrands(errands_of(asyncio.get_running_loop()))
        errand: Errand[None] = errands.send(lambda: time.sleep(0.01), found.append)
        assert errand.await_it(30) and found == [None]
        slow: Errand[None] = errands.send(lambda: time.sleep(0.2), found.append)
        assert not slow.await_it(0.01) and len(found) == 1
        await came(found, 2)
        await asyncio.sleep(0.01)
        assert found == [None, None]

    run(work())
