"""What a frame of a guest counts for beside its bytes: a megabyte of small things costs more than one of text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..model.views import ProcessView, StepView, WhyView
from ..wire.messages import EventList, Notice, Sample, Stepped, TreeChanged, TreeReply, WhyList

ITEM_COST_BYTES: Final = 64
"""A name in a list: made, kept, looked up and told again."""
EVENT_COST_BYTES: Final = 256
VIEW_COST_BYTES: Final = 512
"""A process of a tree, a step or a decision: some twenty things that all travel on to the page."""


def weight(frame: object) -> int:
    """In bytes.

    >>> from jupyter_sandbox.model.views import TreeDiff
    >>> weight(TreeChanged(diff=TreeDiff("x", 1, 1, removed=("a", "b"))))
    128
    """
    weigh = _WEIGHTS.get(type(frame))
    return 0 if weigh is None else weigh(frame)


def _processes(views: Sequence[ProcessView]) -> int:
    links = sum(len(view.links) + len(view.monitors) for view in views)
    return VIEW_COST_BYTES * len(views) + ITEM_COST_BYTES * links


def _changed(frame: TreeChanged) -> int:
    diff = frame.diff
    return _processes(diff.changed) + ITEM_COST_BYTES * (len(diff.removed) + len(diff.order or ()))


def _steps(steps: Sequence[StepView]) -> int:
    return VIEW_COST_BYTES * len(steps) + ITEM_COST_BYTES * sum(len(step.did) for step in steps)


def _decisions(entries: Sequence[WhyView]) -> int:
    lines = sum(len(entry.traceback) + len(entry.stopped) + len(entry.started) for entry in entries)
    return VIEW_COST_BYTES * len(entries) + ITEM_COST_BYTES * lines


_WEIGHTS: Final[Mapping[type, Callable[[Any], int]]] = {
    Sample: lambda frame: EVENT_COST_BYTES * len(frame.events) + _decisions(frame.decisions),
    EventList: lambda frame: EVENT_COST_BYTES * len(frame.events),
    WhyList: lambda frame: _decisions(frame.entries),
    Notice: lambda frame: ITEM_COST_BYTES * len(frame.traceback),
    TreeChanged: _changed,
    TreeReply: lambda frame: _processes(frame.tree.processes),
    Stepped: lambda frame: _steps(frame.steps),
}
