"""Who is blamed for a queue that anybody can make: the one with most threads, and nobody else a moment later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jupyter_sandbox.manager.watch import KEPT_ALL
from jupyter_sandbox.manager.whose_queue import AGAIN_NS, FEW, HARMLESS, WhoseQueue


class Guest:
    """With so many threads."""

    def __init__(self, threads: int) -> None:
        self.why: list[str] = []
        self.lookout: Any = SimpleNamespace(threads=threads, blame=self.why.append)


def blame(queue: WhoseQueue, now_ns: int, *guests: Guest) -> list[bool]:
    queue.blame(guests, now_ns)  # type: ignore[arg-type]
    return [bool(guest.why) for guest in guests]


def test_it_is_the_one_that_has_most_threads() -> None:
    queue, guests = WhoseQueue(), (Guest(3), Guest(FEW + 2), Guest(FEW + 1))
    assert blame(queue, 0, *guests) == [False, True, False]
    assert guests[1].why == [KEPT_ALL]


def test_who_has_few_is_never_blamed() -> None:
    assert blame(WhoseQueue(), 0) == []
    assert blame(WhoseQueue(), 0, Guest(FEW), Guest(1)) == [False, False]


def test_several_that_have_many_together_are_blamed_one_after_the_other() -> None:
    queue, guests = WhoseQueue(), (Guest(HARMLESS), Guest(FEW - 8), Guest(FEW - 9), Guest(1))
    assert blame(queue, 0, *guests) == [False, True, False, False]
    assert blame(queue, AGAIN_NS, guests[0], *guests[2:]) == [False, False, False]
    assert blame(queue, AGAIN_NS, *guests[2:], Guest(HARMLESS + 2)) == [True, False, False]
    assert blame(WhoseQueue(), 0, *(Guest(HARMLESS) for _ in range(50))) == [False] * 50


def test_a_queue_that_lasts_a_moment_longer_is_not_the_next_ones() -> None:
    queue, other = WhoseQueue(), Guest(FEW + 1)
    blame(queue, 5, Guest(200))
    assert blame(queue, 5 + AGAIN_NS - 1, other) == [False]
    assert blame(queue, 5 + AGAIN_NS, other) == [True]
