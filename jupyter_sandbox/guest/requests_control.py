"""Requests that control the run: pause, resume, step, until, limits."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ..model.errors import UsageError
from ..model.target import named
from ..model.views import StepView
from ..otp import inspect
from ..runtime import SetLimits
from ..wire import messages as m

if TYPE_CHECKING:
    from .guest import Guest, Handlers

MAX_TOLD = 1_000
"""Steps told in one answer; of more only the newest are told."""
_BUDGET_NS = 5_000_000_000
"""A request for many steps gives way to other requests after this long."""


def pause(guest: Guest, request: m.Pause) -> None:
    """Stop stepping and the node's clock."""
    guest.pause()
    guest.watching.flush()
    guest.emit(m.PausedAt(id=request.id, step=guest.node.step_number))


def resume(guest: Guest, request: m.Resume) -> None:
    """Go on."""
    guest.resume()
    guest.emit(m.Done(id=request.id))


def step(guest: Guest, request: m.Step) -> None:
    """Take some steps and tell each."""
    _must_be_paused(guest)
    _answer(guest, request.id, request.count)


def until(guest: Guest, request: m.Until) -> None:
    """Take steps until one matches every given condition."""
    _must_be_paused(guest)
    names = () if request.process is None else _names(guest, request.process)
    if not any((names, request.kind, request.contains, request.step)):
        raise UsageError("until", hint="give a condition: process, kind, contains or step")
    _answer(guest, request.id, request.max_steps, lambda view: matches(request, view, names))


def matches(wanted: m.Until, view: StepView, names: Collection[str]) -> bool:
    """Whether a step is the one that was waited for; ``names`` are those of its process, empty for any."""
    return (
        (not names or view.name in names or view.pid in names)
        and (wanted.kind is None or wanted.kind == view.kind)
        and (wanted.contains is None or wanted.contains in view.line())
        and (wanted.step is None or view.step >= wanted.step)
    )


def _answer(guest: Guest, number: int, count: int, stop: Callable[[StepView], bool] | None = None) -> None:
    told: list[StepView] = []
    began = guest.read_ns()
    waiting = ""
    for _ in range(count):
        view = guest.step()
        if view is None:
            waiting = "idle"
            break
        told.append(view)
        if len(told) > 2 * MAX_TOLD:
            del told[:-MAX_TOLD]
        if stop is not None and stop(view):
            break
        if guest.read_ns() - began > _BUDGET_NS:
            waiting = "limit"
            break
    else:
        waiting = "" if stop is None else "limit"  # all steps taken, and none of them was the one looked for
    guest.emit(m.Stepped(id=number, steps=told[-MAX_TOLD:], step=guest.node.step_number, waiting=waiting))


def _names(guest: Guest, target: str) -> set[str]:
    """What steps of a process are told under; a restarted one keeps its name. Raises NoProcess for a stranger."""
    last = named(target, guest.node.name).rpartition("/")[2]
    if last in guest.node.dead_names.values():
        return {target, last}
    process = inspect.find(guest.node, target)
    return {target, repr(process.pid), process.name or target}


def _must_be_paused(guest: Guest) -> None:
    if not guest.paused:
        raise UsageError("step", hint="the sandbox is running; pause it first: %sandbox pause", kind="not_paused")


def set_limits(guest: Guest, request: m.SetLimits) -> None:
    """The limits that the node itself counts; what is over them already stays. An input, so a replay has them too."""
    limits = request.limits
    guest.node.admit(SetLimits(limits.max_processes, limits.max_mailbox))
    guest.journal_room.max_memory = limits.max_memory
    guest.emit(m.Done(id=request.id))


HANDLERS: Handlers = {m.Pause: pause, m.Resume: resume, m.Step: step, m.Until: until, m.SetLimits: set_limits}
