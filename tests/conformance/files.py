"""Reads scenario files. What cannot be read is told in one line that names the file and the line, never raised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Scenario = dict[str, Any]

_NEEDED: dict[str, type] = {"id": str, "ops": list, "expected": dict}


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is no scenario: where, and what is wrong with it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def read(path: Path) -> Iterator[Scenario | Broken]:
    """The scenarios of one file, in order, with what is broken in between."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        yield Broken(str(path), f"is no text in UTF-8: {error.reason} at byte {error.start}")
        return
    except OSError as error:
        yield Broken(str(path), f"cannot be read: {error.strerror or error}")
        return
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        yield Broken(str(path), "holds no scenario")
    for number, line in lines:
        yield _scenario(f"{path}:{number}", line)


def _scenario(where: str, line: str) -> Scenario | Broken:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Broken(where, f"is no JSON: {error}")
    if not isinstance(found, dict):
        return Broken(where, f"is no scenario but a {type(found).__name__}")
    for field, kind in _NEEDED.items():
        if not isinstance(found.get(field), kind):
            return Broken(where, f"has no {field} of type {kind.__name__}: {found.get('id', 'without an id')}")
    expected = found["expected"].get("ops")
    if not isinstance(expected, list) or not all(isinstance(one, dict) for one in expected):
        return Broken(where, f"has no list of expected observations: {found['id']}")
    if len(expected) != len(found["ops"]):
        return Broken(where, f"expects {len(expected)} observations of {len(found['ops'])} ops: {found['id']}")
    return found
