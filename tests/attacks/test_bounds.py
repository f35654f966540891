"""Attacks with news and answers that are legal piece by piece and too much as a whole, for the kernel and its page."""

from __future__ import annotations

import textwrap

import pytest

from jupyter_sandbox.magics.budget import AT_ONCE, PER_SECOND
from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.manager.throttle import AGAIN_S, NOTICES, NOTICES_PER_SECOND
from jupyter_sandbox.model.errors import SandboxError

from .conftest import CAMP, Arena, Outcome, crash_reason, growing_at_most, hearing
from .loaded import FACTS_PER_SECOND, loaded
from .test_forged import ANSWER_NEXT, lying
from .tools import CHANNEL, CONTROL

NAMES = r"""
def names(field, count, name=b'\xa0'):
    head = b'\x82\xa4type\xabTreeChanged\xa4diff\x84\xa7sandbox\xa1x\xa4step\x01\xa6now_ms\x01'
    return frame(head + bytes([0xa0 + len(field)]) + field + b'\xdd' + struct.pack('>I', count) + name * count)
EIGHT = (8 << 20) - 200
"""
"""A change of the tree with many names, written as bytes: that takes no memory of the sandbox's."""
WHILE_MADE = {
    "eight million names": "told = names(b'removed', EIGHT)",
    "forty thousand long names": "told = names(b'removed', 40_000, b'\\xd9\\xc8' + b'x' * 200)",
    "an order of eight million": "told = names(b'order', EIGHT)",
    "long events": "told = frame(pack(sample(*[v.Event(1, 1, '', '', '', 'x' * 2_000)] * 400)))",
    "long decisions": (
        "lines = ('x' * 1_000,) * 20\n"
        "why = v.WhyView('k', 'n', 1, 1, '', '', '', lines, '', '', lines, lines)\n"
        "told = frame(pack(m.Sample(counters=v.Counters(), events=[], decisions=[why] * 30)))"
    ),
}


@pytest.mark.parametrize("name", WHILE_MADE)
def test_what_a_sandbox_tells_while_it_is_made_does_not_fill_the_kernel(strict: Arena, name: str) -> None:
    # The throw-away process that tries the code sends it, too.
    evil = f"{CHANNEL}{NAMES}{WHILE_MADE[name]}\nfor n in range(60): channel.sendall(told)"
    code = {"camp.py": CAMP, "evil.py": evil}
    with loaded(strict.manager):
        outcome = strict.watch(lambda: strict.manager.create("made", code=code, main="camp.Camp"))
        if outcome.error is None:
            strict.attackers.append(outcome.value)
    assert outcome.grown < 40_000_000
    assert outcome.error is None or str(outcome.error)


CROWDS = {
    "names that are removed": "told = names(b'removed', EIGHT)",
    "an order": "told = names(b'order', EIGHT)",
    "links of processes": (
        "links = ('',) * 39_000\n"
        "views = tuple(v.ProcessView(f'{k}', None, '', '', '', '', links=links) for k in range(150))\n"
        "told = frame(pack(m.TreeChanged(diff=v.TreeDiff('x', 1, 1, views))))"
    ),
    "processes": (
        "one = v.ProcessView('', None, '', '', '', '')\n"
        "told = frame(pack(m.TreeChanged(diff=v.TreeDiff('x', 1, 1, (one,) * 41_000)))[:])"
    ),
    "facts of an event": (
        "told = frame(pack(sample(v.Event(1, 1, '', '', '', '', {str(n): n for n in range(60_000)}))))"
    ),
    "lines of a traceback": "told = frame(pack(m.Notice(level='', text='', traceback=[''] * 900_000)))",
}


@pytest.mark.parametrize("name", CROWDS)
def test_more_things_in_a_frame_than_an_honest_guest_has_end_the_sandbox(strict: Arena, name: str) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 8_000, "max_memory": 200_000_000})
    with loaded(strict.manager), growing_at_most(40_000_000):
        outcome = strict.attack(f"{CHANNEL}{NAMES}{CROWDS[name]}\nwhile True: channel.sendall(told)", sandbox)
    assert outcome.killed and crash_reason(sandbox).startswith("protocol: the other side sent")


