"""What a sandbox says: alerts that come again and again are told as seldom whoever raises them."""

from __future__ import annotations

import time

import pytest

from jupyter_sandbox.manager.throttle import AGAIN_S
from jupyter_sandbox.manager.voice import ALERT, ALERTS_KEPT, Voice
from jupyter_sandbox.model.sandbox import AlertRaised, Update


def test_alerts_of_what_comes_and_goes_are_counted_and_told_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    told, now = list[Update](), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    voice = Voice("shop", told.append)
    for _ in range(30):
        voice.alert("hang", "a callback ran too long", again=True)
        voice.alert("file_limit", "a file is full", again=True)
    voice.alert("hang", "a callback ran too long; the sandbox was killed")
    now[0] += AGAIN_S
    voice.alert("hang", "a callback ran too long", again=True)
    assert [one.message for one in told if isinstance(one, AlertRaised)] == list(voice.alerts) == [
        "a callback ran too long", "a file is full", "a callback ran too long; the sandbox was killed",
        "a callback ran too long (and 29 more like it)",
    ]  # fmt: skip


def test_each_alert_keeps_its_time_as_long_as_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    voice = Voice("shop", list[Update]().append)
    for number in range(ALERTS_KEPT + 1):
        now[0] += 1
        voice.alert("hang", str(number))
    assert voice.raised[0] == ("1", 102.0) and voice.raised[-1] == (str(ALERTS_KEPT), now[0])
    assert len(voice.raised) == ALERTS_KEPT


def test_an_alert_is_one_bounded_line_whoever_words_it() -> None:
    told = list[Update]()
    voice = Voice("shop", told.append)
    voice.alert("protocol", "it said\n\x1b[2J" + "y" * 1_000)
    [message] = voice.alerts
    assert message.startswith("it said") and len(message) <= ALERT and not {"\n", "\x1b"} & {*message}
    assert [one.message for one in told if isinstance(one, AlertRaised)] == [message]
    assert [one.text for one in voice.notices] == [message]


def test_whoever_acts_on_it_is_told_anew() -> None:
    told = list[Update]()
    voice = Voice("shop", told.append)
    for _ in range(2):
        voice.alert("hang", "a callback ran too long", again=True)
        voice.heard_by_caller()
    assert len(told) == 2
