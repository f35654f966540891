"""Attacks with frames that are legal but forged: a guest in the hands of its code writes what no honest one would."""

from __future__ import annotations

import json
import re
from pprint import pformat

import pytest

from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.manager.control import _state
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import ProcessError, SnapshotError
from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.model.sandbox import SandboxStatus, Update
from jupyter_sandbox.model.views import TreeView
from jupyter_sandbox.widgets.picture import TreePicture
from jupyter_sandbox.widgets.story import Lines, Story

from .conftest import Arena, crash_reason, growing_at_most, hearing
from .loaded import loaded
from .tools import CHANNEL, CONTROL

LARGE = {
    "notices": "for n in range(80): say(m.Notice(level='error', text='x' * 900_000))",
    "tracebacks": "for n in range(80): say(m.Notice(level='error', text='x', traceback=['y' * 1000] * 900))",
    "alerts": "for n in range(80): say(m.Alert(limit='x' * 400_000, message='y' * 400_000))",
    "events": "for n in range(80): say(sample(v.Event(n, n, 'crash', '<0.1.0>', 'a' * 400_000, 'b' * 400_000)))",
    "events with many facts": (
        "data = {str(n): n for n in range(60_000)}\n"
        "for n in range(80): say(sample(v.Event(n, n, 'crash', '', '', '', data)))"
    ),
    "facts that grow tenfold when they are made to be seen": (
        "T = chr(0xE0041) * 1_999 + chr(0x1F600)\n"
        "told = sample(*[v.Event(1, 1, 'k', 'p', 'n', 't', {str(n): T for n in range(20)})] * 4)\n"
        "for n in range(80): say(told)"
    ),
    "decisions that grow tenfold when they are made to be seen": (
        "T = chr(0xE0041) * 1_999 + chr(0x1F600)\n"
        "why = v.WhyView('k', 'n', 1, 1, T, T, T, (T,) * 100, 'T', T)\n"
        "for n in range(80): say(m.Sample(counters=v.Counters(), events=[], decisions=[why] * 2))"
    ),
    "notices that grow tenfold when they are made to be seen": (
        "T = chr(0xE0041) * 1_999 + chr(0x1F600)\n"
        "for n in range(80): say(m.Notice(level='error', text=T, traceback=[T] * 100))"
    ),
    "many events in one": (
        "told = sample(*[v.Event(1, 1, '', '', '', '')] * 25_000)\nfor n in range(80): say(told)"
    ),
    "decisions": (
        "why = v.WhyView('k', 'n', 1, 1, 'r' * 900_000, '', '', (), '', '')\n"
        "for n in range(80): say(m.Sample(counters=v.Counters(), events=[], decisions=[why]))"
    ),
    "a reason to end": "for n in range(80): say(m.MainExited(app='x', reason='r' * 900_000, normal=False))",
    "names in the tree": (
        "for n in range(80):\n    view = v.ProcessView(f'{n}' + 'k' * 900_000, None, 'n', 'worker', 'b', 'running')\n"
        "    say(m.TreeChanged(diff=v.TreeDiff('x', n, n, (view,))))"
    ),
    "processes in the tree": (
        "for n in range(20):\n    many = tuple(v.ProcessView(f'{n} {k}', None, '', '', '', '') for k in range(8_000))\n"
        "    say(m.TreeChanged(diff=v.TreeDiff('x', n, n, many)))"
    ),
    "changes of nothing in a large tree": (
        "for n in range(4):\n    many = tuple(v.ProcessView(f'{n} {k}', None, '', '', '', '') for k in range(5_000))\n"
        "    say(m.TreeChanged(diff=v.TreeDiff('x', n, n, many)))\n"
        "channel.sendall(frame(pack(m.TreeChanged(diff=v.TreeDiff('x', 1, 1)))) * 900)"
    ),
    "decisions of empty lines": (
        "none = ('',) * 999\nwhy = v.WhyView('k', 'n', 1, 1, '', '', '', none, '', '', none, none, '')\n"
        "for n in range(80): say(m.Sample(counters=v.Counters(), events=[], decisions=[why] * 20))"
    ),
    "another order of the tree again and again": (
        "many = tuple(map(str, range(100_000)))\n"
        "for n in range(40): say(m.TreeChanged(diff=v.TreeDiff('x', n, n, (), many, many)))"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_news_of_any_size_costs_the_kernel_neither_time_nor_memory(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 8_000, "max_memory": 200_000_000})
    with loaded(arena.manager) as page, growing_at_most(40_000_000):
        outcome = arena.attack(f"{CHANNEL}{LARGE[name]}", sandbox)
    assert outcome.grown < 80_000_000
    assert page.told.total() < 50_000_000
    assert sum(len(str(told)) for told in sandbox.log(1000)) < 5_000_000
    assert len(str(sandbox.info())) < 200_000


MANY = {
    "alerts": "say(m.Alert(limit='mailbox_limit', message='over'))",
    "notices": "say(m.Notice(level='error', text='over'))",
    "ends of the application": "say(m.MainExited(app='x', reason='over', normal=True))",
    "samples": "say(sample())",
    "changes of the tree": "say(m.TreeChanged(diff=v.TreeDiff('x', 1, 1)))",
}


@pytest.mark.parametrize("name", MANY)
def test_more_news_than_an_honest_guest_has_ends_the_sandbox(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 8_000})
    updates: list[Update] = []
    with hearing(arena.manager, updates.append), growing_at_most(5_000_000):
        outcome = arena.attack(f"{CHANNEL}while True: {MANY[name]}", sandbox)
    assert outcome.killed and crash_reason(sandbox).startswith("protocol: it told 1000 things")
    assert len(updates) < 5_000


