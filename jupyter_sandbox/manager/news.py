"""What a guest pushes without being asked, cut to what an honest one tells and made safe to show. Pure.

A guest in the hands of its code can write any frame: legal ones, but with a
megabyte of text, thousands of events, or more of them than anybody could read.
What is kept here is kept by the kernel, so it is bounded here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

import msgspec

from ..model import harmless
from ..model.harmless import on_one_line, plain, shortened
from ..model.listed import Facts
from ..model.sandbox import NoticeTold
from ..model.views import Event, ProcessView, StepView, TreeDiff, TreeView, WhyView
from ..wire.encoding import encode
from ..wire.messages import Alert, MainExited, Notice, Pushed, Sample, TreeChanged

NAME, TEXT, LINES, FACTS, TOLD = 200, 2_000, 20_000, 20, 4_000
"""Characters of a name, of a text or line, of all lines of a traceback; facts of an event, characters of all these."""
LINE_COST = 20
"""What a line counts for beside its characters: empty ones are made, named and told as well."""
DECISION_LINES, SAMPLE_LINES, PAST_LINES = 2 * LINES, 250_000, 1_000_000
"""Characters of the traceback and all children of one decision, of all decisions in one sample and in one answer: those
of 50 and of 200 honest ones with a traceback of sixty lines each."""
DEEDS = 1_000_000
"""Characters of all that the steps of one answer did; of the rest it is said how many there are."""
EVENTS, DECISIONS = 200, 50
"""In one sample: what an honest guest puts in at most. The rest counts as dropped."""
PROCESSES, VIEW, RELATIONS = 20_000, 4_000, 8_000
"""Processes in one change of the tree; characters of one process in it that are told as they are; characters of the
links and monitors of one that has more: some thousand."""
KEYS = 2_000_000
"""Characters of all names in one list of a change."""
AT_ONCE, PER_SECOND = 1_000, 200
"""Frames. An honest guest tells some sixty a second and changes of its tree a hundred times; after a pause of the
kernel's there may be a few hundred to catch up with."""


def bounded(frame: Pushed) -> Pushed:
    """The same news in a size and a form that can be kept and shown.

    >>> bounded(Alert(limit="mailbox_limit", message="over\\x1b[2J"))
    Alert(limit='mailbox_limit', message='over\\\\x1b[2J')
    """
    match frame:
        case Notice(level=level, text=text, process=process, traceback=lines):
            return msgspec.structs.replace(
                frame, level=name(level), text=cut(text), process=name(process), logged=name(frame.logged),
                traceback=[*_Room(LINES).lines(lines)],
            )  # fmt: skip
        case Alert(limit=limit, message=message):
            return Alert(limit=name(limit), message=on_one_line(message, TEXT))
        case MainExited(app=app, reason=reason, normal=normal):
            return MainExited(app=name(app), reason=cut(reason), normal=normal)
        case Sample(events=events, dropped=dropped, decisions=decisions):
            left_out = max(0, len(events) - EVENTS)
            return msgspec.structs.replace(
                frame, events=[_event(one) for one in events[-EVENTS:]], dropped=max(0, dropped) + left_out,
                decisions=_decisions(decisions[-DECISIONS:], SAMPLE_LINES),
            )  # fmt: skip
        case TreeChanged(diff=diff):
            return TreeChanged(diff=_diff(diff))
        case _:
            assert_never(frame)


def past(events: Iterable[Event], decisions: Iterable[WhyView]) -> tuple[list[Event], list[WhyView]]:
    """Answers about what was, in the size and form of news: they are kept, too, and shown."""
    return [_event(one) for one in events], _decisions(decisions, PAST_LINES)


def deeds(steps: Iterable[StepView]) -> tuple[StepView, ...]:
    """Steps that are told to observers, with as much of what they did as can be told at once.

    >>> step = StepView(1, "", "", "", "", "", "", "", did=("x" * 99_980,) * 11)
    >>> [one[:10] for one in deeds([step])[0].did[-2:]]
    ['xxxxxxxxxx', 'and 1 more']
    """
    room = _Room(DEEDS)
    return tuple(room.step(one) for one in steps)


def whole(tree: TreeView) -> TreeView:
    """A tree that is told to observers, as its changes are."""
    return replace(tree, sandbox=name(tree.sandbox), processes=tuple(_view(one) for one in tree.processes[:PROCESSES]))


def size(frame: Pushed) -> int:
    """About how many bytes a piece of news takes that is kept for later."""
    return len(encode(frame))


