"""What is seen of a guest from outside: looked at as seldom as can be, and never taken for at rest when it is not."""

import types

import pytest

from jupyter_sandbox.isolation.guest_process import Rest
from jupyter_sandbox.isolation.heartbeat import IMPORTS, Beat
from jupyter_sandbox.manager.lookout import Lookout
from jupyter_sandbox.model.limits import Holdings, Limits

LIMITS = Limits()


class Resting(Rest):
    """Of an OS process that nobody runs."""

    def lasts(self, now_ns: int) -> bool:
        return now_ns <= self.until_ns


class Seen:
    """An OS process as a lookout sees it; ``looks`` are the looks at its holdings, True for those at everything."""

    modest, ran_ns, grown, alone, headless = True, 5, 0, True, False

    def __init__(self) -> None:
        self.looks: list[bool] = []
        self.beat = Beat(steps=0, started_ns=0, process=0, phase=0)
        self.heartbeat = types.SimpleNamespace(rests=True, name=lambda: "cart <0.7.0>", read=lambda: self.beat)

    def holdings(self, most_files: int, *, everything: bool = False) -> Holdings:
        self.looks.append(everything)
        return Holdings(files=3)

    def processor_ns(self) -> int:
        return self.ran_ns

    def rest(self, ran_ns: int, until_ns: int) -> Rest | None:
        return Resting(0, ran_ns, until_ns)

    def growth(self) -> int:
        return self.grown

    def step_back(self) -> None:
        """It has."""

    def take_baseline(self) -> int:
        return 0


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def lookout(seen: Seen) -> Lookout:
    made = Lookout(seen)  # type: ignore[arg-type]
    made.begin()
    return made


def judged(lookout: Lookout) -> int:
    """It is read and judged; the time of that."""
    now_ns = lookout.ready_ns + 1_000_000
    reading = lookout.reading(now_ns)
    lookout.judged = reading.memory, reading.held, LIMITS
    return now_ns


def test_who_lost_its_first_thread_is_never_unchanged_nor_at_rest(seen: Seen, lookout: Lookout) -> None:
    for _ in range(2):
        lookout.look_at_holdings()
    now_ns = judged(lookout)
    assert lookout.unchanged(now_ns, LIMITS) and lookout.rest(now_ns, LIMITS) is not None
    seen.headless = True
    assert not lookout.unchanged(now_ns, LIMITS) and lookout.rest(now_ns, LIMITS) is None
    assert lookout.reading(now_ns).headless


def test_who_has_not_run_is_looked_at_once_more_and_then_no_more(seen: Seen, lookout: Lookout) -> None:
    for _ in range(4):
        lookout.look_at_holdings()
    assert seen.looks == [False, True]
    seen.ran_ns = 6
    lookout.look_at_holdings()
    assert seen.looks == [False, True, False]


def test_who_may_have_children_is_looked_at_each_time(seen: Seen, lookout: Lookout) -> None:
    seen.alone = False
    for _ in range(3):
        lookout.look_at_holdings()
    assert seen.looks == [False] * 3


def test_it_rests_when_all_was_seen_and_judged_and_nothing_runs(seen: Seen, lookout: Lookout) -> None:
    lookout.look_at_holdings()
    assert lookout.rest(judged(lookout), LIMITS) is None, "one look leaves something out"
    lookout.look_at_holdings()
    assert lookout.rest(lookout.ready_ns, LIMITS) is not None
    assert lookout.rest(lookout.ready_ns, Limits()) is None, "it was not judged by these limits"
    assert lookout.rest(lookout.ready_ns + (LIMITS.max_runtime + 1) * 1_000_000, LIMITS) is None
    seen.heartbeat.rests = False
    assert lookout.rest(lookout.ready_ns, LIMITS) is None


def test_memory_that_grew_is_news(seen: Seen, lookout: Lookout) -> None:
    now_ns = judged(lookout)
    assert lookout.unchanged(now_ns, LIMITS)
    seen.grown = 4096
    assert not lookout.unchanged(now_ns, LIMITS)


def test_a_reading_is_of_an_import_only_while_something_is_loaded(seen: Seen, lookout: Lookout) -> None:
    seen.beat = Beat(steps=0, started_ns=7, process=IMPORTS, phase=0)
    assert not lookout.reading(8).importing, "that it imports is the guest's word alone"
    with lookout.importing():
        assert lookout.reading(8).importing
    assert not lookout.reading(8).importing


def test_run_time_counts_after_an_end_that_is_none(seen: Seen, lookout: Lookout) -> None:
    assert not lookout.timed(ended=True)
    seen.ran_ns += 1_000_000_000
    assert lookout.timed(ended=True)
