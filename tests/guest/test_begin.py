"""A spare guest becomes a sandbox by Begin, exactly as if it had been made for it; no other guest can."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from jupyter_sandbox.guest.entropy import reseed
from jupyter_sandbox.guest.large_imports import LargeImports
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.runtime.node import Watch
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.values import decode_value

from .conftest import Bench

SHOP = Boot("shop", seed=7, limits=Limits(max_processes=3), clock="virtual")
LOOK = "(self.random.random(), self._process.node.name, self._process.node.max_processes, self._process.node.seed)"


def seen(bench: Bench) -> object:
    """What code in it sees of its configuration."""
    return decode_value(bench.ask(m.Execute, source=LOOK, file="<cell>").data)


@pytest.mark.parametrize("capture", [None, ("message_handled",)])
def test_a_spare_is_afterwards_what_a_guest_made_for_it_is(capture: tuple[str, ...] | None) -> None:
    boot = replace(SHOP, capture=capture)
    spare, direct = Bench(Boot("spare", spare=True)), Bench(boot)
    told: list[Boot] = []
    spare.guest.on_begin = told.append
    assert isinstance(spare.ask(m.Begin, boot=boot), m.Done)
    assert told == [boot] and spare.guest.clock.virtual
    assert (spare.guest.node.watch == Watch()) == (direct.guest.node.watch == Watch()) == (capture is None)
    assert seen(spare) == seen(direct)
    events = [bench.ask(m.Events, limit=50).events for bench in (spare, direct)]
    assert events[0] == events[1] != []
    assert spare.guest.node.digest == direct.guest.node.digest
    for bench in (spare, direct):
        bench.guest.close()


@pytest.mark.parametrize("spare", [False, True])
def test_a_guest_that_is_a_sandbox_already_refuses(spare: bool) -> None:
    bench = Bench(Boot("first", spare=spare))
    if spare:
        bench.ask(m.Begin, boot=SHOP)
    refused = bench.ask(m.Begin, boot=SHOP)
    assert isinstance(refused, m.Failed) and "only a spare guest can begin" in refused.message
    bench.guest.close()


def test_a_spare_in_which_code_has_run_refuses() -> None:
    bench = Bench(Boot("spare", spare=True))
    bench.ask(m.Execute, source="1", file="<cell>")
    assert isinstance(bench.ask(m.Begin, boot=SHOP), m.Failed)
    bench.guest.close()


def test_shared_random_numbers_belong_to_the_seed() -> None:
    kept = random.getstate()
    try:
        drawn = []
        for seed in (1, 2, 1, -5, 1 << 100):
            reseed(seed)
            drawn.append(random.random())
        assert drawn[0] == drawn[2] and len(set(drawn)) == 4
        assert random.Random(1).random() not in drawn
    finally:
        random.setstate(kept)


def test_an_import_that_does_not_fit_names_what_to_do() -> None:
    finder = LargeImports(lambda: 30_000_000, {"no_such_giant": 60_000_000})
    with pytest.raises(ImportError, match=r"giant needs 60 MB.* 30 MB are left.*--flavour sci.*120MB") as caught:
        finder.find_spec("no_such_giant")
    assert caught.value.name == "no_such_giant"


@pytest.mark.parametrize("free", [60_000_000, None])
def test_an_import_that_fits_is_left_to_the_other_finders(free: int | None) -> None:
    finder = LargeImports(lambda: free, {"no_such_giant": 60_000_000})
    finder.find_spec("no_such_giant")


def test_a_module_that_is_there_or_small_is_never_refused() -> None:
    finder = LargeImports(lambda: 0, {"random": 60_000_000})
    finder.find_spec("random")
    finder.find_spec("decimal")
