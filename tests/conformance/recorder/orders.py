"""Which part of an op's log holds in every run: what is listed as ``order`` is cause and effect."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from ..compare import numbered

Log = list[dict[str, Any]]


def order(logs: list[Log]) -> Any:
    """``total``, or the pairs of indices of the first log whose order all logs share; None if there is no question."""
    first = logs[0]
    if len(first) < 2:
        return None
    keys = numbered(first)
    places = [{key: place for place, key in enumerate(numbered(log))} for log in logs]
    before = {
        (one, other)
        for one, other in combinations(range(len(first)), 2)
        if all(place[keys[one]] < place[keys[other]] for place in places)
        and not (_tells_of_an_end(first[one], first[other]))
    }
    if len(before) == len(first) * (len(first) - 1) // 2:
        return "total"
    return sorted(_without_consequences(before))


def _tells_of_an_end(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Exit and DOWN messages of one mailbox are never ordered among each other."""
    return one["p"] == other["p"] and _is_end(one) and _is_end(other)


def _is_end(event: dict[str, Any]) -> bool:
    match event.get("msg", event.get("content")):
        case {"tuple": ["EXIT" | "DOWN", *_]}:
            return True
    return False


def _without_consequences(before: set[tuple[int, int]]) -> Iterator[list[int]]:
    after: dict[int, set[int]] = {}
    for one, other in before:
        after.setdefault(one, set()).add(other)
    for one, other in before:
        if not any((between, other) in before for between in after[one]):
            yield [one, other]
