"""Laws over random histories: a replay is the recording, a restored system is the saved one."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_sandbox.wire import messages as m

NAMES = st.sampled_from(["front", "back"])
ACTS = st.one_of(
    st.tuples(st.just("call"), NAMES, st.sampled_from(["next", ("add", 2), ("add", "x")])),
    st.tuples(st.just("cast"), NAMES, st.integers(0, 5)),
    st.tuples(st.just("kill"), NAMES, st.sampled_from(["kill", "normal", "shutdown", "boom"])),
    st.tuples(st.just("suspend"), NAMES, st.none()),
    st.tuples(st.just("unsuspend"), NAMES, st.none()),
    st.tuples(st.just("load"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 2_000), st.none()),
    st.tuples(st.just("step"), st.integers(1, 5), st.none()),
    st.tuples(st.just("spawn"), st.integers(0, 50), st.none()),
)
JOBS = "\nasync def nap(self, ms):\n    await self.sleep(ms)\n"


def act(bench: Any, source: str, what: tuple[str, Any, Any]) -> None:
    """Do one thing to the shop; whether it succeeds is not the question here."""
    match what:
        case ("call", name, request):
            bench.ask(m.Call, target=name, args=pickle.dumps(request), timeout_ms=100)
        case ("cast", name, amount):
            bench.cast(name, amount)
        case ("kill", name, reason):
            bench.ask(m.Kill, target=name, reason=reason)
        case ("suspend", name, _):
            bench.ask(m.Suspend, target=name)
        case ("unsuspend", name, _):
            bench.ask(m.Unsuspend, target=name)
        case ("load", amount, works):
            text = source.replace("n + 1)", f"n + {amount})")
            bench.load(text if works else text + "\n1 / 0\n", "tshop")
        case ("wait", ms, _):
            bench.run(ms)
        case ("step", count, _):
            bench.ask(m.Pause)
            bench.ask(m.Step, count=count)
            bench.ask(m.Resume)
        case ("spawn", ms, _):
            bench.ask(m.Spawn, function="tshop.nap", args=pickle.dumps((ms,)))


def started(make_bench: Callable[..., Any], source: str) -> Any:
    bench = make_bench(seed=7)
    bench.load(source, "tshop")
    bench.start("tshop.Shop")
    return bench


def picture(bench: Any) -> Any:
    node = bench.guest.node
    views = [
        (v.key, v.pid, v.state, v.status, v.queue, v.restarts, v.code_version) for v in bench.ask(m.Tree).tree.processes
    ]
    return node.step_number, node.hash, node.now_ms, views


LAW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAW
@given(st.lists(ACTS, max_size=12), st.integers(0, 100))
def test_a_replay_ends_where_the_recording_did(make_bench: Any, shop_source: str, acts: list[Any], part: int) -> None:
    bench = started(make_bench, shop_source + JOBS)
    pictures = []
    for what in acts:
        act(bench, shop_source + JOBS, what)
        pictures.append(picture(bench))
    end = picture(bench)
    blob = bench.ask(m.TakeJournal).blob
    fresh = make_bench(seed=7)
    fresh.ask(m.ReplayJournal, blob=blob, until_step=end[0])
    assert picture(fresh) == end
    middle = end[0] * part // 100
    earlier = make_bench(seed=7)
    stepped = earlier.ask(m.ReplayJournal, blob=blob, until_step=middle)
    assert stepped.step == middle


@LAW
@given(st.lists(ACTS, max_size=8), st.lists(ACTS, max_size=6))
def test_a_restored_system_goes_on_like_the_saved_one(
    make_bench: Any, shop_source: str, before: list[Any], after: list[Any]
) -> None:
    bench = started(make_bench, shop_source + JOBS)
    for what in before:
        act(bench, shop_source + JOBS, what)
    bench.run(60)
    bench.ask(m.Pause)
    taken = bench.ask(m.TakeSnapshot)
    assert isinstance(taken, m.SnapshotBlob), taken
    saved = picture(bench)
    bench.ask(m.Resume)
    for what in after:
        act(bench, shop_source + JOBS, what)
    end = picture(bench)
    fresh = make_bench(seed=7)
    assert isinstance(fresh.ask(m.RestoreSnapshot, blob=taken.blob), m.Done)
    assert picture(fresh) == saved
    fresh.ask(m.Resume)
    for what in after:
        act(fresh, shop_source + JOBS, what)
    assert picture(fresh)[3] == end[3]
