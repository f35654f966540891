"""How a process looks: one glyph, one word and one colour per status. Never colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.views import ProcessView


@dataclass(frozen=True, slots=True)
class Look:
    """Glyph and colour of one status. The colours have a contrast of at least 3:1 on white and on near black."""

    glyph: str
    word: str
    colour: str
    symbol: str
    """The marker of plotly that comes nearest to the glyph."""


LOOKS = {
    "running": Look("●", "running", "#2e9e5b", "circle"),
    "waiting": Look("◌", "waiting", "#3b82d6", "circle-open"),
    "suspended": Look("‖", "suspended", "#b7791f", "square"),
    "restarting": Look("↻", "restarting", "#c2571a", "diamond"),
    "stopped": Look("○", "stopped", "#808690", "circle-open-dot"),
    "exiting": Look("✕", "exiting", "#d64545", "x"),
}
_UNKNOWN = Look("?", "unknown", "#808690", "circle-x-open")


def look(status: str) -> Look:
    """The look of a status; an unknown one gets a question mark.

    >>> look("suspended").glyph
    '‖'
    """
    return LOOKS.get(status, _UNKNOWN)


def details(process: ProcessView) -> str:
    """What stands behind the name: behaviour, strategy of a supervisor, state of anything else."""
    parts = [short_behaviour(process.behaviour), process.strategy or process.state]
    return " · ".join(part for part in parts if part)


def budget(process: ProcessView) -> str:
    """``2 of 3 restarts left in 5 s``; empty for anything but a supervisor."""
    if process.budget is None or process.budget_left is None:
        return ""
    return f"{process.budget_left} of {process.budget} restarts left in {process.period_s} s"


def badges(process: ProcessView) -> str:
    """``queue 3 · ↻ 1``: what deserves attention, else nothing; for a supervisor also what is left of its budget."""
    parts = [f"{process.budget_left} of {process.budget} left"] if budget(process) else []
    return " · ".join([*parts, *filter(None, [queue_and_restarts(process)])])


def queue_and_restarts(process: ProcessView) -> str:
    """``queue 3 · ↻ 1``."""
    parts = [f"queue {process.queue}"] if process.queue else []
    parts += [f"↻ {process.restarts}"] if process.restarts else []
    return " · ".join(parts)


def short_behaviour(behaviour: str) -> str:
    """The class without its module: ``counter.Counter`` → ``Counter``."""
    return behaviour.rpartition(".")[2] or behaviour
