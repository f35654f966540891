"""Pause, step, until, resume: nothing runs and no time passes unless told; every step is told on one line."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.guest.clock import NodeClock
from jupyter_sandbox.wire import messages as m

from .conftest import TICKER


def test_pausing_tells_the_step_it_stands_at(shop: Any) -> None:
    step = shop.ask(m.Pause).step
    assert step == shop.guest.node.step_number > 0
    shop.cast("front", 5)
    shop.run(100)
    assert shop.guest.node.step_number == step
    assert shop.ask(m.Pause).step == step, "pausing twice is pausing once"


def test_steps_are_told_one_by_one(shop: Any) -> None:
    shop.ask(m.Pause)
    shop.cast("front", 5)
    shop.cast("back", 1)
    stepped = shop.ask(m.Step, count=2)
    assert [view.step for view in stepped.steps] == [stepped.step - 1, stepped.step]
    cast = stepped.steps[0]
    assert (cast.name, cast.kind, cast.message, cast.state_before, cast.state_after) == ("front", "cast", "5", "0", "5")
    assert "front handled cast 5 from outside" in cast.line()


def test_fewer_steps_are_taken_when_nothing_is_left_to_do(shop: Any) -> None:
    shop.ask(m.Pause)
    shop.cast("front", 5)
    stepped = shop.ask(m.Step, count=10)
    assert (len(stepped.steps), stepped.waiting) == (1, "idle")
    assert shop.ask(m.Step, count=1).steps == []


def test_time_stands_still_while_paused(bench: Any) -> None:
    bench.load(TICKER, "tticker")
    bench.start("tticker.Ticker", 0)
    bench.run(3_500)
    assert bench.state("Ticker") == 3
    bench.ask(m.Pause)
    bench.run(60_000)
    bench.ask(m.Resume)
    bench.run(1_000)
    assert bench.state("Ticker") == 4


def test_a_step_jumps_to_the_next_deadline_when_only_timers_wait(bench: Any) -> None:
    bench.load(TICKER, "tticker")
    bench.start("tticker.Ticker", 0)
    bench.ask(m.Pause)
    stepped = bench.ask(m.Step, count=3)
    assert [view.state_after for view in stepped.steps] == ["1", "2", "3"]
    assert [view.now_ms for view in stepped.steps] == [1_000, 2_000, 3_000]
    bench.ask(m.Resume)
    bench.run(500)
    assert bench.state("Ticker") == 3, "resuming goes on from the moment of the last step"


def test_virtual_time_jumps_by_itself(make_bench: Any) -> None:
    bench = make_bench(clock="virtual")
    bench.load(TICKER, "tticker")
    bench.start("tticker.Ticker", 0)
    for _ in range(100):
        bench.guest.turn()
    assert bench.state("Ticker") > 30
    assert bench.guest.node.now_ms > 30_000


def test_until_stops_at_the_first_step_that_matches_everything(shop: Any) -> None:
    shop.ask(m.Pause)
    for amount in (1, 2, 3):
        shop.cast("front", amount)
        shop.cast("back", amount)
    stepped = shop.ask(m.Until, process="back", kind="cast", contains="cast 2")
    assert (stepped.steps[-1].name, stepped.steps[-1].message) == ("back", "2")
    assert shop.ask(m.Until, contains="never said").waiting == "idle"
    shop.cast("back", 1)
    assert shop.ask(m.Until, contains="never said", max_steps=1).waiting == "limit"
    shop.cast("back", 1)
    assert shop.ask(m.Until, process="back", max_steps=1).waiting == ""


def test_until_without_a_condition_is_a_usage_error(shop: Any) -> None:
    shop.ask(m.Pause)
    assert shop.ask(m.Until).kind == "usage_error"


def test_stepping_needs_a_pause_first(shop: Any) -> None:
    failed = shop.ask(m.Step)
    assert failed.kind == "not_paused" and "pause" in failed.message


def test_what_needs_steps_is_refused_while_paused_with_the_way_out(shop: Any) -> None:
    shop.ask(m.Pause)
    failed = shop.call("front", "next")
    assert failed.kind == "paused" and "resume" in failed.message
    assert shop.state("front") == 0, "looking needs no step"
    assert len(shop.shown()) == 3


def test_resuming_handles_what_was_queued(shop: Any) -> None:
    shop.ask(m.Pause)
    shop.cast("front", 5)
    assert isinstance(shop.ask(m.Resume), m.Done)
    shop.run(2)
    assert shop.state("front") == 5


@pytest.mark.parametrize("virtual", [True, False])
def test_the_clock_never_goes_back(virtual: bool) -> None:
    clock = NodeClock(0, virtual=virtual)
    clock.jump(500, 0)
    assert clock.now_ms(0) == 500
    clock.jump(100, 0)
    assert clock.now_ms(0) == 500
    clock.pause(1_000_000)
    clock.pause(9_000_000)
    clock.resume(2_000_000)
    clock.resume(3_000_000)
    assert clock.now_ms(2_000_000) == (500 if virtual else 501)


def test_until_refuses_a_process_that_nobody_knows(shop: Any) -> None:
    shop.ask(m.Pause)
    before = shop.guest.node.step_number
    shop.cast("front", 5)
    refused = shop.ask(m.Until, process="frnt")
    assert (refused.kind, shop.guest.node.step_number) == ("noproc", before)
    assert "there is no process 'frnt'" in refused.message


@pytest.mark.parametrize("named", ["back", "Shop/back"])
def test_until_takes_a_process_by_name_or_path(shop: Any, named: str) -> None:
    shop.ask(m.Pause)
    shop.cast("front", 5)
    shop.cast("back", 1)
    assert shop.ask(m.Until, process=named).steps[-1].name == "back"


def test_until_follows_a_name_through_a_restart(shop: Any) -> None:
    shop.ask(m.Pause)
    shop.cast("front", "no number")
    stepped = shop.ask(m.Until, process="front", kind="start")
    assert (stepped.steps[-1].name, stepped.waiting) == ("front", "")
