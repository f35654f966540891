"""What is told of one sandbox is told whole."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import datetime

import pytest

from jupyter_sandbox.isolation.profiles import REQUIRED, judge
from jupyter_sandbox.magics.commands.life import SANDBOXES, card_of
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.openings import Openings
from jupyter_sandbox.model.protection import Layer
from jupyter_sandbox.model.sandbox import SandboxInfo, SandboxStatus
from jupyter_sandbox.widgets.story import Card

LONG = tuple(f"/home/me/{number}/{'x' * 200}" for number in range(20))


def test_an_alert_is_shown_with_the_time_of_day_that_it_was_raised_at() -> None:
    at = datetime(2026, 1, 2, 13, 5, 7).timestamp()
    facts = SandboxInfo(1, "shop", "shop", SandboxStatus.RUNNING, "", 0.0, 7, None, Limits(), None)
    card = card_of(replace(facts, alerts=("it filled its folder",), alerted_at=(at,)))
    assert "13:05:07 it filled its folder" in str(card)


@pytest.mark.parametrize("opened", [Openings(), Openings(net=True, subprocess=True, read=LONG, write=LONG)])
@pytest.mark.parametrize("profile", REQUIRED)
def test_every_sentence_about_what_is_not_stopped_is_shown_whole(profile: str, opened: Openings) -> None:
    layers = [Layer(name, True, True, True) for name in REQUIRED[profile]]
    found = judge(profile, opened, layers, "linux")
    card = card_of(
        SandboxInfo(1, "shop", "shop", SandboxStatus.RUNNING, "", 0.0, 7, "counter.Shop", Limits(), found),
    )
    assert found.not_stopped
    rows = [line.removeprefix("  not stopped").strip() for line in str(card).splitlines() if "  not stopped" in line]
    assert rows == list(found.not_stopped)
    assert all(f">{html.escape(text)}</td>" in card.html() for text in found.not_stopped)


@pytest.mark.parametrize(
    ("opened", "cell"),
    [
        (Openings(), "standard"),
        (Openings(net=True), "standard (net)"),
        (Openings(net=True, ports=(443,)), "standard (ports)"),
        (Openings(subprocess=True, read=LONG, write=LONG), "standard (subprocess, read, write)"),
    ],
)
def test_the_list_shows_what_a_sandbox_opens(opened: Openings, cell: str) -> None:
    found = judge("standard", opened, [Layer(name, True, True, True) for name in REQUIRED["standard"]], "linux")
    shown = SandboxInfo(1, "shop", "shop", SandboxStatus.RUNNING, "", 0.0, 7, "counter.Shop", Limits(), found)
    assert {column.title: column.cell(shown) for column in SANDBOXES}["protection"] == cell
    lesser = judge("standard", opened, [Layer(name, True, True, True) for name in REQUIRED["basic"]], "linux")
    assert lesser.level == lesser.profile == "basic"


def test_a_fact_that_may_come_out_of_a_sandbox_is_cut() -> None:
    card = Card("thing", [("state", "x" * 10_000)])
    assert len(str(card)) < 700 and len(card.html()) < 1_500