def length(told: NoticeTold) -> int:
    """What a notice counts for of those that may come.

    >>> length(NoticeTold("shop", "info", "hello", traceback=("", "")))
    69
    """
    lines = (told.level, told.process, told.logged, told.text, *told.traceback)
    return sum(map(len, lines)) + LINE_COST * (1 + len(told.traceback))


def _diff(diff: TreeDiff) -> TreeDiff:
    # The widgets clean what they show; here it is kept from growing.
    order = diff.order if diff.order is None else _keys(diff.order)
    changed = tuple(_view(one) for one in diff.changed[:PROCESSES])
    return replace(diff, sandbox=name(diff.sandbox), changed=changed, removed=_keys(diff.removed), order=order)


def _keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    return keys if len("".join(keys)) <= KEYS else tuple(key[:TEXT] for key in keys[:PROCESSES])


def name(text: str) -> str:
    """A short piece of text on one line."""
    return harmless.name(text, NAME)


def cut(text: str) -> str:
    """A text of a readable length."""
    return shortened(text, TEXT)


class _Room:
    """What is left for lines, which have to share it."""

    def __init__(self, left: int) -> None:
        self.left = left

    def lines(self, lines: Iterable[str]) -> tuple[str, ...]:
        kept: list[str] = []
        for line in lines:
            if self.left <= 0:
                break
            kept.append(cut(line))
            self.left -= len(kept[-1]) + LINE_COST
        return tuple(kept)

    def step(self, step: StepView) -> StepView:
        fitting = 0
        for deed in step.did:
            if self.left < len(deed) + LINE_COST:
                break
            self.left -= len(deed) + LINE_COST
            fitting += 1
        more = len(step.did) - fitting
        return replace(step, did=(*step.did[:fitting], f"and {more} more")) if more else step

    def decision(self, entry: WhyView) -> WhyView:
        own = _Room(given := min(DECISION_LINES, self.left))
        kept = replace(
            entry, key=cut(entry.key), name=name(entry.name), reason=cut(entry.reason), cause=cut(entry.cause),
            message=cut(entry.message), traceback=own.lines(entry.traceback), supervisor=name(entry.supervisor),
            decision=cut(entry.decision), stopped=own.lines(entry.stopped), started=own.lines(entry.started),
            state_after=cut(entry.state_after),
        )  # fmt: skip
        self.left -= given - own.left
        return kept


def _decisions(entries: Iterable[WhyView], room: int) -> list[WhyView]:
    shared = _Room(room)
    return [shared.decision(one) for one in entries]


def _event(event: Event) -> Event:
    # Nearly all are like this, and a sandbox that crashes on and on tells hundreds a second.
    texts = (event.kind, event.pid, event.name)
    short = not event.data and max(map(len, texts)) <= NAME and len(event.text) <= TEXT
    if short and plain("".join((*texts, event.text))):
        return event
    return replace(
        event, kind=name(event.kind), pid=name(event.pid), name=name(event.name), text=cut(event.text),
        data=_facts(event.data),
    )  # fmt: skip


def _facts(data: Facts) -> Facts:
    kept: Facts = {}
    left = TOLD
    for key, value in [*data.items()][:FACTS]:
        known = name(key)
        kept[known] = value if isinstance(value, int) else shortened(value, min(TEXT, left))
        left -= len(known) + len(str(kept[known]))
        if left <= 0:
            break
    return kept


def _view(view: ProcessView) -> ProcessView:
    lists = (*view.links, *view.monitors)
    texts = (view.key, view.name, view.behaviour, view.state, view.pid, view.parent, view.registered, view.last_exit,
             view.strategy)  # fmt: skip
    size = len("".join(lists)) + sum(len(text) for text in texts if text) + len(view.kind) + len(view.status)
    if size <= VIEW and len(lists) <= VIEW:
        return view
    links = _whole_names(view.links, RELATIONS)
    return replace(
        view, key=cut(view.key), pid=view.pid and name(view.pid), name=name(view.name), kind=name(view.kind),
        behaviour=name(view.behaviour), status=name(view.status), parent=view.parent and cut(view.parent),
        registered=view.registered and name(view.registered), state=cut(view.state),
        strategy=view.strategy and name(view.strategy), last_exit=view.last_exit and cut(view.last_exit),
        links=links, monitors=_whole_names(view.monitors, RELATIONS - sum(map(len, links)) - len(links)),
    )  # fmt: skip


def _whole_names(names: Iterable[str], room: int) -> tuple[str, ...]:
    """As many of them as fit. Half a pid would be another process's, so none is cut."""
    kept: list[str] = []
    for one in names:
        shown = shortened(one, NAME + 1)
        room -= len(shown) + 1
        if room < 0:
            break
        if 0 < len(shown) <= NAME:
            kept.append(shown)
    return tuple(kept)