MOST_WORK = 0.3
"""Of the manager's time: with nothing held back such a sandbox would have all that its own writing leaves, near a half
on two processors; one may have a fifth."""


def worked_of(outcome: Outcome) -> float:
    """The part of its time that the manager's thread worked meanwhile."""
    assert outcome.span is not None
    began, ended = outcome.span
    return (ended.worked_s - began.worked_s) / (ended.at_s - began.at_s)


HIDDEN = r"""
links = b'\xa5links\xdc' + struct.pack('>H', 39_000) + b'\xa0' * 39_000
fields = b'\xa3key\xa1x\xa3pid\xc0\xa4name\xa0\xa4kind\xa0\xa9behaviour\xa0\xa6status\xa0'
view = b'\xde' + struct.pack('>H', 6 + 200) + fields + links * 200
diff = b'\x84\xa7sandbox\xa1x\xa4step\x01\xa6now_ms\x01\xa7changed\x91' + view
told = frame(b'\x82\xa4type\xabTreeChanged\xa4diff' + diff)
end = time.time() + 3
while time.time() < end: channel.sendall(told)
"""


def test_things_that_are_told_over_and_over_in_one_frame_cost_their_own_sandbox(strict: Arena) -> None:
    """The same list, named two hundred times: all would be made, so all count before any is."""
    sandbox = strict.attacker(limits={"handler_budget": 20_000, "max_memory": 200_000_000})
    with loaded(strict.manager):
        outcome = strict.attack(f"{CHANNEL}{HIDDEN}", sandbox)
    assert outcome.killed and "7800000 links at once" in crash_reason(sandbox)
    assert outcome.grown < 60_000_000
    assert worked_of(outcome) < MOST_WORK


ANSWERS = {
    "links of a tree": (
        "TreeReply",
        "(lambda links: m.TreeReply(id=NUMBER, tree=v.TreeView('x', 1, 1, tuple(v.ProcessView(f'{k}', None, '', '', '',"
        " '', links=links) for k in range(150)))))(('',) * 39_000)",
    ),
    "deeds of a step": (
        "Stepped",
        "m.Stepped(id=NUMBER, step=1, steps=[v.StepView(1, '', '', '', '', '', '', '', ('',) * 4_000_000)])",
    ),
    "steps": (
        "Stepped",
        "m.Stepped(id=NUMBER, step=1, steps=[v.StepView(1, '', '', '', '', '', '', '')] * 60_000)",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_with_more_things_than_an_honest_guest_has_ends_the_sandbox(strict: Arena, name: str) -> None:
    wanted, forged = ANSWERS[name]
    sandbox = lying(strict, wanted, forged)
    with loaded(strict.manager, follow=False), growing_at_most(40_000_000):
        if wanted == "Stepped":
            sandbox.pause()
        outcome = strict.watch(sandbox.tree if wanted == "TreeReply" else lambda: sandbox.step(1))
    assert outcome.killed and crash_reason(sandbox).startswith("protocol: the other side sent")


SECONDS = 6
LARGE_TREES = {
    "the same processes on and on": "k",
    "others each time": "f'{next(count)}'",
    "in characters that take more room on the way": "f'{k}' + chr(1) * 600",
}


@pytest.mark.parametrize("name", LARGE_TREES)
def test_a_page_that_does_not_read_is_not_told_more_than_its_share(strict: Arena, name: str) -> None:
    """It gets a whole tree later: what waits for it in the kernel is bounded by the second."""
    sandbox = strict.attacker(limits={"handler_budget": 20_000, "max_memory": 200_000_000})
    source = f"""
import itertools
count = itertools.count()
end = time.time() + {SECONDS}
while time.time() < end:
    views = tuple(v.ProcessView(str({LARGE_TREES[name]}) + 'k' * 600, None, '', '', '', '') for k in range(5_000))
    channel.sendall(frame(pack(m.TreeChanged(diff=v.TreeDiff('x', 1, 1, views)))))
"""
    with loaded(strict.manager) as page:
        outcome = strict.attack(f"{CHANNEL}{source}", sandbox)
        seconds = page.lasted_s
    assert outcome.error is None, outcome.error
    assert worked_of(outcome) < MOST_WORK
    told = page.told["tree"] + page.told["diff"]
    one_more = 20_000_000  # what was told last may have been a whole tree
    assert 1_000_000 < told < AT_ONCE + one_more + seconds * PER_SECOND


def test_a_tree_that_grows_without_end_is_kept_in_bounds(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000, "max_memory": 200_000_000})
    mirror = Mirror()
    source = """
for n in range(12):
    views = tuple(v.ProcessView(f'{n} {k}' + 'k' * 3_000, None, '', '', '', '') for k in range(2_000))
    channel.sendall(frame(pack(m.TreeChanged(diff=v.TreeDiff('x', 1, 1, views)))))
"""
    with hearing(strict.manager, mirror.take), growing_at_most(40_000_000):
        assert strict.attack(f"{CHANNEL}{source}", sandbox).error is None
        tree = mirror.trees[sandbox.name]
        assert 2_000 <= len(tree.processes) < 3_000


ALERTS = {
    "of a kind that nobody knows": "m.Alert(limit='x', message='y' * 500)",
    "of a kind that is made up each time": "m.Alert(limit=f'{n}', message='y' * 500)",
    "of a limit": "m.Alert(limit='mailbox_limit', message='y' * 500)",
}


@pytest.mark.parametrize("name", ALERTS)
def test_alerts_do_not_fill_a_notebook_past_what_may_be_printed(
    strict: Arena, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000, "max_output": 1_000})
    source = f"{CHANNEL}for n in range(900):\n    say({ALERTS[name]})\n    time.sleep(1 / 180)"
    capsys.readouterr()
    with loaded(strict.manager) as page:
        assert strict.attack(source, sandbox).error is None
    assert "yyy" in capsys.readouterr().err
    most = 2 + page.lasted_s // AGAIN_S
    assert page.told["alert"] < 1_000 * most
    assert page.told["sandbox"] < FACTS_PER_SECOND * (1 + page.lasted_s)
    assert len(sandbox.info().alerts) <= most


