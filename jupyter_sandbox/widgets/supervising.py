"""The state of a supervisor in words: flags and children, of the record that ``sys:get_state`` gives. Pure.

The record comes out of a sandbox, so nothing is taken for granted about what is
in it: whatever does not look like a supervisor's stays what it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model.data import Record
from .story import Card

STATE = "jupyter_sandbox.otp.restart_terms.State"
_MOST = 50
"""Children that are told; of more there is the number."""


def supervisor_card(name: str, state: object) -> object:
    """A card of a supervisor's state, whose ``subject`` is the record; any other state as it is.

    >>> supervisor_card("front", 42)
    42
    """
    if not isinstance(state, Record) or state.type_name != STATE:
        return state
    flags, entries = state.fields.get("flags"), state.fields.get("entries")
    if not isinstance(flags, Record) or not isinstance(entries, Mapping):
        return state
    facts: list[tuple[str, object]] = [
        ("strategy", _field(flags, "strategy")),
        ("restarts", f"at most {_field(flags, 'intensity')} in {_field(flags, 'period_s')} s"),
        ("auto_shutdown", _field(flags, "auto_shutdown")),
        ("children", len(entries)),
    ]
    facts += [(f"  {id}", _child(entry)) for id, entry in list(entries.items())[:_MOST]]
    return Card(f"supervisor {name}", facts, state)


def _child(entry: object) -> str:
    child = _field(entry, "child")
    pid = _field(entry, "pid")
    runs = "being restarted" if _field(entry, "restarting") is True else "stopped" if pid is None else str(pid)
    modules = _field(child, "modules")
    what = ", ".join(map(str, modules)) if isinstance(modules, list | tuple) else str(modules)
    parts = [runs, what, str(_field(child, "restart"))]
    restarts = _field(entry, "restarts")
    return " · ".join([*parts, f"↻ {restarts}"] if restarts else parts)


def _field(record: object, name: str) -> object:
    return record.fields.get(name) if isinstance(record, Record) else None
