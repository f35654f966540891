"""Turns many runs of a scenario into one recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..files import Scenario
from .machine import Machine, Policy, text
from .orders import order

Observed = dict[str, Any]

TOGETHER = 250
"""Jobs that share a virtual machine."""


class Unsteady(Exception):
    """The runs of a scenario do not agree: it is no rule but a race, or it did not come to its end."""


def record(machine: Machine, scenarios: list[Scenario], chances: int) -> Iterator[tuple[Scenario, Observed | Unsteady]]:
    """What each scenario comes to: observations with the order that all runs share.

    Runs are one as it comes, ``chances`` in which anybody may be late, and one with each process late.
    """
    plain = _runs(machine, [(scenario, "plain") for scenario in scenarios])
    jobs = [
        (scenario, policy) for scenario, run in zip(scenarios, plain, strict=True) for policy in _policies(run, chances)
    ]
    found: dict[str, list[Observed | None]] = {one["id"]: [run] for one, run in zip(scenarios, plain, strict=True)}
    for (scenario, _), run in zip(jobs, _runs(machine, jobs), strict=True):
        found[scenario["id"]].append(run)
    for scenario in scenarios:
        try:
            yield scenario, merged(scenario, found[scenario["id"]])
        except Unsteady as unsteady:
            yield scenario, unsteady


def _policies(plain: Observed | None, chances: int) -> list[Policy]:
    """Who is to be late in the other runs: anybody, and each process that logged something."""
    if plain is None:
        return []
    return [*range(chances), *sorted({event["p"] for op in plain["ops"] for event in op.get("log", ())})]


def _runs(machine: Machine, jobs: list[tuple[Scenario, Policy]]) -> list[Observed | None]:
    found: list[Observed | None] = [None] * len(jobs)
    alone = [number for number, (scenario, _) in enumerate(jobs) if _needs_a_machine_of_its_own(scenario)]
    others = [number for number in range(len(jobs)) if number not in set(alone)]
    batches = [others[start : start + TOGETHER] for start in range(0, len(others), TOGETHER)]
    for batch in [*batches, *([number] for number in alone)]:
        runs = machine.run([(jobs[number][0]["ops"], jobs[number][1]) for number in batch])
        for number, run in zip(batch, runs, strict=True):
            found[number] = run
    return found


def _needs_a_machine_of_its_own(scenario: Scenario) -> bool:
    return bool(scenario.get("node")) or any(op["cmd"].startswith(("app_", "node_")) for op in scenario["ops"])


def merged(scenario: Scenario, runs: list[Observed | None]) -> Observed:
    """One recording of runs that agree in everything but the order of the log; raises Unsteady if they do not."""
    ended = [run for run in runs if run is not None]
    if len(ended) < len(runs):
        raise Unsteady("a run did not end")
    if len({text(_unordered(run)) for run in ended}) > 1:
        raise Unsteady("the runs differ")
    ops = []
    if len(ended[0]["ops"]) < len(scenario["ops"]):
        raise Unsteady("the node went down before the last op")
    for number, op in enumerate(ended[0]["ops"]):
        found = order([run["ops"][number].get("log", []) for run in ended])
        ops.append(op if found is None else op | {"order": found})
    return ended[0] | {"ops": ops}


def _unordered(run: Observed) -> Observed:
    return run | {"ops": [op | {"log": sorted(op.get("log", ()), key=text)} for op in run["ops"]]}
