"""Attacks with news that grows once it has arrived: escapes of one character, empty lines, ends without end."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_sandbox.magics.cells import Cells
from jupyter_sandbox.magics.commands.looking import _log_line
from jupyter_sandbox.manager.answers import error_of
from jupyter_sandbox.manager.control import Control
from jupyter_sandbox.manager.newest import Newest
from jupyter_sandbox.manager.news import LINES, NAME, RELATIONS, TEXT, TOLD, bounded
from jupyter_sandbox.manager.throttle import NOTICES, NOTICES_PER_SECOND
from jupyter_sandbox.manager.voice import ALERT
from jupyter_sandbox.model.sandbox import InfoChanged, SandboxStatus, Update
from jupyter_sandbox.model.views import Counters, Event, ProcessView, TreeDiff, WhyView
from jupyter_sandbox.widgets.safe import clean
from jupyter_sandbox.wire.messages import Alert, Failed, MainExited, Notice, Sample, TreeChanged

from .conftest import Arena, crash_reason, growing_at_most, hearing
from .loaded import FACTS_PER_SECOND, loaded
from .tools import CHANNEL

GROWING = "\U000e0041" * 1_999 + "\U0001f600"
"""Each of its characters is shown as ten, and the last makes all of them take four bytes."""
MADE = f"T = {GROWING[0]!a} * 1_999 + {GROWING[-1]!a}\n"
FACTS = {str(number): GROWING for number in range(20)}
WHY = WhyView(GROWING, GROWING, 1, 1, GROWING, GROWING, GROWING, (GROWING,), GROWING, GROWING, (GROWING,), (GROWING,))


def told(frame: Any) -> list[int]:
    """How long each text is that is kept of a piece of news."""
    match bounded(frame):
        case Notice() as notice:
            return [len(notice.text), *map(len, notice.traceback)]
        case Alert(message=message):
            return [len(message)]
        case MainExited(reason=reason):
            return [len(reason)]
        case Sample(events=[Event() as event]):
            return [len(event.text), *(len(str(value)) for value in event.data.values())]
        case Sample(decisions=[WhyView() as why]):
            return [len(why.key), len(why.reason), len(why.state_after), *map(len, (*why.traceback, *why.stopped))]
        case other:
            raise AssertionError(other)


FRAMES = {
    "a notice": Notice(level="info", text=GROWING, traceback=[GROWING]),
    "an alert": Alert(limit="x", message=GROWING),
    "a reason to end": MainExited(app="x", reason=GROWING, normal=False),
    "an event": Sample(counters=Counters(), events=[Event(1, 1, "", "", "", GROWING, dict(FACTS))]),
    "a decision": Sample(counters=Counters(), events=[], decisions=[WHY]),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_text_is_as_short_as_may_be_once_it_is_made_harmless(name: str) -> None:
    assert 0 < max(told(FRAMES[name])) <= TEXT


def test_an_event_is_bounded_with_all_its_facts() -> None:
    kept = bounded(Sample(counters=Counters(), events=[Event(1, 1, GROWING, GROWING, GROWING, GROWING, dict(FACTS))]))
    assert isinstance(kept, Sample)
    (event,) = kept.events
    texts = (event.kind, event.pid, event.name, event.text, *event.data, *map(str, event.data.values()))
    assert event.data and sum(map(len, texts)) <= TOLD + TEXT + 4 * NAME


def test_the_links_of_a_process_are_bounded_once_they_are_harmless() -> None:
    many = ("\U000e0041" * 19,) * 900
    view = ProcessView("k", None, "", "", "", "", links=many, monitors=many)
    frame = bounded(TreeChanged(diff=TreeDiff("x", 1, 1, (view,))))
    assert isinstance(frame, TreeChanged)
    (kept,) = frame.diff.changed
    assert kept.links and sum(map(len, (*kept.links, *kept.monitors))) <= RELATIONS


def test_an_error_and_what_is_shown_are_as_short_as_may_be_once_they_are_harmless() -> None:
    assert len(str(error_of(Failed(id=1, kind="exit", message=GROWING * 9), "shop"))) <= 8_000
    assert len(clean(GROWING, 500)) == 500


KEPT = {
    "events": (
        "data = {str(j): T for j in range(20)}\n"
        "    say(sample(*[v.Event(k, 1, 'crash', 'p', 'n', 't', data) for k in range(12)]))"
    ),
    "decisions": (
        "why = [v.WhyView(T, T, k, 1, T, T, T, (T,), T, T, (T,), (T,), T) for k in range(15)]\n"
        "    say(m.Sample(counters=v.Counters(), events=[], decisions=why))"
    ),
    "notices": "[say(m.Notice(level='info', text=T, traceback=[T])) for _ in range(10)]; time.sleep(0.05)",
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_of_all_os_processes_of_a_sandbox_is_bounded_by_bytes(strict: Arena, name: str) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000})
    with growing_at_most(30_000_000):
        for _ in range(2):
            strict.attack(f"{CHANNEL}{MADE}for n in range(16):\n    {KEPT[name]}", sandbox)
            assert sandbox._unit.guest is not None
            sandbox._unit.guest.process.kill()
            strict.until(lambda: sandbox.status is SandboxStatus.CRASHED, "its end was not seen")
            sandbox.restart()
    unit = sandbox._unit
    history, recent = unit.history, unit.analytics._recent
    packed = (history._past, history._past_decisions, unit.voice.notices)
    rings: list[Newest[Any]] = [*(one._kept for one in packed), recent]
    assert any(ring._bytes > 100_000 for ring in rings)
    assert all(ring._bytes <= 2_000_000 for ring in rings)


def test_an_application_ends_once_however_often_its_sandbox_says_so(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000})
    updates: list[Update] = []
    end = "say(m.MainExited(app='x', reason=f'the {n}. ' + 'r' * 2_000, normal=False))"
    with hearing(strict.manager, updates.append), loaded(strict.manager, follow=False) as page:
        strict.attack(f"{CHANNEL}for n in range(2, 900):\n    {end}\n    time.sleep(1 / 400)", sandbox)
    own = [one.info for one in updates if isinstance(one, InfoChanged) and one.info.name == sandbox.name]
    ends = {info.reason for info in own if info.reason}
    assert page.told["sandbox"] < FACTS_PER_SECOND * (1 + page.lasted_s)
    assert len(ends) == 1
    assert crash_reason(sandbox).startswith("the main application ended: the 2. r")
    sandbox.start()
    strict.attack(f"{CHANNEL}say(m.MainExited(app='x', reason='again', normal=False))", sandbox)
    strict.until(lambda: crash_reason(sandbox).endswith(": again"), "the end of what was started anew is no news")


def test_alerts_travel_with_the_facts_only_when_there_are_others(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 20_000})
    alert = f"say(m.Alert(limit='mailbox_limit', message={'over ' * 400!r}))"
    with loaded(strict.manager, follow=False) as page:
        strict.attack(f"{CHANNEL}{alert}\nfor n in range(500):\n    say(sample())\n    time.sleep(1 / 180)", sandbox)
    assert page.messages["sandbox"] > 10
    assert page.with_alerts[sandbox.name] <= 2, "its first facts, and those with the alert"
    assert [len(one) for one in sandbox.info().alerts] == [ALERT]


def named(cells: int) -> Cells:
    """Who knows so many cells."""
    known = Cells(SimpleNamespace())
    for number in range(cells):
        known._remember(f"/tmp/ipykernel_77/{number * 7919}.py", f"In[{number}]")
    return known


class Looked(dict[str, str]):
    """Counts how often somebody looks for a name."""

    looks = 0

    def __contains__(self, name: object) -> bool:
        self.looks += 1
        return super().__contains__(name)


@pytest.mark.parametrize("cells", [10, 2_000])
def test_naming_cells_takes_no_longer_with_more_of_them(cells: int) -> None:
    text = "/tmp/ipykernel_77/" * 20_000
    known = named(cells)
    known._labels = looked = Looked(known._labels)
    assert known.label(text) == text
    assert looked.looks <= 20_000 * len({len(name) for name in looked}) <= 20_000 * 8


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("nothing of it", "nothing of it"),
        ('  File "/tmp/ipykernel_77/7919.py", line 9', "  Cell In[1], line 9"),
        ("in /tmp/ipykernel_77/0.py:3 and /tmp/ipykernel_77/7919.py", "in In[0]:3 and In[1]"),
        ('File "/tmp/ipykernel_77/7919.py and File "/tmp/ipykernel_77/0.py"', 'File "In[1] and Cell In[0]'),
        ("/tmp/ipykernel_77/77.py/tmp/ipykernel_77/0.py", "/tmp/ipykernel_77/77.pyIn[0]"),
    ],
)
def test_names_of_cells_are_found_wherever_they_stand(text: str, shown: str) -> None:
    assert named(3).label(text) == shown


def test_empty_lines_of_notices_count_as_what_they_cost(strict: Arena) -> None:
    assert sum(1 for size in told(Notice(level="", text="", traceback=[""] * 40_000)) if size == 0) <= LINES // 20 + 1
    sandbox = strict.attacker(limits={"handler_budget": 20_000})
    source = "for n in range(900):\n    say(m.Notice(level='info', text='t', traceback=[''] * 1_000))"
    with loaded(strict.manager, follow=False) as page:
        strict.attack(f"{CHANNEL}{source}", sandbox)
    assert page.messages["notice"] * 20_000 < 1.1 * (NOTICES + NOTICES_PER_SECOND * (1 + page.lasted_s))


def test_a_field_of_a_notice_that_nobody_reads_counts_too(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 40_000})
    fields = "level='l' * 200, process='p' * 200, logged='g' * 200"
    source = f"told = m.Notice(text='', {fields}, traceback=[''] * 990)"
    with loaded(strict.manager, follow=False) as page:
        strict.attack(f"{CHANNEL}{source}\nfor n in range(900): say(told)", sandbox)
    assert page.messages["notice"] * 20_000 < 1.1 * (NOTICES + NOTICES_PER_SECOND * (1 + page.lasted_s))


def test_replies_of_experiment_steps_are_kept_bounded(strict: Arena) -> None:
    control, sandbox = Control(strict.manager), strict.attacker()
    step = {"type": "message_send", "target": "evil", "message": ("call", "answer = 'x' * 254_000 + chr(0x1F600)")}
    with growing_at_most(30_000_000):
        for _ in range(60):
            verdict, reply = control.run_experiment_step(sandbox.name, step)
            assert verdict == "ok" and len(str(reply)) > 254_000
    assert sandbox._unit.analytics._recent._bytes < 1_000_000
    newest = next(one for one in sandbox.metrics()["recent_events"] if one["type"] == "experiment_step")  # type: ignore[attr-defined]
    assert newest["data"]["result"][1]["reply"] == "x" * 1_000 + "…"


def test_an_alert_is_one_line_whatever_it_says(strict: Arena, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox = strict.attacker()
    lie = f"sandbox {sandbox.name!r} is well\\nsandbox 'bank' was killed\\r\\u2028sandbox 'bank' is restarted"
    with loaded(strict.manager, follow=False):
        strict.attack(f'{CHANNEL}say(m.Alert(limit="memory_limit", message="{lie}"))', sandbox)
        printed: list[str] = []
        strict.until(
            lambda: "".join(printed).endswith("\n") or printed.append(capsys.readouterr().err), "it is not told"
        )
    shown = [*sandbox.info().alerts, *(entry.text for entry in sandbox.log()), "".join(printed).rstrip("\n")]
    assert len(shown) == 3
    assert all("\\nsandbox 'bank'" in text and len(text.splitlines()) == 1 for text in shown)


def test_an_entry_of_the_log_begins_where_the_kernel_begins_one(strict: Arena) -> None:
    sandbox = strict.attacker()
    text = "x\\nerror     sandbox 'bank' crashed"
    strict.attack(f'{CHANNEL}say(m.Notice(level="error", text="{text}", process="p\\nerror"))', sandbox)
    strict.until(lambda: any("bank" in entry.text for entry in sandbox.log()), "the notice was not told")
    turn: Any = SimpleNamespace(desk=SimpleNamespace(cells=named(0)))
    (shown,) = [_log_line(turn, entry) for entry in sandbox.log() if "bank" in entry.text]
    when, told = shown.split(" ", 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d", when)
    assert told == f"error     p\\nerror: x\n{' ' * 19}error     sandbox 'bank' crashed"
