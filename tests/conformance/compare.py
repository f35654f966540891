"""Compares what was observed with what was recorded, as FORMAT.md says in its section 8."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .terms import text_of

Observation = dict[str, Any]


def differences(expected: Observation, actual: Observation) -> list[str]:
    """The parts of an observation that differ: any of ret, log, order, exits, node_down."""
    found: list[str] = []
    if expected.get("node_down", False) != actual.get("node_down", False):
        found.append("node_down")
    if not expected.get("node_down"):
        if expected.get("ret") != actual.get("ret"):
            found.append("ret")
        if sorted(actual.get("exits", []), key=text_of) != expected.get("exits", []):
            found.append("exits")
    problem = _log_problem(expected, actual.get("log", []))
    return found if problem is None else [*found, problem]


def _log_problem(expected: Observation, log: list[Any]) -> str | None:
    position = {key: index for index, key in enumerate(numbered(log))}
    wanted = numbered(expected.get("log", []))
    if set(wanted) != set(position):
        return "log"
    places = [position[key] for key in wanted]
    order = expected.get("order", "total")
    if order == "total":
        return None if places == sorted(places) else "order"
    return None if all(places[first] < places[second] for first, second in order) else "order"


def numbered(events: list[Any]) -> list[tuple[str, int]]:
    """Each event's text with how many equal ones came before it."""
    seen: Counter[str] = Counter()
    keys = []
    for event in events:
        text = text_of(event)
        keys.append((text, seen[text]))
        seen[text] += 1
    return keys
