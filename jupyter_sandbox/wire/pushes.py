"""What a guest says without being asked: that it is ready, and news."""

from __future__ import annotations

import msgspec

from ..model.listed import FreshOf
from ..model.protection import Protection
from ..model.views import Counters, Event, TreeDiff, WhyView


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first frame of a guest, sent once, after its self-test."""

    protocol: int
    pid: int
    protection: Protection


class TreeChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    diff: TreeDiff


class Sample(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Once a second while something happened: counters and what happened since the last sample, batched."""

    counters: Counters
    events: FreshOf[Event]
    dropped: int = 0
    decisions: FreshOf[WhyView] = msgspec.field(default_factory=list)
    """Of supervisors, so that they are known when this OS process is gone."""


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A limit counted inside the node was reached: process_limit, mailbox_limit."""

    limit: str
    message: str


class MainExited(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The main application ended by itself."""

    app: str
    reason: str
    normal: bool


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A told event for the user: crash reports, logger lines, a fence. ``level``: info · warning · error.

    ``logged`` is the level that a program gave a logger line, one of Erlang's eight.
    """

    level: str
    text: str
    process: str = ""
    logged: str = ""
    traceback: FreshOf[str] = msgspec.field(default_factory=list)


Pushed = TreeChanged | Sample | Alert | MainExited | Notice
"""News: all but Ready, which a guest says once."""
