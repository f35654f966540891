"""Told things: steps, reasons of restarts, one process in detail, facts of a sandbox, a load. Text first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..model.views import Inspection, StepView, WhyView
from .result import Result
from .safe import PRE, block, clean, escape, line
from .status import details, look
from .text import count


class Lines(Result):
    """Lines of text, shown in a fixed-width font. Iterating gives the lines."""

    __slots__ = ("lines",)

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(clean(text, 2000) for text in lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def text(self) -> str:
        return "\n".join(self.lines)

    def html(self) -> str:
        return f"{PRE}{block(self.text())}</pre>"


class Steps(Lines):
    """The result of ``step`` and ``until``: one line per step; ``steps`` holds the views."""

    __slots__ = ("step", "steps", "waiting")

    def __init__(self, steps: Sequence[StepView], step: int, waiting: str = "", note: str = "") -> None:
        self.steps, self.step, self.waiting = tuple(steps), step, waiting
        told = [line(view.line(), 400) for view in steps]
        super().__init__([*told, *_end(len(steps), step, waiting), *([note] if note else [])])


def _end(taken: int, step: int, waiting: str) -> list[str]:
    match waiting:
        case "idle":
            return [f"nothing more to do at step {step}: every process waits for a message"]
        case "limit":
            return [f"stopped looking at step {step} after {count(taken, 'step', 'steps')}: the step limit was reached"]
        case "":
            return []
        case other:
            return [f"stopped at step {step}: {line(other)}"]


class Story(Result):
    """The result of ``why``: causes and decisions, newest first; ``entries`` holds the views."""

    __slots__ = ("entries", "note", "subject")

    def __init__(self, entries: Sequence[WhyView], subject: str, note: str = "") -> None:
        self.entries, self.subject, self.note = tuple(entries), subject, line(note, 600)

    def __iter__(self) -> Iterator[WhyView]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def text(self) -> str:
        if not self.entries:
            return "\n".join([f"{line(self.subject)} has not exited or restarted", *([self.note] if self.note else [])])
        told = ["\n".join([line(entry.line(), 600), *(f"  {text}" for text in _body(entry))]) for entry in self.entries]
        return "\n\n".join([*told, *([self.note] if self.note else [])])

    def html(self) -> str:
        if not self.entries:
            return f"<p>{block(self.text())}</p>"
        told = "".join(
            f"<p><strong>{escape(entry.line(), 600)}</strong></p>{PRE}{block(chr(10).join(_body(entry)))}</pre>"
            for entry in self.entries
        )
        return told + (f"<p>{escape(self.note, 600)}</p>" if self.note else "")


def _body(entry: WhyView) -> list[str]:
    did = f"handled {entry.message}" if entry.message else f"exited: {entry.reason}"
    lines = [f"step {entry.step}, t = {entry.now_ms / 1000:.3f} s: {entry.name} {did}"]
    if entry.supervisor:
        lines.append(f"supervisor {entry.supervisor}: {entry.decision}")
    if entry.stopped:
        lines.append(f"stopped: {', '.join(entry.stopped)}")
    if entry.started:
        # Up again only when it is known with which state: before that a back-off waits, or it did not start.
        lines.append(f"{'started' if entry.state_after else 'to be started'}: {', '.join(entry.started)}")
    told = [line(text, 400) for text in lines]
    return told + [clean(text, 400) for chunk in entry.traceback[:40] for text in chunk.rstrip("\n").split("\n")]


class Portrait(Lines):
    """One process in detail; ``inspection`` holds the view."""

    __slots__ = ("inspection",)

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        process = inspection.process
        facts = [
            ("state", process.state),
            ("queue", ", ".join([str(process.queue), *inspection.mailbox])),
            ("waiting for", inspection.waiting_for),
            ("links", ", ".join(inspection.links)),
            ("monitors", ", ".join(inspection.monitors)),
            ("monitored by", ", ".join(inspection.monitored_by)),
            ("last exit", process.last_exit or ""),
        ]
        head = f"{look(process.status).glyph} {process.key} {process.pid or ''} · {details(process)}"
        super().__init__([line(head), *_facts(facts), *(line(f"  #{e.step} {e.text}") for e in inspection.events[:10])])


FACT = 600
"""Characters of a fact, most of which come out of a sandbox."""
OUR_OWN = 100_000
"""Of one that is ours, with the user's own paths in it: a cut would hide the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One named fact of a card, of at most so many characters."""

    name: str
    value: str
    limit: int = FACT


class Card(Result):
    """Named facts about one thing; ``subject`` is the view they come from."""

    __slots__ = ("facts", "subject", "title")

    def __init__(self, title: str, facts: Sequence[tuple[str, object] | Fact], subject: object = None) -> None:
        self.title, self.subject = line(title), subject
        given = [fact if isinstance(fact, Fact) else Fact(fact[0], _told(fact[1])) for fact in facts]
        self.facts = tuple(
            Fact(clean(fact.name, 80), line(fact.value, fact.limit), fact.limit) for fact in given if fact.value
        )

    def text(self) -> str:
        return "\n".join([self.title, *_facts([(fact.name, fact.value) for fact in self.facts], OUR_OWN)])

    def html(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(fact.name)}</th>'
            f'<td style="text-align:left;white-space:normal">{escape(fact.value, fact.limit)}</td></tr>'
            for fact in self.facts
        )
        return f"<div><table><caption>{escape(self.title)}</caption><tbody>{rows}</tbody></table></div>"


def _told(value: object) -> str:
    return "" if value is None else str(value)


def _facts(pairs: Sequence[tuple[str, str]], limit: int = FACT) -> list[str]:
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    return [f"  {name.ljust(width)}  {line(value, limit)}" for name, value in shown]
