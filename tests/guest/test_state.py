"""Snapshot, restore, journal and replay: a system saved, filled again, and stepped back."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import pytest

from jupyter_sandbox.guest import snapshot as snapshots
from jupyter_sandbox.guest.snapshot_names import named
from jupyter_sandbox.wire import messages as m

from .conftest import TICKER

ARRAY = """
import numpy
from jupyter_sandbox.otp import GenServer, Reply
class Holder(GenServer):
    def init(self, argument):
        return numpy.ones(200_000)
    def handle_call(self, request, caller, array):
        return Reply(int(array.sum()), array)
"""
SELF_MADE = """
from jupyter_sandbox.otp import Child, GenServer, Reply, Supervisor
KNOWN = {}
class Itself(GenServer):
    def init(self, name):
        KNOWN[name] = self
        return list(KNOWN.values())
    def handle_call(self, request, caller, known):
        return Reply([(one.pid, type(one).__name__, one is KNOWN[name]) for name, one in zip(KNOWN, known)], known)
class SelfMade(Supervisor):
    def init(self, _):
        return [Child(Itself, "one", name="one"), Child(Itself, "two", name="two")]
"""


def snapshot(bench: Any) -> Any:
    answer = bench.ask(m.TakeSnapshot)
    assert isinstance(answer, m.SnapshotBlob), answer
    return answer


def restored(make_bench: Any, blob: bytes) -> Any:
    """What the manager does: a fresh guest, filled and told to go on."""
    fresh = make_bench()
    assert isinstance(fresh.ask(m.RestoreSnapshot, blob=blob), m.Done)
    fresh.ask(m.Resume)
    return fresh


def replayed(make_bench: Any, bench: Any, until_step: int) -> tuple[Any, Any]:
    blob = bench.ask(m.TakeJournal).blob
    fresh = make_bench()
    return fresh, fresh.ask(m.ReplayJournal, blob=blob, until_step=until_step)


def test_states_names_and_the_tree_come_back(shop: Any, make_bench: Any) -> None:
    shop.call("front", "next")
    shop.call("back", ("add", 5))
    tree = shop.ask(m.Tree).tree
    taken = snapshot(shop)
    assert taken.processes == 3
    fresh = restored(make_bench, taken.blob)
    assert [(v.key, v.pid, v.state) for v in fresh.ask(m.Tree).tree.processes] == [
        (v.key, v.pid, v.state) for v in tree.processes
    ]
    assert (fresh.call("front", "next"), fresh.call("back", "next")) == (1, 105)


def test_who_holds_the_self_of_a_process_holds_it_in_the_restored_system(bench: Any, make_bench: Any) -> None:
    """A module and each state do, also that of a process which is restored later."""
    bench.load(SELF_MADE, "tself")
    assert isinstance(bench.start("tself.SelfMade"), m.Done)
    known = bench.call("two", "known")
    assert [found[1:] for found in known] == [("Itself", True)] * 2
    assert restored(make_bench, snapshot(bench).blob).call("two", "known") == known


def test_the_self_of_a_process_that_ended_is_still_one_in_the_restored_system(bench: Any, make_bench: Any) -> None:
    bench.load(SELF_MADE, "tself")
    bench.start("tself.SelfMade")
    before = bench.call("two", "known")
    bench.ask(m.Kill, target="one")
    bench.run(5)
    known = bench.call("two", "known")
    assert known[0][:2] == before[0][:2] and known[0][2] is False, "the new one is known in its place"
    assert restored(make_bench, snapshot(bench).blob).call("two", "known") == known


def test_a_snapshot_that_an_earlier_version_took_is_read(
    bench: Any, make_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands for a process in its pickles had another name then."""
    bench.load(SELF_MADE, "tself")
    assert isinstance(bench.start("tself.SelfMade"), m.Done)
    with monkeypatch.context() as earlier:
        earlier.setattr(snapshots, "_named", named, raising=False)
        earlier.setattr(named, "__module__", snapshots.__name__)
        earlier.setattr(named, "__qualname__", "_named")
        taken = snapshot(bench)
    assert b"_named" in taken.blob
    assert restored(make_bench, taken.blob).call("two", "known") == bench.call("two", "known")


def test_supervision_links_and_the_restart_window_come_back(shop: Any, make_bench: Any) -> None:
    for _ in range(2):
        shop.ask(m.Kill, target="front")
        shop.run(3)
    fresh = restored(make_bench, snapshot(shop).blob)
    tree = {v.key: v for v in fresh.ask(m.Tree).tree.processes}
    assert tree["Shop/front"].restarts == 2 and tree["Shop"].budget_left == 1
    fresh.ask(m.Kill, target="back")
    fresh.run(3)
    assert fresh.shown() == ["Shop", "Shop/front", "Shop/back"]
    fresh.ask(m.Kill, target="back")
    fresh.run(3)
    assert fresh.shown() == [], "the fourth restart within five seconds is one too many"
    assert fresh.of(m.MainExited)[0].reason.endswith("gave up: more than 3 restarts in 5 s")