def test_an_alert_of_a_kind_that_nobody_knows_has_to_fit_into_the_output(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"max_output": 400})
    for limit in ("x", "mailbox_limit"):
        strict.attack(f"{CHANNEL}say(m.Alert(limit={limit!r}, message={limit!r} * 500))", sandbox)
    strict.until(lambda: sandbox.info().alerts != (), "the limit was not told")
    assert [alert[:7] for alert in sandbox.info().alerts] == ["mailbox"]


def test_an_alert_that_was_not_told_is_counted(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000})
    say = "say(m.Alert(limit='mailbox_limit', message='over'))"
    late_s = 3.0  # when they are heard is what counts, and the first may be heard late
    strict.attack(f"{CHANNEL}for _ in range(5): {say}\ntime.sleep({AGAIN_S + late_s})\n{say}", sandbox)
    strict.until(lambda: len(sandbox.info().alerts) == 2, "the second was not told")
    assert sandbox.info().alerts == ("over", "over (and 4 more like it)")


def test_notices_without_end_are_left_out_and_counted(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000})
    told = "m.Notice(level='error', text='y' * 1_900, traceback=['z' * 1_900] * 10)"
    last = "time.sleep(1)\nsay(m.Notice(level='error', text='the last'))"
    with loaded(strict.manager) as page:
        strict.attack(f"{CHANNEL}for n in range(700):\n    say({told})\n    time.sleep(1 / 180)", sandbox)
        while sandbox.log(1)[0].text != "the last":  # it is left out, too, when all the others are heard late
            strict.attack(CHANNEL + last, sandbox)
    assert page.told["notice"] < 1.3 * (NOTICES + NOTICES_PER_SECOND * page.lasted_s)
    assert any(one.text.endswith("more messages were too many to be shown") for one in sandbox.log(1_000))


def test_facts_are_told_ten_times_a_second_at_most(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000})
    with loaded(strict.manager) as page:
        strict.attack(f"{CHANNEL}for n in range(500):\n    say(sample())\n    time.sleep(1 / 180)", sandbox)
    assert page.told["sandbox"] < FACTS_PER_SECOND * (1 + page.lasted_s)


