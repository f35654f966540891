"""What is seen of a guest from outside: looked at as seldom as can be, and never taken for at rest when it is not."""

import types
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_sandbox.isolation.guest_process import Rest
from jupyter_sandbox.isolation.heartbeat import IMPORTS, Beat
from jupyter_sandbox.manager.hearing import Hearing
from jupyter_sandbox.manager.lookout import LONG_NS, Lookout, Question
from jupyter_sandbox.model.limits import Holdings, Limits
from jupyter_sandbox.wire.messages import Call, Execute, Tree

LIMITS = Limits()


class Resting(Rest):
    """Of an OS process that nobody runs."""

    def lasts(self, now_ns: int) -> bool:
        return now_ns <= self.until_ns


class Seen:
    """An OS process as a lookout sees it; ``looks`` are the looks at its holdings, True for those at everything."""

    modest, ran_ns, grown, alone, headless, connected, stopped, threads = True, 5, 0, True, False, False, False, 3
    heard, pauses, is_unread = 0, False, False
    most_grown = 0

    def __init__(self) -> None:
        self.looks: list[bool] = []
        self.filled = 7
        self.beat = Beat(steps=0, started_ns=0, process=0, phase=0)
        self.heartbeat = types.SimpleNamespace(rests=True, name=lambda: "cart <0.7.0>", read=lambda: self.beat)

    def holdings(self, most_files: int, *, everything: bool = False) -> Holdings:
        self.looks.append(everything)
        return Holdings(files=3)

    def folder(self, most_files: int) -> Holdings:
        return Holdings(disk=self.filled, files=2)

    def processor_ns(self) -> int:
        return self.ran_ns

    def rest(self, ran_ns: int, until_ns: int) -> Rest | None:
        return Resting(0, ran_ns, until_ns)

    def growth(self) -> int:
        return self.grown

    def unread(self) -> bool:
        return self.is_unread

    def waits(self) -> bool:
        return True

    def step_back(self) -> None:
        """It has."""

    def take_baseline(self) -> int:
        return 0