def test_an_application_that_was_restored_can_be_stopped_and_started(shop: Any, make_bench: Any) -> None:
    fresh = restored(make_bench, snapshot(shop).blob)
    assert isinstance(fresh.ask(m.Stop, app="sandbox_1"), m.Done)
    assert fresh.shown() == []
    assert isinstance(fresh.start("tshop.Shop"), m.Done)


def test_messages_that_wait_and_timers_come_back(shop: Any, make_bench: Any) -> None:
    shop.ask(m.Suspend, target="front")
    shop.cast("front", 5)
    shop.run(2)
    fresh = restored(make_bench, snapshot(shop).blob)
    assert fresh.state("front") == 0
    fresh.ask(m.Unsuspend, target="front")
    fresh.run(2)
    assert fresh.state("front") == 5


def test_time_goes_on_from_the_moment_of_the_snapshot(bench: Any, make_bench: Any) -> None:
    bench.load(TICKER, "tticker")
    bench.start("tticker.Ticker", 0)
    bench.run(2_500)
    taken = snapshot(bench)
    fresh = restored(make_bench, taken.blob)
    assert fresh.state("Ticker") == 2
    fresh.run(600)
    assert fresh.state("Ticker") == 3


def test_a_snapshot_of_a_paused_system_can_be_taken(shop: Any, make_bench: Any) -> None:
    shop.ask(m.Pause)
    shop.cast("front", 5)
    failed = shop.ask(m.TakeSnapshot)
    assert isinstance(failed, m.SnapshotBlob), "a client that has not begun yet is only a message"
    fresh = restored(make_bench, failed.blob)
    fresh.run(2)
    assert fresh.state("front") == 5


def test_code_versions_come_back_and_count_on(shop: Any, make_bench: Any, shop_source: str) -> None:
    shop.load(shop_source + "\nn = 2", "tshop")
    fresh = restored(make_bench, snapshot(shop).blob)
    assert [(v.version, v.current, v.processes) for v in fresh.ask(m.Versions).versions] == [
        (2, True, 3),
        (1, False, 0),
    ]
    assert fresh.load(shop_source + "\nn = 3", "tshop").moved == 3
    assert fresh.ask(m.Versions).versions[0].version == 3


def test_objects_of_the_sandboxs_own_classes_come_back(bench: Any, make_bench: Any, shop_source: str) -> None:
    bench.load(shop_source + "\nclass Item:\n    def __init__(self, n):\n        self.n = n\n", "tshop")
    bench.start("tshop.Counter", 0)
    item = sys.modules["tshop"].Item(7)
    bench.ask(m.SetState, target="Counter", args=pickle.dumps(item))
    fresh = restored(make_bench, snapshot(bench).blob)
    process = next(p for p in fresh.guest.node.processes.values() if p.name == "Counter")
    assert type(process.state) is sys.modules["tshop"].Item and process.state.n == 7


def test_state_that_cannot_be_saved_is_named_with_its_process(shop: Any) -> None:
    process = next(p for p in shop.guest.node.processes.values() if p.name == "back")
    process.state = (number for number in range(3))
    failed = shop.ask(m.TakeSnapshot)
    assert failed.kind == "snapshot_failed" and "back" in failed.message and "generator" in failed.message
    process.state = 1
    assert isinstance(shop.ask(m.TakeSnapshot), m.SnapshotBlob)


def test_the_error_of_a_state_names_what_cannot_be_saved_and_nothing_beside_it(shop: Any) -> None:
    process = next(p for p in shop.guest.node.processes.values() if p.name == "back")
    process.state = {"discount": lambda price: price, "ids": (number for number in range(3))}
    message = shop.ask(m.TakeSnapshot).message
    assert "cannot pickle 'generator' object" in message and "lambda" not in message
    del process.state["ids"]
    assert isinstance(shop.ask(m.TakeSnapshot), m.SnapshotBlob)


def test_a_state_with_a_large_array_can_be_saved(bench: Any, make_bench: Any) -> None:
    pytest.importorskip("numpy")
    bench.load(ARRAY, "tarray")
    bench.start("tarray.Holder")
    assert restored(make_bench, snapshot(bench).blob).call("Holder", "sum") == 200_000


