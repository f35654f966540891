"""Every workload runs, small: what it measures is told by ``python -m tests.benchmarks``, never asserted."""

from __future__ import annotations

import pytest

from . import asyncio_engine, costs, measure, node_engine, scaling

pytestmark = pytest.mark.serial

_SMALL = {"ring": 1_500, "fan": 1_000}


@pytest.mark.parametrize("engine", [node_engine.ENGINE, asyncio_engine.ENGINE], ids=["node", "asyncio"])
def test_every_workload_runs(engine):
    assert set(engine) <= set(measure.WORKLOADS)
    for name, run in engine.items():
        assert run(_SMALL.get(name, 20)) is not None, name


def test_the_costs_are_measured_on_calls_that_answer():
    for workload, with_it, without in costs.CASES.values():
        assert with_it().run_function(workload, 10) >= 0 <= without().run_function(workload, 10)
    assert min(costs.replayed()) > 0


@pytest.mark.parametrize("name", [*scaling.CASES, *scaling.OF_A_NODE])
def test_every_case_of_growth_does_its_work(name):
    assert scaling.measure(name, 12) >= 0


def test_idle_processes_start_take_messages_and_stop():
    assert next(scaling.idle(2_000)).startswith("2,000 idle processes")
