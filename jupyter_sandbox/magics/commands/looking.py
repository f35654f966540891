"""Verbs that look and change nothing. What each does is said in the table of verbs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ...model.errors import SandboxGone, UsageError
from ...model.sandbox import NoticeTold, SandboxStatus
from ...model.views import EVENT_KINDS, Event, Inspection, ProcessView, WhyView
from ...widgets.picture import TreePicture
from ...widgets.safe import line
from ...widgets.status import look, short_behaviour
from ...widgets.story import Card, Lines, Portrait, Story
from ...widgets.table import Column, Table
from .. import help as help_texts
from ..turn import Turn
from ..verbs import VERBS

PROCESSES: tuple[Column[ProcessView], ...] = (
    Column("process", lambda view: view.key),
    Column("pid", lambda view: view.pid or ""),
    Column("status", lambda view: f"{look(view.status).glyph} {look(view.status).word}"),
    Column("kind", lambda view: view.kind),
    Column("runs", lambda view: short_behaviour(view.behaviour)),
    Column("state", lambda view: view.state),
    Column("queue", lambda view: view.queue, right=True),
    Column("restarts", lambda view: view.restarts, right=True),
    Column("steps", lambda view: view.steps, right=True),
    Column("code", lambda view: view.code_version or "", right=True),
)

EVENTS: tuple[Column[Event], ...] = (
    Column("step", lambda event: event.step, right=True),
    Column("time", lambda event: f"{event.now_ms / 1000:.3f} s", right=True),
    Column("kind", lambda event: event.kind),
    Column("process", lambda event: event.name or event.pid),
    Column("what happened", lambda event: event.text),
)


def tree(turn: Turn) -> TreePicture:
    """Of a sandbox whose OS process is gone: the tree as it was last seen, and why it is gone."""
    last, seen = turn.desk.mirror.trees.get(turn.name), ""
    try:
        view = turn.sandbox.tree()
    except SandboxGone:
        if last is None:
            raise
        view, seen = last, "as last seen; "
    info, note = turn.desk.cells.labelled(turn.sandbox.info()), ""
    if info.status in (SandboxStatus.CRASHED, SandboxStatus.STOPPED) and info.reason:
        todo = f"%sandbox events {turn.name}, then %sandbox restart {turn.name}"
        note = f"{seen}{turn.name} {info.status}: {info.reason}; next: {todo}"
    return turn.picture(view, live="static" not in turn.given.options, note=note)


def ps(turn: Turn) -> Table[ProcessView] | Portrait:
    target = turn.given.values["TARGET"]
    if target is not None:
        return Portrait(_inspected(turn, str(target)))
    view = turn.sandbox.tree()
    empty = f"no process runs in {turn.name}: %sandbox start {turn.name}"
    return Table(view.processes, PROCESSES, caption=f"{view.sandbox} · step {view.step}", empty=empty)


def _inspected(turn: Turn, target: str) -> Inspection:
    seen, label = turn.sandbox.inspect(target), turn.desk.cells.label
    told = tuple(replace(event, text=label(event.text)) for event in seen.events)
    return replace(seen, waiting_for=label(seen.waiting_for), events=told)


def events(turn: Turn) -> Table[Event]:
    target = turn.given.values["TARGET"]
    kinds = turn.given.options.get("kind", ())
    kinds = kinds if isinstance(kinds, tuple) else ()
    for kind in kinds:
        if kind not in EVENT_KINDS:
            raise UsageError("--kind", kind, allowed=EVENT_KINDS)
    found = turn.sandbox.events(
        limit=turn.given.number("limit", 50), kinds=kinds, target=None if target is None else str(target)
    )
    told = [replace(event, text=turn.desk.cells.label(event.text)) for event in found]
    about = "" if target is None else f" of {target}; who there is: %sandbox ps {turn.name}"
    return Table(told, EVENTS, empty=f"no such event yet{about}")


def why(turn: Turn) -> Story:
    target = turn.given.text("TARGET")
    try:
        entries = turn.sandbox.why(target, limit=turn.given.number("limit", 1))
    except SandboxGone:
        if not _ended(turn):
            raise
        entries = []  # nobody decided anything about it before all of it ended, which is told
    return Story([_labelled(turn, entry) for entry in entries], target, _ended(turn) or _limit_met(turn, entries))


def _limit_met(turn: Turn, entries: list[WhyView]) -> str:
    """Python says no more than MemoryError, and a callback that was broken off nothing of the limit that it met."""
    told = {entry.cause.partition(" ")[0] or entry.reason.partition(":")[0] for entry in entries}
    now, change = turn.sandbox.info().limits, f"%sandbox limits {turn.name}"
    if "MemoryError" in told:
        more = f"{change} --max-memory {2 * now.max_memory // 1_000_000}MB"
        return f"{turn.name} may use {now.max_memory / 1e6:g} MB; to let it use more: {more}"
    if "HandlerTimeout" in told:
        more = f"{change} --handler-budget {2 * now.handler_budget}"
        return f"a callback may run {now.handler_budget} ms; to let it run longer: {more}"
    return ""


def _ended(turn: Turn) -> str:
    """What came after all of it, when that was the end of the whole sandbox."""
    info = turn.sandbox.info()
    gone = info.status is SandboxStatus.STOPPED and info.os_pid is None and info.reason
    if info.status is not SandboxStatus.CRASHED and not gone:
        return ""
    return turn.desk.cells.label(
        f"then {turn.name} {info.status.value}: {info.reason}; next: %sandbox restart {turn.name}"
    )


def _labelled(turn: Turn, entry: WhyView) -> WhyView:
    cells = turn.desk.cells
    return replace(
        entry,
        cause=cells.label(entry.cause),
        reason=cells.label(entry.reason),
        decision=cells.label(entry.decision),
        traceback=cells.labels(entry.traceback),
    )


def waits(turn: Turn) -> Lines:
    """One line per process that waits in the middle of a callback."""
    entries = turn.sandbox.waits()
    return Lines([line(entry.line(), 600) for entry in entries] or [f"nobody in {turn.name} waits for anybody"])


def metrics(turn: Turn) -> Card:
    """The guide's counters; ``metrics.subject`` is the mapping itself."""
    found = turn.sandbox.metrics()
    flat = {name: value for name, value in found.items() if not isinstance(value, dict)}
    for value in found.values():
        flat |= value if isinstance(value, dict) else {}
    facts = [(name.replace("_", " "), _short(name, value)) for name, value in flat.items()]
    return Card(f"metrics of {turn.name}", facts, found)


