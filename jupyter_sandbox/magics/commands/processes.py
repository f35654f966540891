"""Verbs that act on processes. What each does is said in the table of verbs."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.ids import Pid
from ...model.sandbox import SandboxStatus
from ...widgets.story import Lines
from ...widgets.supervising import supervisor_card
from ...widgets.table import Column, Table
from ..turn import Turn

CHILDREN: tuple[Column[Sequence[object]], ...] = (
    Column("id", lambda child: child[0]),
    Column("pid", lambda child: child[1]),
    Column("type", lambda child: child[2]),
    Column("modules", lambda child: ", ".join(map(str, child[3])) if isinstance(child[3], list | tuple) else child[3]),
)


def call(turn: Turn) -> object:
    timeout_ms = turn.given.number("timeout", 5_000)
    return turn.sandbox.call(turn.given.text("TARGET"), turn.value("REQUEST"), timeout_ms=timeout_ms)


def cast(turn: Turn) -> Lines | None:
    turn.sandbox.cast(turn.given.text("TARGET"), turn.value("REQUEST"))
    return _queued(turn)


def send(turn: Turn) -> Lines | None:
    turn.sandbox.send(turn.given.text("TARGET"), turn.value("REQUEST"))
    return _queued(turn)


def _queued(turn: Turn) -> Lines | None:
    """Nothing to say when the message is handled at once; while nothing runs, what it waits for."""
    if turn.sandbox.status is not SandboxStatus.PAUSED:
        return None
    return _done(turn, f"it waits in the mailbox, as {turn.name} is paused", f"step {turn.name}")


def spawn(turn: Turn) -> Pid | str:
    told = turn.sandbox.spawn(turn.given.text("FUNCTION"), *turn.values("ARGS"), name=turn.given.option("name"))
    return Pid.parse(str(told)) or str(told)


def kill(turn: Turn) -> Lines:
    target, reason = turn.given.text("TARGET"), turn.given.option("reason") or "kill"
    turn.sandbox.kill(target, reason=reason)
    follow_up = f"step {turn.name}" if turn.sandbox.status is SandboxStatus.PAUSED else f"why {turn.name} {target}"
    return _done(turn, f"{target} was told to exit: {reason}", follow_up)


def suspend(turn: Turn) -> Lines:
    target = turn.given.text("TARGET")
    turn.sandbox.suspend(target)
    return _done(turn, f"{target} is suspended", f"unsuspend {turn.name} {target}")


def unsuspend(turn: Turn) -> Lines:
    target = turn.given.text("TARGET")
    turn.sandbox.unsuspend(target)
    return Lines([f"{target} goes on"])


def state(turn: Turn) -> object:
    """The state itself; of a supervisor a card that tells it, with the state as its ``subject``."""
    target = turn.given.text("TARGET")
    return supervisor_card(target, turn.sandbox.state(target, cut=True))


def set_state(turn: Turn) -> object:
    return turn.sandbox.set_state(turn.given.text("TARGET"), turn.value("STATE"))


def children(turn: Turn) -> Table[Sequence[object]]:
    target = turn.given.text("SUPERVISOR")
    found = turn.sandbox.children(target)
    rows = found if isinstance(found, list) else []
    return Table(rows, CHILDREN, empty=f"{target} has no children")


def restart_child(turn: Turn) -> object:
    return turn.sandbox.restart_child(turn.given.text("SUPERVISOR"), turn.given.text("CHILD"))


def terminate_child(turn: Turn) -> Lines:
    above, child = turn.given.text("SUPERVISOR"), turn.given.text("CHILD")
    turn.sandbox.terminate_child(above, child)
    return _done(turn, f"{child} is stopped", f"restart-child {turn.name} {above} {child}")


def _done(turn: Turn, text: str, follow_up: str) -> Lines:
    return Lines([f"{text}; next: %sandbox {follow_up}"])