class AtOnce:
    """Errands that are over when they have been sent, unless they are to go on: then ``end`` ends the last one."""

    def __init__(self) -> None:
        self.goes_on = self.is_kept = False

    def send(self, act: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.end = lambda: done(act())
        if not self.goes_on:
            self.end()

    def kept(self) -> bool:
        return self.is_kept


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def lookout(seen: Seen) -> Lookout:
    made = Lookout(seen, AtOnce(), Hearing(seen, seen))  # type: ignore[arg-type]
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


def test_who_is_connected_is_never_at_rest(seen: Seen, lookout: Lookout) -> None:
    seen.connected = True
    for _ in range(3):
        lookout.look_at_holdings()
    assert len(seen.looks) == 3 and lookout.rest(judged(lookout), LIMITS) is None
    seen.connected = False
    for _ in range(3):
        lookout.look_at_holdings()
    assert len(seen.looks) == 4 and lookout.rest(judged(lookout), LIMITS) is not None


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


def test_whose_callback_it_is_that_cannot_say_so_is_known_from_what_was_asked(seen: Seen, lookout: Lookout) -> None:
    def whose() -> str:
        return lookout.reading(8).process

    lookout.open[1] = Question(Call(id=1, target="cart", args=b""), 0)
    assert whose() == "", "nothing runs"
    seen.beat = Beat(steps=0, started_ns=7, process=0, phase=0)
    assert whose() == "whoever answers the call to cart"
    lookout.open[2] = Question(Tree(id=2), 0)
    assert whose() == "whoever answers the call to cart"
    lookout.open[3] = Question(Execute(id=3, source="1", file="<3>"), 0)
    assert whose() == "", "it may be either"
    del lookout.open[1]
    assert whose() == "the cell <3>"
    with lookout.importing():
        assert whose() == ""
    seen.beat = Beat(steps=0, started_ns=7, process=9, phase=0)
    assert whose() == "cart <0.7.0>", "what it says itself comes first"


def test_that_a_signal_stopped_it_is_looked_at_of_who_seems_to_hang(seen: Seen, lookout: Lookout) -> None:
    seen.stopped = True
    assert not lookout.reading(10**9).stopped
    seen.beat = Beat(steps=0, started_ns=10**9, process=9, phase=0)
    assert not lookout.reading(10**9 + LONG_NS - 1).stopped
    assert lookout.reading(10**9 + LONG_NS).stopped


def test_who_was_stopped_before_it_came_to_what_it_is_asked_for_hangs_in_that(seen: Seen, lookout: Lookout) -> None:
    lookout.open[1] = Question(Call(id=1, target="cart", args=b""), 10**9)
    waits = lookout.reading(10**9 + LONG_NS)
    assert (waits.stopped, waits.callback_ns, waits.process) == (False, 0, ""), "it may wait for another's answer"
    seen.stopped = True
    lookout.open[2] = Question(Tree(id=2), 2 * 10**9)
    stopped = lookout.reading(10**9 + LONG_NS)
    assert (stopped.stopped, stopped.callback_ns) == (True, 10**9)
    assert stopped.process == "whoever answers the call to cart"


def test_who_waits_for_another_of_its_threads_hangs_until_it_reads_whoever_gave_up_meanwhile(
    seen: Seen, lookout: Lookout
) -> None:
    seen.is_unread = True
    assert not lookout.reading(8).deaf, "it was asked for nothing"
    lookout.open[1] = Question(Call(id=1, target="cart", args=b""), 7)
    first = lookout.reading(9)
    assert (first.deaf, first.callback_ns, first.process) == (True, 9, "")
    lookout.open.clear()
    assert not lookout.unchanged(10, LIMITS)
    later = lookout.reading(10)
    assert (later.deaf, later.callback_ns) == (True, 9)
    seen.is_unread = False
    read = lookout.reading(11)
    assert (read.deaf, read.callback_ns) == (False, 0)


def test_who_is_being_looked_at_is_not_looked_at_once_more(seen: Seen) -> None:
    errands = AtOnce()
    lookout = Lookout(seen, errands, Hearing(seen, seen))  # type: ignore[arg-type]
    errands.goes_on = True
    lookout.look_at_holdings()
    first = errands.end
    errands.goes_on = False
    lookout.look_at_holdings()
    assert seen.looks == []
    first()
    assert seen.looks == [False] and lookout.reading(8).held.files == 3
    lookout.look_at_holdings()
    assert seen.looks == [False, True]


def test_while_who_looks_at_everything_is_kept_the_folder_is_looked_at_alone(seen: Seen) -> None:
    errands = AtOnce()
    lookout = Lookout(seen, errands, Hearing(seen, seen))  # type: ignore[arg-type]
    errands.goes_on = True
    lookout.look_at_holdings()
    first = errands.end
    lookout.look_at_holdings()
    second = errands.end
    lookout.look_at_holdings()
    assert errands.end is second, "nobody else is sent while one is there"
    second()
    assert lookout.reading(8).held == Holdings(disk=7, files=2)
    errands.goes_on, seen.filled = False, 9
    lookout.look_at_holdings()
    assert lookout.reading(8).held.disk == 9
    errands.goes_on = True
    lookout.look_at_holdings()
    late = errands.end
    first()
    late()
    assert lookout.reading(8).held == Holdings(files=3), "what was found before is older"


def test_a_look_that_failed_changes_nothing(lookout: Lookout) -> None:
    lookout.look_at_holdings()
    before = lookout.reading(8)
    lookout._looked(99, True, None)
    assert lookout.reading(8) == before and lookout.ran_ns != 99


def test_who_keeps_those_that_look_is_told_so_for_good(seen: Seen) -> None:
    errands = AtOnce()
    lookout = Lookout(seen, errands, Hearing(seen, seen))  # type: ignore[arg-type]
    lookout.see_errands()
    assert not lookout.reading(8).kept
    errands.is_kept = True
    lookout.see_errands()
    errands.is_kept = False
    lookout.see_errands()
    assert lookout.reading(8).kept and not lookout.unchanged(8, LIMITS)


def test_who_is_asked_does_not_rest(lookout: Lookout) -> None:
    lookout.look_at_holdings()
    now_ns = judged(lookout)
    lookout.look_at_holdings()
    assert lookout.unchanged(now_ns, LIMITS) and lookout.rest(now_ns, LIMITS) is not None
    lookout.open[1] = Question(Tree(id=1), now_ns)
    assert not lookout.unchanged(now_ns, LIMITS) and lookout.rest(now_ns, LIMITS) is None


def test_run_time_counts_after_an_end_that_is_none(seen: Seen, lookout: Lookout) -> None:
    assert not lookout.timed(ended=True)
    seen.ran_ns += 1_000_000_000
    assert lookout.timed(ended=True)
