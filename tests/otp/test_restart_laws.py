"""Laws of the supervisor's decisions, over random histories: intensity, start order, stop order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import Child, GenServer, restart

strategies = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])


class Worker(GenServer):
    """Any child."""


class Bench:
    """Carries out what ``decide`` says without any process; which starts fail is data."""

    def __init__(self, flags: restart.Flags, kinds: list[str], fails: list[bool]) -> None:
        self.state = restart.State(flags)
        for number, kind in enumerate(kinds):
            child = Child(Worker, id=number, restart=kind).settled()
            self.state.entries[number] = restart.Entry(child)
        self.fails, self.now_s, self.next_pid = fails, 0, 1
        self.running: dict[int, Pid] = {}
        self.runs: list[list[tuple[str, Any]]] = []
        self.restarts: list[int] = []
        self.retries: list[Any] = []
        self.over = False

    def feed(self, event: restart.Event) -> None:
        """Carry one event out to its end, retries included."""
        self.runs.append([])
        action = restart.decide(self.state, event, self.now_s)
        while action is not None:
            outcome = self._do(action)
            if self.over:
                return
            if outcome is None:
                action = restart.next_action(self.state)
            else:
                action = restart.decide(self.state, outcome, self.now_s)
        if self.retries:
            self.feed(restart.TryAgain(self.retries.pop(0)))

    def crash(self, number: int, reason: str) -> None:
        """A child dies, if it runs."""
        pid = self.running.pop(number, None)
        if pid is not None:
            self.feed(restart.Exited(pid, reason))

    def _do(self, action: restart.Action) -> restart.Event | None:
        match action:
            case restart.Start(id=id):
                self.runs[-1].append(("start", id))
                self._nobody_runs_that_was_to_be_stopped(id)
                if self.fails and self.fails.pop():
                    return restart.NotStarted(id, "failed")
                self.running[id] = Pid.of(self.next_pid)
                self.next_pid += 1
                return restart.Started(id, self.running[id])
            case restart.StopChild(id=id):
                self.runs[-1].append(("stop", id))
                del self.running[id]
                return restart.Stopped(id)
            case restart.Retry(id=id):
                self.retries.append(id)
            case restart.Record(started=started):
                if started:
                    self.restarts.append(self.now_s)
            case restart.GiveUp():
                self.over = True
        return None

    def _nobody_runs_that_was_to_be_stopped(self, id: Any) -> None:
        if self.state.flags.strategy != "one_for_one":
            assert not [other for other in self.running if other > id]


@st.composite
def benches(draw: st.DrawFn) -> Bench:
    flags = restart.Flags(draw(strategies), draw(st.integers(0, 4)), draw(st.integers(1, 5)))
    kinds = draw(st.lists(st.sampled_from(["permanent", "transient", "temporary"]), min_size=1, max_size=5))
    return Bench(flags, kinds, draw(st.lists(st.booleans(), max_size=10)))


histories = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from(["boom", "normal", "shutdown"])), max_size=25
)


def _live(bench: Bench, history: list[tuple[int, int, str]]) -> None:
    bench.feed(restart.Begin())
    for seconds, number, reason in history:
        if bench.over:
            return
        bench.now_s += seconds
        bench.crash(number, reason)
    if not bench.over:
        bench.feed(restart.Close("shutdown"))


@given(bench=benches(), history=histories)
@settings(max_examples=300, deadline=None)
def test_a_supervisor_never_restarts_more_often_than_its_intensity_in_any_period(
    bench: Bench, history: list[tuple[int, int, str]]
) -> None:
    _live(bench, history)

    for at in bench.restarts:
        within = [other for other in bench.restarts if at <= other <= at + bench.state.flags.period_s]
        assert len(within) <= bench.state.flags.intensity


@given(bench=benches(), history=histories)
@settings(max_examples=300, deadline=None)
def test_children_start_in_order_and_stop_in_reverse_on_every_path(
    bench: Bench, history: list[tuple[int, int, str]]
) -> None:
    _live(bench, history)

    for run in bench.runs:
        for (what, id), (then, other) in pairwise(run):
            if what == then == "stop":
                assert id > other
            if what == then == "start":
                assert id < other


@given(bench=benches(), history=histories)
@settings(max_examples=200, deadline=None)
def test_a_supervisor_that_is_gone_leaves_no_child_running(bench: Bench, history: list[tuple[int, int, str]]) -> None:
    _live(bench, history)

    assert bench.over
    assert not bench.running
    assert not bench.state.by_pid