HOSTILE = "'<script>alert(1)</script><img src=x onerror=alert(1)>\\x1b]0;owned\\x07\\x9b2J\\u202egpj.exe\\r"
HOSTILE += "\\u061c\\u200f\\u2028[ok]\\u200b\\u2067\\ufeff\\U000e0041'"
TEXTS = {
    "a notice": f"say(m.Notice(level={HOSTILE}, text={HOSTILE}, process={HOSTILE}, traceback=[{HOSTILE}]))",
    "an alert": f"say(m.Alert(limit={HOSTILE}, message={HOSTILE}))",
    "an event": f"say(sample(v.Event(1, 1, {HOSTILE}, {HOSTILE}, {HOSTILE}, {HOSTILE}, {{{HOSTILE}: {HOSTILE}}})))",
    "a decision": (
        f"h = {HOSTILE}\nsay(m.Sample(counters=v.Counters(), events=[], decisions=["
        "v.WhyView('evil', h, 1, 1, h, h, h, (h,), h, h, (h,), (h,), h)]))"
    ),
    "a reason to end": f"say(m.MainExited(app={HOSTILE}, reason={HOSTILE}, normal=False))",
    "a reason in the last words": (
        "os.write(2, ('Traceback (most recent call last):\\nValueError: \\x1b[31m' + " + HOSTILE + ").encode())\n"
        "import ctypes; ctypes.CDLL(None)._exit(71)"  # as an interpreter ends that an exception has ended
    ),
    "an answer": (
        "from jupyter_sandbox.wire.connection import Connection\nhonest = Connection.send\n"
        "def send(self, told):\n    data = honest(self, told)\n"
        f"    forged = m.Failed(id=getattr(told, 'id', 0), kind={HOSTILE}, message={HOSTILE})\n"
        "    return frame(pack(forged)) if type(told).__name__ == 'Value' else data\nConnection.send = send"
    ),
    "a process of the tree": (
        f"h = {HOSTILE}\nview = v.ProcessView(h, h, h, h, h, h, h, h, h, strategy=h, links=(h,), monitors=(h,), "
        "last_exit=h)\nsay(m.TreeChanged(diff=v.TreeDiff(h, 1, 1, (view,), (), (h,))))"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_news_with_tricks_in_its_text_is_shown_as_harmless_text(arena: Arena, name: str) -> None:
    sandbox = arena.attacker()
    mirror = Mirror()

    def told() -> list[str]:
        lines = [f"{entry.level} {entry.text} {entry.process} {entry.traceback}" for entry in sandbox.log()]
        kept = sandbox._unit.history.events(9, present=True)
        lines += [f"{one.kind} {one.pid} {one.name} {one.text} {one.data.keys()} {one.data.values()}" for one in kept]
        return [*lines, crash_reason(sandbox), *sandbox.info().alerts]

    def drawn() -> list[str]:
        tree = mirror.trees.get(sandbox.name, TreeView("x", 0, 0))
        story = Story(sandbox._unit.history.why("evil", 9, present=True), "evil")
        return [Lines(told()).html(), TreePicture(tree, None).html(), story.html()]

    def came(*texts: str) -> bool:
        return re.search(r"gpj|\[ok\]", "".join([*told(), *drawn(), *texts])) is not None

    with hearing(arena.manager, mirror.take):
        sandbox.watch(50)
        arena.attack(f"{CHANNEL}{TEXTS[name]}\n", sandbox, timeout_ms=1_000)
        outcome = arena.watch(lambda: sandbox.call("evil", "answer = 1"))
        arena.until(lambda: came(str(outcome.error)), "none of it came, so nothing was tried")
    assert CONTROL.search("\n".join(told())) is None and CONTROL.search(str(outcome.error)) is None
    shown = drawn()
    assert all("<script" not in page and "<img src=x" not in page and CONTROL.search(page) is None for page in shown)


def test_a_sandbox_that_ends_its_application_by_a_lie_ends_itself_alone(arena: Arena) -> None:
    sandbox = arena.attacker()
    arena.attack(f"{CHANNEL}say(m.MainExited(app='sandbox_1', reason='normal', normal=True))", sandbox)
    arena.until(lambda: sandbox.status is not SandboxStatus.RUNNING, "the lie was not heard")
    assert arena.bystander.status is SandboxStatus.RUNNING
    sandbox.restart()
    assert arena.alive(sandbox)


IMPOSSIBLE = {
    "a step that no database holds": "m.SnapshotBlob(id=NUMBER, blob=b'x', step=2**64 - 1, processes=1)",
    "more processes than any machine has": "m.SnapshotBlob(id=NUMBER, blob=b'x', step=1, processes=2**63)",
    "fewer processes than none": "m.SnapshotBlob(id=NUMBER, blob=b'x', step=1, processes=-1)",
}
ANSWER_NEXT = """
from jupyter_sandbox.wire.connection import Connection
plain = Connection.send
def send(self, frame):
    if type(frame).__name__ == WANTED:
        NUMBER = frame.id
        frame = FORGED
    return plain(self, frame)
Connection.send = send
"""


def lying(arena: Arena, wanted: str, forged: str) -> Sandbox:
    """A sandbox that gives a forged answer where an honest one would be of this kind."""
    sandbox = arena.attacker()
    source = ANSWER_NEXT.replace("WANTED", repr(wanted)).replace("FORGED", forged)
    assert arena.attack(CHANNEL + source, sandbox).error is None
    return sandbox


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_snapshot_with_impossible_facts_is_an_error_and_not_kept(arena: Arena, name: str) -> None:
    sandbox = lying(arena, "SnapshotBlob", IMPOSSIBLE[name])
    outcome = arena.watch(lambda: sandbox.snapshot("one"))
    assert isinstance(outcome.error, SnapshotError) and "nothing was saved" in str(outcome.error)
    assert sandbox.snapshots() == []
    assert arena.alive(sandbox)


PIDS = {
    "a number that Python does not read": "'<0.' + '9' * 5_000 + '.0>'",
    "a number that is another one's when it is cut": "f'<0.{(1 << 48) + 3}.0>'",
    "no number": "'\\x1b[2J\\u202e' * 1_000",
}


@pytest.mark.parametrize("name", PIDS)
def test_a_pid_that_is_none_is_a_short_text_and_nobodys(arena: Arena, name: str) -> None:
    sandbox = lying(arena, "Sent", f"m.Sent(id=NUMBER, pid={PIDS[name]})")
    for ask in (lambda: sandbox.spawn("camp.Ticker"), lambda: sandbox.send("evil", 1)):
        told = arena.watch(ask).value
        assert isinstance(told, str) and len(told) <= 200 and CONTROL.search(told) is None
        assert Pid.parse(told) is None


CIRCLES = {
    "a process that is its own child": "['a', 'a'], ['b', 'b']",
    "two that are each other's": "['a', 'b'], ['b', 'a']",
    "one that is there twice": "['a', None], ['a', 'a'], ['a', 'a']",
    "a child of nobody": "['a', 'no such']",
}


@pytest.mark.parametrize("name", CIRCLES)
def test_a_tree_that_goes_in_circles_is_told_as_a_tree(arena: Arena, name: str) -> None:
    views = f"tuple(v.ProcessView(k, p, 'n', 'worker', 'b', 'running', pid='<0.1.0>') for k, p in [{CIRCLES[name]}])"
    sandbox = lying(arena, "TreeReply", f"m.TreeReply(id=NUMBER, tree=v.TreeView('x', 1, 1, {views}))")
    told = arena.watch(lambda: json.dumps(_state(sandbox), default=str))
    assert told.error is None and "supervision_tree" in told.value


def test_a_tree_of_thousands_of_levels_can_be_printed_and_saved(arena: Arena) -> None:
    one = "v.ProcessView(str(n), '<0.1.0>', 'n', 'worker', 'b', 'running', str(n - 1))"
    views = f"tuple({one} for n in range(5_000))"
    sandbox = lying(arena, "TreeReply", f"m.TreeReply(id=NUMBER, tree=v.TreeView('x', 1, 1, {views}))")
    state = arena.watch(lambda: _state(sandbox))
    printed = arena.watch(lambda: pformat(state.value) + repr(state.value) + json.dumps(state.value))
    assert printed.error is None and printed.value.count("'key': '4999'") >= 2
    assert len(state.value["processes"]) == 5000


ALIKE = """
def alike(count):
    # The second number is solved for, so that the hash of a pair, which mixes 64 bits of each, is that of (12345, 777).
    size, first, second, start = 2**64, 11400714785074694791, 14029467366897019727, 2870177450012600261
    def mixed(n):
        lane = (start + n * second) % size
        return (lane << 31 | lane >> 33) % size * first % size
    wanted, back = mixed(12345) + 777 * second, pow(second, -1, size)
    pairs, n = [], 0
    while len(pairs) < count:
        n += 1
        m = (wanted - mixed(n)) * back % size
        if m < 2**61 - 1: pairs.append((n, m))
        elif size - (2**61 - 1) <= m < size - 1: pairs.append((n, m - size))
    return pairs
"""
KEYS = {
    "of pairs of small numbers": "itertools.product((-1, -2), repeat=10)",
    "of large numbers in pairs": "((k * (2**61 - 1),) for k in range(3_000))",
    "of sets of numbers": "(frozenset((k * (2**61 - 1), 1)) for k in range(2_000))",
    "of pairs that were chosen": "alike(3_300)",
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_that_all_hash_alike_do_not_keep_the_kernel_busy(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 20_000})
    outcome = arena.attack(f"import itertools\n{ALIKE}answer = dict.fromkeys({KEYS[name]})", sandbox)
    assert outcome.error is None or str(outcome.error)
    assert arena.alive(sandbox)


@pytest.mark.parametrize("kind", ["internal_error", "sandbox_busy", "sandbox_gone", "launch_failed", "protocol"])
def test_a_sandbox_that_speaks_as_the_manager_is_named_as_who_speaks(arena: Arena, kind: str) -> None:
    sandbox = lying(arena, "PausedAt", f"m.Failed(id=NUMBER, kind={kind!r}, message='All is lost: reinstall')")
    outcome = arena.watch(sandbox.pause)
    assert type(outcome.error) is ProcessError
    assert str(outcome.error).startswith(f"sandbox {sandbox.name!r} answered 'All is lost: reinstall' as {kind}")


def test_a_sandbox_that_does_not_take_its_limits_is_told_to_who_set_them(arena: Arena) -> None:
    sandbox = arena.attacker()
    source = ANSWER_NEXT.replace("WANTED", "'Done'").replace("FORGED", "m.Failed(id=NUMBER, kind='raised', message='')")
    assert arena.attack(CHANNEL + source, sandbox).error is None
    outcome = arena.watch(lambda: sandbox.limits(max_mailbox=50, max_output=500))
    assert type(outcome.error) is ProcessError and "does not take max_processes and max_mailbox" in str(outcome.error)
    assert sandbox.info().limits.max_output == 500
