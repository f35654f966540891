"""What modules and classes hold at their top level is in snapshots, and nothing of it begins anew in silence."""

from __future__ import annotations

import importlib
import random
from typing import Any

import pytest

from jupyter_sandbox.guest import snapshot as snapshots
from jupyter_sandbox.wire import messages as m

from .test_state import restored, snapshot

KEEPER = """
import collections, dataclasses, functools, itertools, random
from jupyter_sandbox.otp import GenServer, NoReply, Reply, Supervisor, Child

ids = itertools.count(1)
next_id = functools.partial(next, ids)
CACHE = {"fixed": 1}
remember = CACHE.__setitem__
TABLE = {"constant": [1, 2, 3]}
dice = random.Random(5)
total = 0

@dataclasses.dataclass
class Book:
    lines: list = dataclasses.field(default_factory=list)

BOOK = Book()
add_line = BOOK.lines.append

class Keeper(GenServer):
    made = []
    count = 0
    class Shelf:
        by_kind = collections.defaultdict(list)
    def init(self, argument):
        return CACHE.setdefault("mine", [])
    def handle_call(self, request, caller, mine):
        global total, latest
        n = next(ids)
        total += n
        latest = n
        Keeper.count += 1
        Keeper.made.append(n)
        Keeper.Shelf.by_kind[n % 2].append(n)
        BOOK.lines.append(n)
        mine.append(n)
        remember(n, "seen")
        told = (n, total, latest, self.count, len(self.made), dict(self.Shelf.by_kind), len(BOOK.lines))
        return Reply((told, len(CACHE), CACHE["mine"] is mine, CACHE["mine"], dice.random()), mine)
"""
UNSAVED = """
from jupyter_sandbox.otp import GenServer, Reply
def numbers():
    n = 0
    while True:
        n += 1
        yield n
NUMBERS = numbers()
class Keeper(GenServer):
    def init(self, argument):
        return 0
    def handle_call(self, request, caller, n):
        return Reply(next(NUMBERS) if request == "draw" else n, n + 1)
"""
EVIL = """
from jupyter_sandbox.otp import GenServer, Reply
class Evil:
    def __reduce__(self):
        raise SystemExit("no")
held = [Evil()]
class Keeper(GenServer):
    def init(self, argument):
        return 0
    def handle_call(self, request, caller, n):
        held.append(Evil())
        return Reply(n, n + 1)
"""
CHANCE = """
import numpy
dice = numpy.random.default_rng(1)
old = numpy.random.RandomState(2)
roll = dice.random
big = numpy.zeros(4_000_000)
"""
TELLER = """
import os, threading
from jupyter_sandbox.otp import GenServer, Reply
from elsewhere_of_tests import SHARED
LOCK = threading.Lock()
HANDLERS = {"double": lambda n: 2 * n}
class Teller(GenServer):
    def init(self, argument):
        return 0
    def handle_call(self, request, caller, n):
        SHARED.append(n)
        return Reply(HANDLERS["double"](n), n + 1)
"""


@pytest.fixture
def keeper(bench: Any) -> Any:
    bench.load(KEEPER, "tkeeper")
    bench.start("tkeeper.Keeper")
    for _ in range(3):
        bench.call("Keeper", "next")
    return bench


def test_what_modules_and_classes_hold_comes_back_and_stays_shared_with_states(keeper: Any, make_bench: Any) -> None:
    blob = snapshot(keeper).blob
    wanted = [keeper.call("Keeper", "next") for _ in range(2)]
    assert wanted[0][0][0] == 4 and wanted[0][2] is True
    fresh = restored(make_bench, blob)
    assert [fresh.call("Keeper", "next") for _ in range(2)] == wanted
    assert fresh.of(m.Notice) == []


def test_it_comes_back_from_a_snapshot_of_a_restored_system_too(keeper: Any, make_bench: Any) -> None:
    blob = snapshot(keeper).blob
    wanted = keeper.call("Keeper", "next")
    again = snapshot(restored(make_bench, blob)).blob
    assert restored(make_bench, again).call("Keeper", "next") == wanted


