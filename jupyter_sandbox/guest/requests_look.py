"""Requests that only look. None of them takes a step, so they answer while paused too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..otp import inspect, waits
from ..wire import messages as m

if TYPE_CHECKING:
    from .guest import Guest, Handlers


def tree(guest: Guest, request: m.Tree) -> None:
    """All processes in tree order."""
    guest.emit(m.TreeReply(id=request.id, tree=guest.watching.tree()))


def watch(guest: Guest, request: m.Watch) -> None:
    """From now on push what changes; answered with the tree that the first change refers to."""
    guest.emit(m.TreeReply(id=request.id, tree=guest.watching.start(request.interval_ms)))


def look(guest: Guest, request: m.Inspect) -> None:
    """Everything about one process."""
    process = inspect.find(guest.node, request.target)
    events = guest.reporter.events_of(process, 20)
    guest.emit(m.InspectReply(id=request.id, inspection=inspect.inspection(guest.node, process, events)))


def events(guest: Guest, request: m.Events) -> None:
    """The newest events."""
    found = guest.reporter.events(request.limit, tuple(request.kinds), request.target)
    guest.emit(m.EventList(id=request.id, events=found, dropped=guest.reporter.dropped, since=guest.since))


def why(guest: Guest, request: m.Why) -> None:
    """Why a process restarted or exited."""
    guest.emit(m.WhyList(id=request.id, entries=guest.reporter.why(request.target, request.limit)))


def who_waits(guest: Guest, request: m.Waits) -> None:
    """Who waits for whom, deadlocks named."""
    guest.emit(m.WaitList(id=request.id, entries=list(waits.waits(guest.node))))


def flush(guest: Guest, request: m.Flush) -> None:
    """The counters and events until now, for somebody who looks at them."""
    guest.watching.flush()
    guest.emit(m.Done(id=request.id))


HANDLERS: Handlers = {
    m.Tree: tree, m.Watch: watch, m.Inspect: look, m.Events: events, m.Why: why, m.Waits: who_waits, m.Flush: flush,
}  # fmt: skip
