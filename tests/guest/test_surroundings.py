"""Time and chance inside a sandbox: user code meets the node's clock and the seed, everybody else the machine's."""

from __future__ import annotations

import datetime
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_sandbox.guest.surroundings import Surroundings
from jupyter_sandbox.runtime import Node
from jupyter_sandbox.wire import messages as m

ASKER = """
import asyncio, datetime, os, random, secrets, threading, time, uuid
from datetime import datetime as Moment
from random import choice
from time import time as now
from jupyter_sandbox.otp import GenServer, NoReply, Reply

STARTED = time.time_ns()
LUCKY = random.random()
OWN = random.Random().random()

class Asker(GenServer):
    def init(self, _):
        return []
    def handle_call(self, request, caller, seen):
        match request:
            case "times":
                value = [time.time(), time.monotonic(), time.perf_counter(), now()]
            case "moments":
                value = [Moment.now().isoformat(), datetime.datetime.now(datetime.UTC).isoformat(),
                         datetime.datetime.utcnow().isoformat(), datetime.date.today().isoformat(),
                         time.strftime("%Y-%m-%d"), list(time.gmtime())[:6], time.ctime(),
                         Moment.today().isoformat()]
            case "chance":
                deck = list(range(20))
                random.shuffle(deck)
                value = [random.random(), deck, choice("abcdef"), random.Random().random(), random.gauss(0, 1),
                         str(uuid.uuid4()), str(uuid.uuid1()), secrets.token_hex(8), os.urandom(6)]
            case "uuids":
                made = [getattr(uuid, name) for name in ("uuid1", "uuid6", "uuid7") if hasattr(uuid, name)]
                value = [[str(make()) for make in made] for _ in range(5)]
            case "wait":
                end = time.monotonic() + 0.002
                looks = 0
                while time.monotonic() < end:
                    looks += 1
                value = looks
            case "constants":
                value = [STARTED, LUCKY, OWN]
            case "functions":
                value = [choice, now, uuid.uuid1, os.urandom]
        return Reply(value, [*seen, value])
    async def handle_cast(self, request, seen):
        elsewhere = await self.outside(lambda: [time.time(), random.random()])
        return NoReply([*seen, elsewhere])
"""
UUID1 = 6
"""Where in the answer to "chance" the value stands that has the time in it."""
GREGORIAN = 0x01B2_1DD2_1381_4000
"""From 1582 to 1970, in steps of 100 ns."""
BITS = (1 << 62) - 1
"""The end of a UUID: what is by chance, not by time, in each of these versions."""
EPOCH_NS = 1_000_000_000_000_000_000  # 2001-09-09T01:46:40Z


@pytest.fixture
def served(make_bench: Callable[..., Any]) -> Callable[..., Any]:
    """A guest whose code is served, with the asker started."""

    def make(**boot: Any) -> Any:
        bench = make_bench(**boot)
        bench.guest.surroundings.begin(EPOCH_NS)
        bench.guest.surroundings.install()
        return bench

    return make


@pytest.fixture
def asker(served: Callable[..., Any]) -> Any:
    bench = served(seed=7)
    loaded = bench.load(ASKER, "tasker")
    assert isinstance(loaded, m.Loaded), loaded
    started = bench.start("tasker.Asker")
    assert isinstance(started, m.Done), started
    return bench


def test_time_is_the_nodes_and_stands_still_while_paused(asker: Any) -> None:
    first = asker.call("Asker", "times")
    assert first[0] == pytest.approx(EPOCH_NS / 1e9 + asker.guest.node.now_ms / 1000, abs=0.01)
    asker.run(5_000)
    later = asker.call("Asker", "times")
    assert later[0] - first[0] == pytest.approx(5, abs=0.1)
    assert later[1] - first[1] == pytest.approx(5, abs=0.1)
    asker.ask(m.Pause)
    asker.run(60_000)
    asker.ask(m.Resume)
    assert asker.call("Asker", "times")[0] - later[0] < 0.1


def test_dates_are_of_the_same_clock(asker: Any) -> None:
    local, aware, naive, today, text, parts, _, moment = asker.call("Asker", "moments")
    assert naive.startswith("2001-09-09T01:46:40.")
    assert aware.startswith("2001-09-09T01:46:40.") and aware.endswith("+00:00")
    assert datetime.datetime.fromisoformat(local).timestamp() == pytest.approx(EPOCH_NS / 1e9, abs=1)
    assert today == text == datetime.date.fromtimestamp(EPOCH_NS / 1e9).isoformat()
    assert parts == [2001, 9, 9, 1, 46, 40]
    assert local < moment < local[:17] + "41"


def test_readings_never_go_back_and_a_loop_that_polls_the_clock_ends(asker: Any) -> None:
    readings = [reading for _ in range(50) for reading in asker.call("Asker", "times")[1:3]]
    assert readings == sorted(set(readings))
    assert 1 < asker.call("Asker", "wait") <= 2_000


