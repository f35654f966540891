"""What a guest answers: data of these types and nothing else. Which one answers which request: see ``legality``."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..model.code import ClassInfo
from ..model.errors import Diagnostic
from ..model.listed import EventsOf, ManyOf, StepsOf
from ..model.views import Event, Inspection, ModuleVersion, StepView, TreeView, WaitView, WhyView


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of the guest's replies."""

    id: int


class Done(Answer, frozen=True, kw_only=True):
    pass


class Value(Answer, frozen=True, kw_only=True):
    """A Python value as data (see ``wire.values``), never a pickle."""

    data: bytes


class Pictured(Value, frozen=True, kw_only=True):
    """The value of a cell that draws itself: the file as its class made it, which nobody has checked, or ``why`` there
    is none."""

    mime: Literal["image/png", "image/jpeg"] = "image/png"
    image: bytes = b""
    why: str = ""


class Oversized(Value, frozen=True, kw_only=True):
    """In place of a reply that is larger than asked for, or than any can be: how large it is, or of what it has too
    many."""

    data: bytes = b""
    size: int
    many: Literal["", "items", "keys"] = ""


class Sent(Answer, frozen=True, kw_only=True):
    pid: str


class Failed(Answer, frozen=True, kw_only=True):
    """``kind`` as in ``model.errors``; ``message`` is one line that ends with what to do next."""

    kind: str
    message: str
    traceback: ManyOf[str] = msgspec.field(default_factory=list)
    diagnostics: ManyOf[Diagnostic] = msgspec.field(default_factory=list)
    reason: str = ""


class Loaded(Answer, frozen=True, kw_only=True):
    """``moved`` counts processes that went to the new code with their state; ``kept`` says in words what they, or
    tables and timers, still hold of the old code, and what of modules began anew."""

    versions: ManyOf[ModuleVersion]
    moved: int = 0
    step: int = 0
    kept: ManyOf[str] = msgspec.field(default_factory=list)


class Brought(Answer, frozen=True, kw_only=True):
    """Of the modules that a Bring held the first ones were taken: as many as there are ``codes``."""

    codes: ManyOf[bytes]
    """What each was compiled to; empty for one that had its code, and for one that cannot be compiled."""
    faults: ManyOf[Diagnostic] = msgspec.field(default_factory=list)
    """Why modules cannot be compiled: the first ones."""
    refused: int = 0
    """How many cannot be."""
    warnings: ManyOf[Diagnostic] = msgspec.field(default_factory=list)
    """What the compiler and the check of callbacks found odd, but let pass."""


class Tried(Answer, frozen=True, kw_only=True):
    """What a trial import found: startable classes per module."""

    classes: ManyOf[ClassInfo]
    order: ManyOf[str]
    """Names of all modules, in the order in which they need each other."""


class VersionList(Answer, frozen=True, kw_only=True):
    versions: ManyOf[ModuleVersion]


class TreeReply(Answer, frozen=True, kw_only=True):
    tree: TreeView


class InspectReply(Answer, frozen=True, kw_only=True):
    inspection: Inspection


class EventList(Answer, frozen=True, kw_only=True):
    events: EventsOf[Event]
    dropped: int = 0
    since: int = 0
    """The step that this guest's own log begins with."""


class WhyList(Answer, frozen=True, kw_only=True):
    entries: EventsOf[WhyView]


class WaitList(Answer, frozen=True, kw_only=True):
    entries: ManyOf[WaitView]


class PausedAt(Answer, frozen=True, kw_only=True):
    step: int


class Stepped(Answer, frozen=True, kw_only=True):
    """``waiting`` says why fewer steps than asked were taken: '' · idle · limit."""

    steps: StepsOf[StepView]
    step: int
    waiting: str = ""


class SnapshotBlob(Answer, frozen=True, kw_only=True):
    blob: bytes
    step: int
    processes: int


AnswerFrame = (
    Done | Value | Pictured | Oversized | Sent | Failed | Brought | Loaded | Tried | VersionList | TreeReply
    | InspectReply | EventList | WhyList | WaitList | PausedAt | Stepped | SnapshotBlob
)  # fmt: skip
