"""Verbs that save and bring back the state of all processes. What each does is said in the table of verbs."""

from __future__ import annotations

from datetime import datetime
from itertools import count

from ...manager.store import SnapshotInfo
from ...model.typed import quoted
from ...widgets.picture import TreePicture
from ...widgets.story import Lines
from ...widgets.table import Column, Table
from ..turn import Turn

SNAPSHOTS: tuple[Column[SnapshotInfo], ...] = (
    Column("snapshot", lambda snapshot: snapshot.name),
    Column("step", lambda snapshot: snapshot.step, right=True),
    Column("processes", lambda snapshot: snapshot.processes, right=True),
    Column("kB", lambda snapshot: f"{snapshot.size / 1000:.1f}", right=True),
    Column("taken", lambda snapshot: datetime.fromtimestamp(snapshot.created_at).strftime("%Y-%m-%d %H:%M:%S")),
)


ORIGIN: Column[SnapshotInfo] = Column("taken in", lambda snapshot: snapshot.origin or "no notebook")


def snapshot(turn: Turn) -> Lines:
    given = turn.given.values["SNAPSHOT"]
    before = _saved(turn)
    taken = {saved.name for saved in before}
    name = str(given) if given is not None else next(f"snapshot-{n}" for n in count(1) if f"snapshot-{n}" not in taken)
    turn.sandbox.snapshot(name)
    _saved(turn)
    ours = {saved.name for saved in before if saved.origin == turn.desk.manager.origin}
    instead = " in place of the one before" if name in ours else ""
    return Lines([f"saved {name}{instead}; go back to it with %sandbox restore {turn.name} {quoted(name)}"])


def snapshots(turn: Turn) -> Table[SnapshotInfo]:
    if all(info.name != turn.name for info in turn.desk.manager.list()):
        return _without_sandbox(turn)
    empty = f"no snapshot of {turn.name} yet: %sandbox snapshot {turn.name}"
    found = _saved(turn)
    return Table(found, _columns(turn, found), empty=empty)


def _columns(turn: Turn, found: list[SnapshotInfo]) -> tuple[Column[SnapshotInfo], ...]:
    """Who took them is said when it was not this notebook alone."""
    strange = any(saved.origin != turn.desk.manager.origin for saved in found)
    return (*SNAPSHOTS, ORIGIN) if strange else SNAPSHOTS


def _without_sandbox(turn: Turn) -> Table[SnapshotInfo]:
    """They outlive the kernel: after a restart of it there are snapshots of a sandbox that is not there."""
    found = list(turn.desk.manager.stored(turn.name))
    if not found:
        turn.desk.manager.get(turn.name)  # raises what to type instead
    last = quoted(found[-1].name) if found else "NAME"
    todo = f"%sandbox create {turn.name}, then %sandbox restore {turn.name} {last}"
    return Table(
        found,
        _columns(turn, found),
        empty="",
        caption=f"there is no sandbox {turn.name} now; to go back to one: {todo}",
    )


def restore(turn: Turn) -> TreePicture:
    turn.sandbox.restore(turn.given.text("SNAPSHOT"))
    return turn.picture(turn.sandbox.tree())


def _saved(turn: Turn) -> list[SnapshotInfo]:
    found = list(turn.sandbox.snapshots())
    turn.desk.mirror.set_snapshots(turn.name, tuple(dict.fromkeys(saved.name for saved in found)))
    return found
