"""Requests about state as a whole: snapshot, restore, journal, replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.errors import SnapshotError
from ..runtime.crashes import text_of
from ..wire import messages as m
from . import history, snapshot
from .aside import HandlerTimeout
from .held_values import no_way_back, told_at_restore
from .too_large import Endless, TooLarge, no_memory_for_journal

if TYPE_CHECKING:
    from .guest import Guest, Handlers

_QUIET_NS = 1_000_000_000
"""How long a running system gets to come to a quiet moment."""


def take_snapshot(guest: Guest, request: m.TakeSnapshot) -> None:
    """Save a quiet system."""
    until = guest.read_ns() + _QUIET_NS

    def taken() -> bool:
        try:
            with guest.aside:
                done = snapshot.take(guest.node, guest.code, guest.reporter.app)
        except (TooLarge, Endless):
            raise
        except SnapshotError:
            if guest.paused or guest.read_ns() > until:
                raise
            return False
        step = guest.node.step_number
        guest.watching.flush()
        guest.emit(m.SnapshotBlob(id=request.id, blob=done.blob, step=step, processes=done.processes))
        return True

    guest.pending.later(request.id, taken)


def restore_snapshot(guest: Guest, request: m.RestoreSnapshot) -> None:
    """Fill this guest; it stays paused until it is told to go on."""
    guest.pause()
    lost = guest.begin_from(request.blob)
    guest.tell_loaded()
    if lost:
        guest.reporter.warn(told_at_restore(lost))
    guest.emit(m.Done(id=request.id))


def take_journal(guest: Guest, request: m.TakeJournal) -> None:
    """Everything that entered this node, for a replay."""
    guest.watching.flush()
    if guest.journal_room.broken:
        _begin_anew(guest)
    if guest.lost:
        raise no_way_back(guest.lost, guest.journal_room.begins, guest.node.name)
    with guest.aside:
        blob = history.take(guest)
    shown = sum(not process.hidden for process in guest.node.processes.values())
    guest.emit(m.SnapshotBlob(id=request.id, blob=blob, step=guest.node.step_number, processes=shown))


def _begin_anew(guest: Guest) -> None:
    """After an interruption the journal begins anew as soon as it can; who asks for it is told why it cannot yet."""
    broken = guest.journal_room.broken
    try:
        guest.begin_journal()
    except (SnapshotError, HandlerTimeout) as error:
        raise SnapshotError(
            f"sandbox {guest.node.name!r} cannot go back now: {broken} cannot be done again, and a recording that "
            f"begins after it needs a snapshot: {text_of(error)}"
        ) from None


def replay_journal(guest: Guest, request: m.ReplayJournal) -> None:
    """Fill this guest by running a journal; it stays paused."""
    guest.pause()
    try:
        told = history.replay(guest, request.blob, request.until_step)
    except MemoryError:
        raise no_memory_for_journal(guest.node.name) from None
    steps = [] if told is None else [told]
    guest.emit(m.Stepped(id=request.id, steps=steps, step=guest.node.step_number))


HANDLERS: Handlers = {
    m.TakeSnapshot: take_snapshot,
    m.RestoreSnapshot: restore_snapshot,
    m.TakeJournal: take_journal,
    m.ReplayJournal: replay_journal,
}
