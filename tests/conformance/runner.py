"""Runs scenarios and puts what differs side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .compare import differences
from .driver import Arm, NodeArm
from .files import Broken, Scenario, read
from .patience import OutOfTime, at_most
from .sandboxed import SandboxArm
from .vocabulary import unknown_words

Failure = tuple[str, Any, Any, str]
"""Where (an op with its number, or ``final``), expected, actual, what differs."""

ARMS: dict[str, Callable[[], Arm]] = {"node": NodeArm, "sandbox": SandboxArm}
LIMIT_S = 60.0
"""How long one scenario may take. They take milliseconds; this is for those that never end."""


def scenarios(path: Path) -> Iterator[Scenario]:
    """The scenarios of a file that has nothing broken in it; raises ValueError otherwise."""
    for found in read(path):
        if isinstance(found, Broken):
            raise ValueError(str(found))
        yield found


def failures(scenario: Scenario, arm: Arm, limit_s: float = LIMIT_S) -> list[Failure]:
    """Every difference of one scenario, none if it passes. Whatever goes wrong on the way is a difference, too."""
    unknown = list(_unknown(scenario))
    if unknown:
        return unknown
    try:
        with at_most(limit_s):
            found, final = arm.run(scenario["ops"])
        return list(_failures(scenario, found, final))
    except OutOfTime as error:
        return [("run", "an observation per op", str(error), "time limit")]
    except Exception as error:  # a scenario that cannot even be run is a failed one, whatever is wrong with it
        return [("run", "an observation per op", f"{type(error).__name__}: {error}", "runner")]


def _unknown(scenario: Scenario) -> Iterator[Failure]:
    """Ops that say something this runner does not know. They are not run: what they would do means nothing."""
    for number, (op, wanted) in enumerate(zip(scenario["ops"], scenario["expected"]["ops"], strict=True)):
        words = unknown_words(op)
        if words:
            yield f"op {number} {json.dumps(op)}", wanted, {"unsupported": words}, "unknown to this runner"


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
    lines = [f"{scenario['id']} ({scenario.get('rule', 'no rule')}): {scenario.get('title', '')}"]
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
