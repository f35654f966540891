"""The rounds of the watchdog: who else wants the manager's thread does not wait for the end of one."""

from __future__ import annotations

import asyncio
import types
from itertools import pairwise

from jupyter_sandbox.manager.watchdog import DISK_EVERY, SLICE_NS, Watchdog, look

OTHERS = -1


class Watched:
    """A sandbox that is never at rest."""

    rest = None

    memory = 0

    def __init__(self, number: int) -> None:
        self.name, self.life = f"sandbox_{number}", types.SimpleNamespace(id=number)
        self.guest = types.SimpleNamespace(lookout=types.SimpleNamespace(rest=lambda *_: None))
        self.building, self.limits = set[object](), None

    def rests(self, now_ns: int) -> bool:
        return False

    def announce(self) -> None:
        """Nobody listens."""


class Story:
    """Some sandboxes that are looked at for ``rounds``; a look takes ``look_ns``."""

    def __init__(self, *, look_ns: int, rounds: int = 1, sandboxes: int = 6) -> None:
        self.turns: list[int] = []
        """Who had the thread: sandboxes by number, or others."""
        self.holdings: list[int] = []
        self._now_ns, self._look_ns, self._looks = 0, look_ns, rounds * sandboxes
        self._sandboxes = [Watched(number) for number in range(sandboxes)]
        asyncio.run(self._play())

    def _look(self, unit: Watched, now_ns: int, *, holdings: bool) -> None:
        assert now_ns == self._now_ns, "what is read is judged by the time of before"
        self._now_ns += self._look_ns
        self.turns.append(unit.life.id)
        self.holdings += [unit.life.id] if holdings else []
        self._looks -= 1
        if not self._looks:
            self._seen.set()

    async def _play(self) -> None:
        self._seen = asyncio.Event()
        watching = Watchdog(lambda: self._sandboxes, look_at=self._look, clock_ns=lambda: self._now_ns)  # type: ignore[arg-type, return-value]
        watching.wake()
        while not self._seen.is_set():
            self.turns.append(OTHERS)
            await asyncio.sleep(0)
        watching.close()


def test_others_have_the_thread_between_two_looks_that_take_long() -> None:
    turns = Story(look_ns=SLICE_NS).turns
    looks = [at for at, who in enumerate(turns) if who != OTHERS]
    assert [turns[at] for at in looks] == list(range(6))
    assert all(OTHERS in turns[one:other] for one, other in pairwise(looks))


def test_looks_that_take_no_time_are_one_turn() -> None:
    turns = Story(look_ns=1).turns
    assert turns[-6:] == list(range(6)) and set(turns[:-6]) == {OTHERS}


def test_each_round_looks_into_some_of_the_folders() -> None:
    holdings = Story(look_ns=1, rounds=DISK_EVERY).holdings
    per_round = [sorted(holdings[at : at + 2]) for at in range(0, 6, 2)]
    assert sorted(holdings) == list(range(6)) and all(other - one == DISK_EVERY for one, other in per_round)


def test_processor_time_is_read_of_who_changes_nothing_else() -> None:
    """Threads beside processes that rest compute, and no callback runs."""
    read: list[object] = []
    seen = types.SimpleNamespace(
        see_errands=lambda: None, look_at_holdings=lambda: None, unchanged=lambda now_ns, limits: True
    )  # fmt: skip
    guest = types.SimpleNamespace(lookout=seen)
    unit = types.SimpleNamespace(building=(), guest=guest, limits=None, see_processor_time=read.append)
    look(unit, 0)  # type: ignore[arg-type]
    look(unit, 1, holdings=True)  # type: ignore[arg-type]
    assert read == [guest], "three times a second, with its files"