def _short(name: str, value: object) -> object:
    if name == "memory_peak" and isinstance(value, int):
        return f"{value / 1_000_000:.1f} MB"
    if isinstance(value, list | tuple):
        return f"{len(value)}; see %sandbox events" if value else "none"
    return value


def log(turn: Turn) -> Lines:
    limit = turn.given.number("limit", 50)
    lines = [_log_line(turn, entry) for entry in turn.sandbox.log(limit=limit)]
    printed = turn.desk.cells.label_printed(turn.sandbox.output()).splitlines()[-limit:]
    if printed:
        lines += ["printed:", *(f"  {text}" for text in printed)]
    return Lines(lines or [f"nothing was logged or printed in {turn.name}"])


_TEXT_AT = len("00:00:00 warning   ")


def _log_line(turn: Turn, entry: object) -> str:
    if isinstance(entry, NoticeTold):
        where = f"{entry.process}: " if entry.process and not entry.text.startswith(entry.process) else ""
        when = datetime.fromtimestamp(entry.at).strftime("%H:%M:%S")
        return _indented(turn.desk.cells.label(f"{when} {entry.logged or entry.level:9} {where}{entry.text}"))
    if isinstance(entry, Event):
        return _indented(turn.desk.cells.label(f"#{entry.step} {entry.name}: {entry.text}"))
    return _indented(turn.desk.cells.label(str(entry)))


def _indented(text: str) -> str:
    """Lines after the first stand below it: what a sandbox logs is no entry of its own making."""
    return text.replace("\n", "\n" + " " * _TEXT_AT)


def explain(turn: Turn) -> Lines:
    name = turn.given.values.get("VERB")
    if name is None:
        return Lines(help_texts.overview().split("\n"))
    if str(name) not in VERBS:
        raise UsageError("verb", name, allowed=VERBS)
    return Lines(help_texts.explain(VERBS[str(name)]).split("\n"))