def test_chance_is_of_the_seed(served: Callable[..., Any]) -> None:
    drawn = []
    for seed in (7, 7, 8):
        bench = served(seed=seed)
        bench.load(ASKER, "tasker")
        bench.start("tasker.Asker")
        drawn.append([bench.call("Asker", "chance"), bench.call("Asker", "chance"), bench.call("Asker", "constants")])
    assert drawn[0] == drawn[1]
    same, other = drawn[0], drawn[2]
    assert same[0] != same[1]
    assert not [one for one, two in zip(same[0], other[0], strict=True) if one == two and not isinstance(one, str)]


def test_uuids_by_time_are_of_the_nodes_clock_and_of_the_seed_whatever_was_made_before(
    served: Callable[..., Any],
) -> None:
    made = []
    for _ in range(2):
        bench = served(seed=7)
        bench.load(ASKER, "tasker")
        bench.start("tasker.Asker")
        made.append([[uuid.UUID(one) for one in row] for row in bench.call("Asker", "uuids")])
    assert [[one.int & BITS for one in row] for row in made[0]] == [[one.int & BITS for one in row] for row in made[1]]
    for kind in zip(*made[0], strict=True):
        at = {1: lambda one: one.time, 6: _time_of_6, 7: lambda one: (one.int >> 80) * 10_000}[kind[0].version]
        since = 0 if kind[0].version == 7 else GREGORIAN
        assert [(at(one) - since) / 1e7 for one in kind] == pytest.approx([EPOCH_NS / 1e9] * 5, abs=1)
        assert list(kind) == sorted(set(kind))


def _time_of_6(made: uuid.UUID) -> int:
    return made.int >> 80 << 12 | made.int >> 64 & 0xFFF


def test_a_replay_meets_the_same_time_and_chance(asker: Any, served: Callable[..., Any]) -> None:
    for request in ("times", "chance", "moments", "wait", "constants"):
        asker.call("Asker", request)
        asker.run(37)
    asker.cast("Asker", "outside")
    while len(asker.state("Asker")) < 6:
        asker.turn()
    before = asker.state("Asker")
    asker.ask(m.Pause)
    journal = asker.ask(m.TakeJournal)
    fresh = served()
    fresh.guest.surroundings.begin(5)  # another day
    told = fresh.ask(m.ReplayJournal, blob=journal.blob, until_step=journal.step)
    assert told.step == journal.step
    fresh.ask(m.Resume)
    assert fresh.state("Asker") == before


def test_a_snapshot_goes_on_with_its_time_and_chance(asker: Any, served: Callable[..., Any]) -> None:
    asker.call("Asker", "chance")
    blob = asker.ask(m.TakeSnapshot).blob
    went_on = [asker.call("Asker", "chance"), asker.call("Asker", "times")[1]]
    del went_on[0][UUID1]
    fresh = served()
    fresh.ask(m.RestoreSnapshot, blob=blob)
    fresh.ask(m.Resume)
    drawn = fresh.call("Asker", "chance")
    del drawn[UUID1]
    assert drawn == went_on[0]
    assert fresh.call("Asker", "times")[1] == pytest.approx(went_on[1], abs=0.1)


def test_states_that_hold_such_functions_can_be_saved(asker: Any, served: Callable[..., Any]) -> None:
    asker.call("Asker", "functions")
    blob = asker.ask(m.TakeSnapshot).blob
    fresh = served()
    assert isinstance(fresh.ask(m.RestoreSnapshot, blob=blob), m.Done)


def test_work_outside_and_libraries_have_the_machines_clock(asker: Any) -> None:
    asker.cast("Asker", "outside")
    while not asker.state("Asker"):
        asker.turn()
    (elsewhere,) = asker.state("Asker")
    assert abs(elsewhere[0] - time.time()) < 60
    assert abs(datetime.datetime.now().timestamp() - time.time()) < 60


def test_a_cell_is_served(asker: Any) -> None:
    from .conftest import value_of

    source = "import time, random\nawait self.sleep(1)\n[time.time(), random.random()]"
    first = value_of(asker.ask(m.Execute, source=source, file="<cell>"))
    assert abs(first[0] - EPOCH_NS / 1e9) < 5


PLAIN = (time.time, time.monotonic_ns, time.strftime, random.random, random.Random.__init__, os.urandom, uuid.uuid1)


@pytest.fixture
def bare() -> Iterator[Surroundings]:
    made = Surroundings(Node(), lambda name: False, 0)
    yield made
    made.uninstall()


def test_nothing_is_left_behind(bare: Surroundings) -> None:
    now = datetime.datetime.__dict__["now"]
    bare.install()
    assert time.time is not PLAIN[0] and datetime.datetime.__dict__["now"] is not now
    bare.uninstall()
    here = (time.time, time.monotonic_ns, time.strftime, random.random, random.Random.__init__, os.urandom, uuid.uuid1)
    assert all(one == two for one, two in zip(here, PLAIN, strict=True))
    assert datetime.datetime.__dict__["now"] is now
    assert datetime.datetime.now(datetime.UTC).year > 2020