FORGED_PAST = {
    "events": ("EventList", "[v.Event(1, 1, 'crash', 'a', 'b', '\\x1b[31mhi' + 'x' * 2_000)] * 900"),
    "long events": ("EventList", "[v.Event(1, 1, 'crash', 'a', 'b' * 60_000, '\\x1b[31mhi' * 6_000)] * 15"),
    "decisions": (
        "WhyList",
        "[v.WhyView('\\x1b[31mhi', 'n', 1, 1, 'r' * 400_000, '', '', ('\\x1b' * 400_000,), '', '')]",
    ),
}


@pytest.mark.parametrize("name", FORGED_PAST)
def test_a_past_that_is_forged_is_kept_bounded_and_harmless(strict: Arena, name: str) -> None:
    kind, forged = FORGED_PAST[name]
    field = "events" if kind == "EventList" else "entries"
    source = f"m.{kind}(id=NUMBER, {field}={forged})"
    sandbox = lying(strict, kind, source)
    shown = str(strict.watch(lambda: sandbox.events(5) if kind == "EventList" else sandbox.why("evil", 5)).value)
    assert "\\x1b[31mhi" in shown.replace("\\\\", "\\") and len(shown) < 200_000
    with growing_at_most(20_000_000):
        for _ in range(6):
            strict.watch(sandbox.restart)
            again = lying_again(kind, source)
            strict.attack(again, sandbox)
    events, decisions = sandbox._unit.history._past, sandbox._unit.history._past_decisions
    assert events and (kind == "EventList" or decisions)
    texts = [f"{one.kind}{one.pid}{one.name}{one.text}" for one in events]
    texts += [one.key + one.reason + "".join(one.traceback) for one in decisions]
    assert all(CONTROL.search(text) is None for text in texts)
    assert sum(map(len, texts)) < 6_000_000


def lying_again(kind: str, forged: str) -> str:
    """What makes a sandbox lie, for a new OS process."""
    return CHANNEL + ANSWER_NEXT.replace("WANTED", repr(kind)).replace("FORGED", forged)


def test_a_supervisor_of_ten_thousand_is_watched_like_any_other(strict: Arena) -> None:
    """What is taken for too much has to be far from what honest sandboxes have."""
    source = textwrap.dedent("""
        from jupyter_sandbox.otp import Child, GenServer, Supervisor

        class Idle(GenServer):
            def init(self, _):
                return 0

        class Many(Supervisor):
            def init(self, _):
                return [Child(Idle, 0, name=f"idle{n}") for n in range(10_000)]
    """)
    limits = {"max_processes": 20_000, "max_memory": 400_000_000, "handler_budget": 30_000}
    with loaded(strict.manager) as page:
        sandbox = strict.manager.create("many", code={"many.py": source}, main="many.Many", limits=limits)
        strict.attackers.append(sandbox)
        try:
            tree = sandbox.watch(100)
        except SandboxError as error:
            raise AssertionError(sandbox.info().reason) from error
        assert len(tree.processes) > 10_000
        sandbox.kill("idle7")
        strict.until(lambda: page.told["diff"] > 0, "no change was told")
        assert sandbox.status == "running"


BUSY = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Supervisor

class Busy(GenServer):
    def init(self, _):
        return 0
    def handle_cast(self, count, n):
        for _ in range(count):
            self.send("busy", "again")
        return NoReply(n)
    def handle_info(self, message, n):
        return NoReply(n)

class All(Supervisor):
    def init(self, _):
        return [Child(Busy, 0, name="busy")]
"""


def test_of_a_step_that_does_more_than_is_told_the_rest_is_counted(strict: Arena) -> None:
    sandbox = strict.manager.create(code={"busy.py": BUSY}, main="busy.All")
    strict.attackers.append(sandbox)
    sandbox.pause()
    sandbox.cast("busy", 1_500)
    (step,) = sandbox.step(1).steps
    assert len(step.did) == 1_001 and step.did[-1] == "and 500 more"
