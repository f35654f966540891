"""Runs scenarios and puts what differs side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .compare import differences
from .driver import Arm, NodeArm
from .sandboxed import SandboxArm

Scenario = dict[str, Any]
Failure = tuple[str, Any, Any, str]
"""Where (an op with its number, or ``final``), expected, actual, what differs."""

ARMS: dict[str, Callable[[], Arm]] = {"node": NodeArm, "sandbox": SandboxArm}


def scenarios(path: Path) -> Iterator[Scenario]:
    """The scenarios of one file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def failures(scenario: Scenario, arm: Arm) -> list[Failure]:
    """Every difference of one scenario, none if it passes. Whatever goes wrong on the way is a difference, too."""
    try:
        found, final = arm.run(scenario["ops"])
        return list(_failures(scenario, found, final))
    except Exception as error:  # a scenario that cannot even be run is a failed one, whatever is wrong with it
        return [("run", "an observation per op", f"{type(error).__name__}: {error}", "runner")]


def _failures(scenario: Scenario, observed: list[Any], final: Any) -> Iterator[Failure]:
    expected = scenario["expected"]
    together = zip(scenario["ops"], expected["ops"], observed, strict=True)
    for number, (op, wanted, found) in enumerate(together):
        wrong = differences(wanted, found)
        if wrong:
            yield f"op {number} {json.dumps(op)}", wanted, found, ", ".join(wrong)
    if "final" in expected and final != expected["final"]:
        yield "final", expected["final"], final, "final"


def told(scenario: Scenario, found: list[Failure]) -> str:
    """A failed scenario in words: expected and actual under each other, part by part."""
    lines = [f"{scenario['id']} ({scenario['rule']}): {scenario['title']}"]
    for where, expected, actual, what in found:
        lines.append(f"  {where}  [{what}]")
        lines.extend(f"    {line}" for line in _beside(expected, actual))
    return "\n".join(lines)


def _beside(expected: Any, actual: Any) -> Iterator[str]:
    if not (isinstance(expected, dict) and isinstance(actual, dict)):
        yield f"expected {json.dumps(expected)}"
        yield f"actual   {json.dumps(actual)}"
        return
    for key in sorted({*expected, *actual} - {"order"}):
        if expected.get(key) != actual.get(key):
            yield f"{key} expected {json.dumps(expected.get(key), sort_keys=True)}"
            yield f"{key} actual   {json.dumps(actual.get(key), sort_keys=True)}"
    if "order" in expected and expected["order"] != "total":
        yield f"order expected {json.dumps(expected['order'])}"