def test_state_that_is_too_large_is_named_with_its_process_and_its_size(shop: Any) -> None:
    process = next(p for p in shop.guest.node.processes.values() if p.name == "back")
    process.state = bytes(100_000_000)
    failed = shop.ask(m.TakeSnapshot, patience_ms=0)  # waiting makes it no smaller
    assert failed.kind == "snapshot_failed"
    assert failed.message.startswith("the state of back is too large to be saved: it has 100 MB or more")
    process.state = 1
    assert isinstance(shop.ask(m.TakeSnapshot), m.SnapshotBlob)


def test_states_that_are_too_large_together_name_the_one_that_had_no_room(shop: Any) -> None:
    for process in shop.guest.node.processes.values():
        process.state = bytes(40_000_000)
    failed = shop.ask(m.TakeSnapshot, patience_ms=0)
    assert "40 MB or more, a snapshot at most 67 MB, and 40 MB are taken by others" in failed.message


class Greedy:
    """What happens when there is no memory left, without taking it."""

    def __reduce__(self) -> Any:
        raise MemoryError


def test_state_that_there_is_no_memory_to_save_is_named_with_its_process(shop: Any) -> None:
    process = next(p for p in shop.guest.node.processes.values() if p.name == "back")
    process.state = [bytes(1_000_000), Greedy()]
    failed = shop.ask(m.TakeSnapshot, patience_ms=0)
    assert failed.kind == "snapshot_failed"
    assert failed.message.startswith("the state of back cannot be saved: memory ended at 1 MB of it")
    assert "--max-memory" in failed.message


class Mute:
    def __reduce__(self) -> Any:
        raise KeyError


def test_an_error_without_a_text_is_told_by_its_name(shop: Any) -> None:
    process = next(p for p in shop.guest.node.processes.values() if p.name == "back")
    process.state = Mute()
    assert "the state of back cannot be saved: KeyError. Keep" in shop.ask(m.TakeSnapshot).message


def test_a_process_in_the_middle_of_a_callback_is_named_with_what_it_waits_for(bench: Any) -> None:
    bench.load("async def loop(self):\n    while True:\n        await self.receive()\n", "tloop")
    bench.ask(m.Spawn, function="tloop.loop", name="worker")
    failed = bench.ask(m.TakeSnapshot)
    assert failed.kind == "snapshot_failed" and "worker" in failed.message and "a message" in failed.message


def test_a_running_system_is_given_a_moment_to_become_quiet(bench: Any) -> None:
    bench.load("async def nap(self):\n    await self.sleep(300)\n", "tnap")
    bench.ask(m.Spawn, function="tnap.nap")
    assert isinstance(bench.ask(m.TakeSnapshot), m.SnapshotBlob)


@pytest.mark.parametrize("blob", [b"", b"nonsense", pickle.dumps((99, None)), pickle.dumps(7)])
def test_bytes_that_are_no_snapshot_are_refused(bench: Any, blob: bytes) -> None:
    assert bench.ask(m.RestoreSnapshot, blob=blob).kind == "snapshot_failed"


def test_stepping_back_is_a_replay_to_an_earlier_step(shop: Any, make_bench: Any) -> None:
    for amount in (1, 2, 4):
        shop.cast("front", amount)
        shop.run(2)
    shop.ask(m.Pause)
    step = shop.guest.node.step_number
    fresh, stepped = replayed(make_bench, shop, step - 1)
    assert (stepped.step, [view.step for view in stepped.steps]) == (step - 1, [step - 1])
    assert fresh.guest.paused and fresh.state("front") == 3
    again = fresh.ask(m.Step, count=1).steps
    assert again[-1].line().endswith("3 → 7") and again[-1].step == step


def test_a_replay_ends_with_the_same_hash_and_is_no_news(shop: Any, make_bench: Any) -> None:
    shop.call("front", ("add", "x"))
    shop.run(2_000)
    shop.call("front", "next")
    node = shop.guest.node
    fresh, _ = replayed(make_bench, shop, node.step_number)
    assert (fresh.guest.node.hash, fresh.guest.node.step_number) == (node.hash, node.step_number)
    assert fresh.of(m.Notice) == [] and fresh.of(m.MainExited) == []
    assert fresh.ask(m.Why, target="front").entries[0].cause.startswith("TypeError")
    fresh.run(1_500)
    assert all(sample.events == [] for sample in fresh.of(m.Sample))


def test_a_replayed_guest_lives_on(shop: Any, make_bench: Any) -> None:
    shop.call("front", "next")
    fresh, _ = replayed(make_bench, shop, shop.guest.node.step_number)
    fresh.ask(m.Resume)
    assert fresh.call("front", "next") == 1
    newest, _ = replayed(make_bench, fresh, fresh.guest.node.step_number)
    assert newest.state("front") == 2


