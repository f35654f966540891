"""The collector is kept out of some work, and is afterwards as the notebook wants it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator

import pytest

from jupyter_sandbox.code.uncollected import uncollected

DEADLINE_S = 10.0


class Cycle:
    def __init__(self) -> None:
        self.own = self


def collects() -> bool:
    """Whether garbage is collected by itself."""
    collected = list[str]()

    def note(phase: str, info: dict[str, int]) -> None:
        collected.append(phase)

    gc.callbacks.append(note)
    try:
        kept = [Cycle() for _ in range(20_000)]
    finally:
        gc.callbacks.remove(note)
    del kept
    return collected != []


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    on, usual = gc.isenabled(), gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*usual)
    (gc.enable if on else gc.disable)()


def test_nothing_is_collected_in_the_block_and_something_after_it() -> None:
    with uncollected():
        assert not collects()
    assert collects() and gc.get_threshold() == (700, 10, 10)


def test_nothing_is_collected_until_the_last_of_several_threads_is_out_of_its_block() -> None:
    inside, over = threading.Event(), threading.Event()

    def first() -> None:
        with uncollected():
            inside.set()
            assert over.wait(DEADLINE_S)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(DEADLINE_S)
    with uncollected():
        over.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive() and not collects()
    assert collects() and gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("switch", [gc.disable, gc.enable])
def test_who_switches_the_collector_meanwhile_has_it_so_afterwards(switch: Callable[[], None]) -> None:
    (gc.enable if switch is gc.disable else gc.disable)()
    with uncollected():
        switch()
        assert not collects()
    assert gc.isenabled() is (switch is gc.enable) is collects()


def test_who_sets_its_threshold_meanwhile_has_it_so_afterwards() -> None:
    with uncollected():
        gc.set_threshold(900, 5, 5)
    assert gc.get_threshold() == (900, 5, 5)
    gc.set_threshold(0, 5, 5)
    with uncollected():
        assert not collects()
    assert gc.get_threshold() == (0, 5, 5)
