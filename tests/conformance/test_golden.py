"""Every recorded scenario of Erlang/OTP, run on an in-process node: one test per group."""

from __future__ import annotations

from pathlib import Path

import pytest

from .runner import failures, scenarios, told

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.jsonl"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_scenario_of_the_group_is_observed_as_erlang_recorded_it(path: Path) -> None:
    failed = {scenario["id"]: told(scenario, found) for scenario in scenarios(path) if (found := failures(scenario))}

    assert not failed, f"{len(failed)} scenarios differ: {', '.join(failed)}\n" + "\n".join(failed.values())[:20_000]


def test_the_golden_files_hold_all_scenarios_once() -> None:
    ids = [scenario["id"] for path in FILES for scenario in scenarios(path)]

    assert len(ids) == len(set(ids)) == 891