def test_a_replay_loads_code_at_the_same_steps_also_code_that_was_refused(
    shop: Any, make_bench: Any, shop_source: str
) -> None:
    shop.call("front", "next")
    shop.load(shop_source.replace("n + 1)", "n + 10)"), "tshop")
    shop.call("front", "next")
    assert shop.load("1/0", "tshop").kind == "compilation_error"
    shop.call("front", "next")
    fresh, _ = replayed(make_bench, shop, shop.guest.node.step_number)
    assert fresh.state("front") == 21
    assert fresh.ask(m.Versions).versions[0].version == 2


def test_timers_fire_at_the_same_steps_in_a_replay(bench: Any, make_bench: Any) -> None:
    bench.load(TICKER, "tticker")
    bench.start("tticker.Ticker", 0)
    bench.run(4_200)
    step, now = bench.guest.node.step_number, bench.guest.node.now_ms
    fresh, _ = replayed(make_bench, bench, step)
    assert (fresh.guest.node.now_ms // 1_000, fresh.state("Ticker")) == (now // 1_000, 4)
    fresh.ask(m.Resume)
    fresh.run(1_000)
    assert fresh.state("Ticker") == 5


def test_one_can_step_back_in_a_restored_system_too(shop: Any, make_bench: Any) -> None:
    shop.call("front", "next")
    fresh = restored(make_bench, snapshot(shop).blob)
    fresh.call("front", "next")
    fresh.call("front", "next")
    step = fresh.guest.node.step_number
    back, _ = replayed(make_bench, fresh, step)
    assert back.state("front") == 3 and back.guest.node.hash == fresh.guest.node.hash


def test_outside_results_come_from_the_journal_in_a_replay(bench: Any, make_bench: Any) -> None:
    calls: list[int] = []
    sys.modules["tshop_calls"] = type(sys)("tshop_calls")
    sys.modules["tshop_calls"].calls = calls  # type: ignore[attr-defined]
    source = (
        "import tshop_calls\nfrom jupyter_sandbox.otp import GenServer, NoReply\nclass Reader(GenServer):\n"
        "    async def handle_cast(self, request, state):\n"
        "        return NoReply(await self.outside(lambda: tshop_calls.calls.append(1) or len(tshop_calls.calls)))\n"
    )
    bench.load(source, "treader")
    bench.start("treader.Reader", 0)
    bench.cast("Reader", "go")
    for _ in range(100_000):
        bench.turn()
        if bench.state("Reader") == 1:
            break
    fresh, _ = replayed(make_bench, bench, bench.guest.node.step_number)
    assert fresh.state("Reader") == 1 and calls == [1]
    del sys.modules["tshop_calls"]


def test_a_restored_system_goes_on_exactly_as_the_saved_one(shop: Any, make_bench: Any) -> None:
    shop.call("front", "next")
    shop.ask(m.Kill, target="back")
    shop.run(3)
    blob = snapshot(shop).blob

    def go_on(bench: Any) -> tuple[int, int, list[str]]:
        bench.call("front", ("add", 3))
        bench.call("back", ("add", "x"))
        bench.ask(m.Kill, target="front")
        bench.run(3)
        node = bench.guest.node
        return node.step_number, node.hash, [view.pid for view in bench.ask(m.Tree).tree.processes]

    original = go_on(shop)
    assert go_on(restored(make_bench, blob)) == original


def test_the_journal_begins_anew_when_it_is_long_and_one_can_still_step_back(
    shop: Any, make_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_sandbox.guest.journal_room.MOST", 40)
    for _ in range(100):
        shop.call("front", "next")
    assert len(shop.guest.node.journal) < 80
    node = shop.guest.node
    fresh, _ = replayed(make_bench, shop, node.step_number - 3)
    assert fresh.state("front") == 99
    same, _ = replayed(make_bench, shop, node.step_number)
    assert (same.state("front"), same.guest.node.hash) == (100, node.hash)
    _, refused = replayed(make_bench, shop, 5)
    assert refused.kind == "usage_error" and "goes back to step" in refused.message


def test_who_waits_in_a_restored_system_waits_since_the_same_time(shop: Any, make_bench: Any) -> None:
    shop.run(30)
    master = next(process for process in shop.guest.node.processes.values() if process.hidden)
    fresh = restored(make_bench, snapshot(shop).blob)
    same = fresh.guest.node.processes[master.pid]
    assert isinstance(fresh.ask(m.Waits), m.WaitList) and same.since == master.since


def test_who_waits_can_be_asked_after_a_step_back_to_a_journal_that_began_anew(
    shop: Any, make_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_sandbox.guest.journal_room.MOST", 40)
    for _ in range(60):
        shop.call("front", "next")
    fresh, _ = replayed(make_bench, shop, shop.guest.node.step_number - 3)
    assert fresh.ask(m.Waits).entries == []
    fresh.ask(m.Resume)
    assert isinstance(fresh.ask(m.Waits), m.WaitList) and fresh.call("front", "next") is not None