def test_a_step_back_to_a_journal_that_began_anew_shows_what_modules_held_then(
    bench: Any, make_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_sandbox.guest.journal_room.MOST", 40)
    bench.load(KEEPER, "tkeeper")
    bench.start("tkeeper.Keeper")
    for _ in range(60):
        bench.call("Keeper", "next")
    journal, step = bench.ask(m.TakeJournal).blob, bench.guest.node.step_number
    state, wanted = bench.state("Keeper"), bench.call("Keeper", "next")
    fresh = make_bench()
    fresh.ask(m.ReplayJournal, blob=journal, until_step=step)
    assert bench.guest.journal_room.begins > 0 and fresh.state("Keeper") == state
    fresh.ask(m.Resume)
    assert fresh.call("Keeper", "next") == wanted


def test_what_has_not_changed_is_not_in_a_snapshot(bench: Any) -> None:
    bench.load(KEEPER.replace("[1, 2, 3]", "list(range(100_000))"), "tkeeper")
    bench.start("tkeeper.Keeper")
    assert len(snapshot(bench).blob) < 30_000
    changed = bench.guest.code.values.found().changed
    assert ("tkeeper", "CACHE") in changed and ("tkeeper", "TABLE") not in changed


def test_a_name_that_was_deleted_stays_deleted(bench: Any, make_bench: Any) -> None:
    bench.load("gone = [1]\nnew = 0", "tbare")
    exec("import tbare; del tbare.gone; tbare.new = {1: 2}; tbare.more = 'x'")
    restored(make_bench, snapshot(bench).blob)
    import tbare  # type: ignore[import-not-found]

    assert (hasattr(tbare, "gone"), tbare.new, tbare.more) == (False, {1: 2}, "x")


def test_a_module_in_a_new_version_begins_with_what_that_makes(bench: Any, make_bench: Any) -> None:
    counting = UNSAVED.replace("= numbers()", "= iter(range(1, 100))")
    bench.load(counting, "tunsaved")
    bench.start("tunsaved.Keeper")
    assert [bench.call("Keeper", "draw") for _ in range(2)] == [1, 2]
    bench.load(counting + "newer = True\n", "tunsaved")
    assert bench.guest.code.values.found().changed == {}
    assert bench.call("Keeper", "draw") == 1
    assert restored(make_bench, snapshot(bench).blob).call("Keeper", "draw") == 2


def test_the_state_of_chance_that_all_share_comes_back(keeper: Any, make_bench: Any) -> None:
    random._inst.random()
    blob = snapshot(keeper).blob
    wanted = random._inst.random()
    restored(make_bench, blob)
    assert random._inst.random() == wanted


def test_that_of_numpy_and_of_its_generators_comes_back(bench: Any, make_bench: Any) -> None:
    numpy = pytest.importorskip("numpy")
    bench.load(CHANCE, "tchance")

    def draw() -> list[float]:
        module = importlib.import_module("tchance")
        return [numpy.random.rand(), module.roll(), module.old.rand()]

    draw()
    blob = snapshot(bench).blob
    wanted = draw()
    restored(make_bench, blob)
    assert draw() == wanted and len(blob) < 30_000 and bench.of(m.Notice) == []


def test_what_cannot_be_saved_and_has_not_changed_is_no_news(bench: Any, make_bench: Any) -> None:
    bench.load(UNSAVED, "tunsaved")
    bench.start("tunsaved.Keeper")
    assert restored(make_bench, snapshot(bench).blob).of(m.Notice) == []


def test_what_changed_and_cannot_be_saved_is_named_once_after_a_restore(bench: Any, make_bench: Any) -> None:
    bench.load(UNSAVED, "tunsaved")
    bench.start("tunsaved.Keeper")
    bench.call("Keeper", "draw")
    fresh = restored(make_bench, snapshot(bench).blob)
    (notice,) = fresh.of(m.Notice)
    assert notice.level == "warning" and "tunsaved.NUMBERS" in notice.text and "state of a process" in notice.text
    assert isinstance(fresh.ask(m.TakeJournal), m.SnapshotBlob)  # there it began as a replay has it


def test_values_whose_own_code_raises_anything_harm_no_load_and_no_snapshot(bench: Any, make_bench: Any) -> None:
    bench.load(EVIL, "tevil")
    bench.start("tevil.Keeper")
    bench.call("Keeper", "next")
    fresh = restored(make_bench, snapshot(bench).blob)
    assert [notice.text.split(",")[0] for notice in fresh.of(m.Notice)] == ["not restored: tevil.held"]
    assert fresh.call("Keeper", "next") == 1


def test_no_step_back_shows_a_past_that_never_was(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_sandbox.guest.journal_room.MOST", 40)
    bench.load(UNSAVED, "tunsaved")
    bench.start("tunsaved.Keeper")
    bench.call("Keeper", "draw")
    assert isinstance(bench.ask(m.TakeJournal), m.SnapshotBlob)
    for _ in range(60):
        bench.call("Keeper", "next")
    refused = bench.ask(m.TakeJournal)
    assert refused.kind == "snapshot_failed" and "tunsaved.NUMBERS" in refused.message
    assert "keep it in the state of a process" in refused.message


def test_what_belongs_to_a_library_is_left_to_it_and_a_lock_is_no_change(
    bench: Any, make_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import types

    library = types.ModuleType("elsewhere_of_tests")
    library.SHARED = []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elsewhere_of_tests", library)
    bench.load(TELLER, "tteller")
    bench.start("tteller.Teller")
    bench.call("Teller", "x")
    blob = snapshot(bench).blob
    library.SHARED.append("later")  # type: ignore[attr-defined]
    fresh = restored(make_bench, blob)
    assert library.SHARED == [0, "later"]  # type: ignore[attr-defined]
    assert fresh.of(m.Notice) == [] and fresh.call("Teller", "x") == 2


def test_a_snapshot_without_what_modules_hold_can_still_be_restored(
    keeper: Any, make_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(snapshots.held_values, "taken", lambda *_: (None, {}))
        patch.setattr(snapshots.Saved, "__getstate__", lambda saved: [getattr(saved, name) for name in OLDER])
        blob = snapshot(keeper).blob
    assert not hasattr(snapshots.opened(blob), "held")
    assert restored(make_bench, blob).state("Keeper") == [1, 2, 3]


OLDER = ("bundle", "table", "app", "node", "kinds", "processes")
