"""What the watchdog makes of a reading: memory, run time, stuck callbacks."""

from __future__ import annotations

from dataclasses import replace

from jupyter_sandbox.manager.life import DiskOver, GivenUp, HandlerOver, LimitCounted, MemoryOver, RuntimeOver
from jupyter_sandbox.manager.watch import ATTEMPTS, MEMORY_SLACK, RETRY_NS, Reading, Watched, disk_text, judge
from jupyter_sandbox.model.limits import (
    DISK_BYTES,
    DISK_FILES,
    FILE_SIZE,
    MANY_FILES,
    OPEN_FILES,
    WAITED_FILES,
    WATCHES,
    Holdings,
    Limits,
)

LIMITS = Limits()
MS = 1_000_000


def test_nothing_is_said_of_a_guest_within_its_limits() -> None:
    assert judge(Watched(), Reading(0, 299_999, 50_000_000), LIMITS, 1) == (Watched(), ())


def test_memory_over_the_limit_is_told_once_until_it_went_down_again() -> None:
    over = Reading(0, 0, LIMITS.max_memory + 1)
    told, events = judge(Watched(), over, LIMITS, 1)
    assert [event.kill for event in events if isinstance(event, MemoryOver)] == [False]
    assert judge(told, over, LIMITS, 1)[1] == ()
    low, _ = judge(told, Reading(0, 0, LIMITS.max_memory // 2), LIMITS, 1)
    assert len(judge(low, over, LIMITS, 1)[1]) == 1


def test_that_it_has_had_all_of_its_memory_is_told_once_and_not_of_who_merely_has_much() -> None:
    watched, told = judge(Watched(), Reading(0, 0, 1_000_000, most=47_000_000), LIMITS, 1)
    assert told == ()
    watched, told = judge(watched, Reading(0, 0, 1_000_000, most=49_000_000), LIMITS, 1)
    assert told == (MemoryOver(1, 49_000_000, LIMITS.max_memory, False, over=False),)
    watched, told = judge(watched, Reading(0, 0, 1_000_000, most=49_900_000), LIMITS, 1)
    assert told == ()
    more = replace(LIMITS, max_memory=100_000_000)
    watched, told = judge(watched, Reading(0, 0, 1_000_000, most=49_900_000), more, 1)
    watched, (again,) = judge(watched, Reading(0, 0, 1_000_000, most=99_900_000), more, 1)
    assert told == () and isinstance(again, MemoryOver), "with more of it, it can have all once more"
    watched, (over,) = judge(Watched(), Reading(0, 0, 51_000_000, most=51_000_000), LIMITS, 1)
    assert isinstance(over, MemoryOver) and over.over and watched.all_told, "one alert, and not two"


def test_memory_far_over_the_limit_kills() -> None:
    far = Reading(0, 0, LIMITS.max_memory + MEMORY_SLACK + 1)
    (event,) = judge(Watched(memory_told=True), far, LIMITS, 3)[1]
    assert isinstance(event, MemoryOver) and event.kill and event.generation == 3


def test_a_guest_whose_first_thread_ended_alone_ends_whatever_else_was_seen() -> None:
    (event,) = judge(Watched(), Reading(0, 0, 0, headless=True), LIMITS, 3)[1]
    assert isinstance(event, GivenUp) and event.generation == 3 and "main thread has ended" in event.reason


def test_run_time_counts_only_while_something_runs() -> None:
    late = Reading(0, LIMITS.max_runtime + 1, 0)
    assert [type(event) for event in judge(Watched(), late, LIMITS, 1)[1]] == [RuntimeOver]
    assert judge(Watched(), late, LIMITS, 1, timed=False)[1] == ()


def test_a_full_file_is_told_once_until_it_is_gone() -> None:
    full, empty = (Reading(0, 0, 0, held=Holdings(largest=size)) for size in (FILE_SIZE, 0))
    told, events = judge(Watched(), full, LIMITS, 1)
    assert [event.limit for event in events if isinstance(event, LimitCounted)] == ["file_limit"]
    assert judge(told, full, LIMITS, 1)[1] == ()
    again, events = judge(told, empty, LIMITS, 1)
    assert events == () and len(judge(again, full, LIMITS, 1)[1]) == 1


def test_limits_that_the_operating_system_does_not_set_are_not_told_to_be_met() -> None:
    full = Reading(0, 0, 0, held=Holdings(largest=FILE_SIZE, open_files=OPEN_FILES))
    assert len(judge(Watched(), full, LIMITS, 1)[1]) == 2
    assert judge(Watched(), full, LIMITS, 1, limited=False) == (Watched(), ())
    most, more = (Reading(0, 0, 0, held=Holdings(open_files=count)) for count in (MANY_FILES, MANY_FILES + 1))
    assert judge(Watched(), most, LIMITS, 1, limited=False)[1] == ()
    counted, over = judge(Watched(), more, LIMITS, 1, limited=False)[1]
    assert isinstance(counted, LimitCounted) and counted.limit == "files_limit" and isinstance(over, GivenUp)


def test_files_that_are_waited_for_end_a_sandbox_that_waits_for_more_than_it_may() -> None:
    held = Holdings(waited=WAITED_FILES + 1, most_waited=WAITED_FILES)
    counted, over = judge(Watched(), Reading(0, 0, 0, held=held), LIMITS, 1, limited=False)[1]
    assert isinstance(counted, LimitCounted) and counted.limit == "files_limit" and isinstance(over, GivenUp)
    assert "385 files" in over.reason and "384 are allowed" in over.reason


def test_watches_of_epoll_are_the_users_and_end_who_has_too_many() -> None:
    most, more = (Reading(0, 0, 0, held=Holdings(watches=count)) for count in (WATCHES, WATCHES + 1))
    assert judge(Watched(), most, LIMITS, 1)[1] == ()
    counted, over = judge(Watched(), more, LIMITS, 1)[1]
    assert isinstance(counted, LimitCounted) and counted.limit == "watches_limit" and counted.ends
    assert isinstance(over, GivenUp) and over.reason.startswith("watches: ")


def test_a_folder_is_told_by_what_it_has_too_much_of() -> None:
    assert disk_text(DISK_BYTES + 1, 3) == "filled its folder with 100 MB in 3 files (100 MB are allowed)"
    assert disk_text(0, DISK_FILES + 1) == "filled its folder with more than the 2000 files that are allowed"
    assert "folders in folders" in disk_text(0, 70, "depth") and "memory maps" in disk_text(0, 3, "maps")
    assert "2000 files" in disk_text(0, DISK_FILES + 1, "maps")
    assert "not dumpable" in disk_text(0, 3, "closed")
    for unseen in ("depth", "maps", "closed"):
        (told,) = judge(Watched(), Reading(0, 0, 0, held=Holdings(files=3, unseen=unseen)), Limits(), 1)[1]
        assert isinstance(told, DiskOver) and told.unseen == unseen


def test_nobody_runs_a_callback_for_longer_than_it_has_lived() -> None:
    assert Reading(5_000 * MS, 700, 0, callback_ns=1).callback_ms == 700
    assert Reading(5_000 * MS, 700, 0, callback_ns=(1 << 64) - 1).callback_ms == 0
    assert Reading(5_000 * MS, 700, 0).callback_ms == 0


def test_a_callback_within_its_budget_is_left_alone() -> None:
    reading = Reading(now_ns=5_000 * MS + 7, runtime_ms=0, memory=0, callback_ns=7, process="front")
    assert judge(Watched(), reading, LIMITS, 1)[1] == ()


def test_a_stuck_callback_is_tried_again_each_second_and_given_up_after_the_last_attempt() -> None:
    watched, told = Watched(), []
    start = 1
    for tick in range(100):
        now = start + 5_001 * MS + tick * RETRY_NS // 10
        watched, events = judge(watched, Reading(now, 0, 0, start, "front"), LIMITS, 1)
        told += [(tick, event.attempt, event.last) for event in events if isinstance(event, HandlerOver)]
        if told and told[-1][2]:
            break
    assert told == [(1, 1, False), (11, 2, False), (21, ATTEMPTS + 1, True)]


def test_a_stuck_callback_is_asked_where_it_hangs_before_it_is_interrupted() -> None:
    asked, events = judge(Watched(), Reading(5_001 * MS, 0, 0, 1, "front"), LIMITS, 1)
    assert (asked.stuck_ns, asked.attempts, events) == (1, 0, ())
    assert judge(asked, Reading(5_002 * MS, 0, 0, 1, "front"), LIMITS, 1) == (asked, ())
    assert judge(asked, Reading(5_101 * MS, 0, 0, 0), LIMITS, 1)[1] == (), "it ended by itself"
    (event,) = judge(asked, Reading(5_101 * MS, 0, 0, 1, "front"), LIMITS, 1)[1]
    assert isinstance(event, HandlerOver) and event.attempt == 1


def test_whose_callback_hangs_is_remembered_when_nobody_waits_for_it_any_more() -> None:
    asked, _ = judge(Watched(), Reading(9_900 * MS, 0, 0, 1, "front"), LIMITS, 1)
    watched, (first,) = judge(asked, Reading(10_000 * MS, 0, 0, 1, ""), LIMITS, 1)
    watched, (second,) = judge(watched, Reading(11_000 * MS, 0, 0, 1, ""), LIMITS, 1)
    asked, _ = judge(watched, Reading(20_000 * MS, 0, 0, 11_000 * MS, ""), LIMITS, 1)
    _, (other,) = judge(asked, Reading(20_100 * MS, 0, 0, 11_000 * MS, ""), LIMITS, 1)
    assert [one.process for one in (first, second, other) if isinstance(one, HandlerOver)] == ["front", "front", ""]


def test_the_next_callback_begins_afresh() -> None:
    first, _ = judge(Watched(), Reading(9_900 * MS, 0, 0, 1, "front"), LIMITS, 1)
    first, _ = judge(first, Reading(10_000 * MS, 0, 0, 1, "front"), LIMITS, 1)
    assert first.attempts == 1
    idle, _ = judge(first, Reading(10_100 * MS, 0, 0, 0), LIMITS, 1)
    assert idle.attempts == 0
    asked, _ = judge(first, Reading(20_000 * MS, 0, 0, 11_000 * MS, "back"), LIMITS, 1)
    _, (event,) = judge(asked, Reading(20_100 * MS, 0, 0, 11_000 * MS, "back"), LIMITS, 1)
    assert isinstance(event, HandlerOver) and (event.attempt, event.process) == (1, "back")
