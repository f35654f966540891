"""The law of the journal: replay(journal) does the same steps, told by the same rolling hash."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_sandbox.guest.capture import Capture
from jupyter_sandbox.model.errors import ReplayDivergence
from jupyter_sandbox.model.views import CAPTURED_KINDS
from jupyter_sandbox.otp import Node
from jupyter_sandbox.replay import record, replay
from jupyter_sandbox.runtime import Apply, SetLimits, SystemLimit, signals
from jupyter_sandbox.trace import EventLog

from . import systems

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["call", "cast", "question"]), st.sampled_from(systems.NAMES), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.none(), st.integers(1, 40)),
        st.tuples(st.just("grow"), st.none(), st.integers(0, 3)),
        st.tuples(st.sampled_from(["churn", "nursery"]), st.none(), st.integers(1, 40)),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), actions=ACTIONS)
def test_a_replay_takes_the_same_steps(seed, actions):
    live = Node(seed=seed)
    systems.drive(live, actions, [1_000_000])
    recording = record(live)
    again = replay(recording, Node(seed=seed))
    assert (again.hash, again.step_number, again.next_tag, again.next_number) == (
        live.hash, live.step_number, live.next_tag, live.next_number,
    )  # fmt: skip
    assert {pid: process.state for pid, process in again.processes.items() if isinstance(process.state, int)} == {
        pid: process.state for pid, process in live.processes.items() if isinstance(process.state, int)
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), actions=ACTIONS, cut=st.integers(0, 400))
def test_a_replay_can_stop_anywhere_and_go_on(seed, actions, cut):
    live = Node(seed=seed)
    systems.drive(live, actions, [1_000_000])
    recording = record(live)
    part = replay(recording, Node(seed=seed), until_step=cut)
    assert part.step_number == min(cut, live.step_number)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), actions=ACTIONS)
def test_telling_every_step_changes_nothing(seed, actions):
    live = Node(seed=seed)
    systems.drive(live, actions, [1_000_000])
    told = Node(seed=seed)
    for step, what in record(live).journal:
        while told.step_number < step:
            assert told.step(told.now_ms) is not None
        told.admit(what)
    while told.step_number < live.step_number:
        assert told.step(told.now_ms) is not None
    assert told.hash == live.hash


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), actions=ACTIONS)
def test_capturing_changes_nothing_and_tells_what_told_steps_tell(seed, actions):
    kinds = set(signals.KIND_NAMES[: signals.SYSTEM])
    plain = Node(seed=seed)
    systems.drive(plain, actions, [1_000_000])
    told, log = Node(seed=seed), EventLog(capacity=1_000_000)
    Capture(CAPTURED_KINDS, told, log)
    systems.drive(told, actions, [1_000_000])
    assert told.hash == plain.hash
    stepped, handled, changed = Node(seed=seed), [], []
    for step, what in [*record(plain).journal, (plain.step_number, None)]:
        while stepped.step_number < step:
            view = stepped.step(stepped.now_ms)
            if view.kind in kinds and not view.message.startswith("exit signal"):
                handled.append((view.step, view.pid, f"handled {view.kind} {view.message}"))
            if view.state_before != view.state_after != "gone":
                changed.append((view.step, view.pid, f"{view.state_before or '(none)'} → {view.state_after}"))
        if what is not None:
            stepped.admit(what)

    def of(kind):
        found = reversed(log.newest(1_000_000, [kind]))
        return [(event.step, event.pid, event.text.partition(" from ")[0]) for event in found]

    assert of("message_handled") == handled
    assert of("state_change") == changed


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    actions=ACTIONS,
    slices=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_a_replay_in_slices_takes_the_same_steps(seed, actions, slices):
    """What is done on the spot in a long run is done the long way where a slice ends in between."""
    live = Node(seed=seed)
    systems.drive(live, actions, [1_000_000])
    cut, turn = Node(seed=seed), 0
    for step, what in record(live).journal:
        while cut.step_number < step:
            cut.run(cut.now_ms, min(slices[turn % len(slices)], step - cut.step_number))
            turn += 1
        cut.admit(what)
    while cut.step_number < live.step_number:
        cut.run(cut.now_ms, min(slices[turn % len(slices)], live.step_number - cut.step_number))
        turn += 1
    assert cut.hash == live.hash


def test_a_slice_limit_never_changes_the_order():
    def run(slice_size: int) -> int:
        node = Node(seed=5)
        node.admit(Apply(0, "tests.replay.systems:boot", ("one_for_one",)))
        for index in range(30):
            node.admit(Apply(index + 1, "tests.replay.systems:ask", (systems.NAMES[index % 4], index)))
        while not node.run(0, slice_size).idle:
            pass
        return node.hash

    assert len({run(size) for size in (1, 2, 3, 7, 64, 1_000_000)}) == 1


def test_a_fresh_interpreter_with_another_hash_seed_replays_the_same(tmp_path: Path):
    node = Node(seed=77)
    actions = [("call", name, index) for index in range(10) for name in systems.NAMES] + [("wait", None, 30)] * 3
    systems.drive(node, actions, [1_000_000])
    stored = tmp_path / "journal"
    stored.write_bytes(pickle.dumps(record(node)))
    program = (
        "import pickle, sys; from jupyter_sandbox.otp import Node; from jupyter_sandbox.replay import replay\n"
        f"recording = pickle.loads(open({str(stored)!r}, 'rb').read())\n"
        "print(replay(recording, Node(seed=recording.seed)).hash)"
    )
    root = str(Path(__file__).parents[2])
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": root},
        ).stdout.strip()
        for seed in ("0", "1", "4242")
    }  # fmt: skip
    assert hashes == {str(node.hash)}


def test_another_seed_is_told_as_a_divergence():
    node = Node(seed=1)
    systems.drive(node, [("call", "a", 1), ("cast", "b", 2)] * 10, [1_000_000])
    with pytest.raises(ReplayDivergence, match="the replay left the recording at step"):
        replay(record(node), Node(seed=2))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    actions=ACTIONS,
    limits=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), min_size=1, max_size=4),
)
def test_a_replay_counts_by_the_limits_of_then(seed, actions, limits):
    live = Node(seed=seed, max_processes=9, max_mailbox=4)
    for number, limit in enumerate(limits):
        systems.drive(live, actions[number :: len(limits)], [1_000_000])
        live.admit(SetLimits(*limit))
    recording = record(live)
    again = replay(recording, Node(seed=seed, max_processes=recording.max_processes, max_mailbox=recording.max_mailbox))
    assert (again.hash, again.max_processes, again.max_mailbox) == (live.hash, *limits[-1])


@pytest.mark.parametrize(("taken", "until"), [(150, 149), (5_000, 4_100), (5_000, 4_900), (9_000, 4_200)])
def test_another_course_is_told_on_the_way_with_its_step(taken, until):
    """The end of the recording, where the hashes are compared, is never reached."""

    def live(limit: int) -> Node:
        node = Node(max_processes=limit)
        node.admit(Apply(0, "tests.replay.test_law:crowd", ()))
        while node.step_number < taken:
            node.run(node.now_ms, taken - node.step_number)
            node.admit(Apply(1, "tests.replay.test_law:crowd", ()))
        return node

    recording = record(live(20))
    assert replay(recording, Node(max_processes=20), until_step=until).step_number == until
    with pytest.raises(ReplayDivergence) as told:
        replay(recording, Node(max_processes=30), until_step=until)
    assert 20 < told.value.step <= min(until, 4_096)


async def crowd(ctx):
    """As many processes as there may be, and each takes a step."""
    try:
        for _ in range(40):
            ctx.spawn(step)
    except SystemLimit:
        pass


async def step(ctx):
    await ctx.sleep(0)
