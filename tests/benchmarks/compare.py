"""Runs engines in turn, A B C A B C, each in an OS process of its own, and prints medians and ratios."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .measure import WORKLOADS

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_TIMEOUT_S = 120

Commands = dict[str, list[str]]


@contextmanager
def engines() -> Iterator[Commands]:
    """What to run for each engine; BEAM only where it is installed."""
    commands = {
        "node": [sys.executable, "-m", "tests.benchmarks.node_engine"],
        "asyncio": [sys.executable, "-m", "tests.benchmarks.asyncio_engine"],
    }
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("erl") and shutil.which("erlc"):
            subprocess.run(["erlc", "-o", folder, str(_HERE / "otp_engine.erl")], check=True)
            erl = ["erl", "-noshell", "+S", "1:1", "+sbwt", "none", "+P", "1000000", "-pa", folder]
            commands["BEAM"] = [*erl, "-run", "otp_engine", "main"]
        yield commands


def compare(names: list[str], rounds: int, commands: Commands) -> Iterator[str]:
    """One line per workload: the median of each engine and how the node compares."""
    yield f"{'workload':<14}{'unit':<7}" + "".join(f"{name:>12}" for name in commands) + "   node is"
    for name in names:
        found: dict[str, list[float]] = {engine: [] for engine in commands}
        for _ in range(rounds):
            for engine, command in commands.items():
                value = once(command, name)
                if value is not None:
                    found[engine].append(value)
        yield _line(name, {engine: statistics.median(values) for engine, values in found.items() if values}, commands)


def once(command: list[str], workload: str) -> float | None:
    """The figure of one run; None when the engine has no such workload."""
    done = subprocess.run(
        [*command, workload], capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=_ROOT, check=True, env=os.environ
    )
    value = json.loads(done.stdout.strip().splitlines()[-1])["figure"]
    return None if value is None else float(value)


def _line(name: str, medians: dict[str, float], commands: Commands) -> str:
    workload = WORKLOADS[name]
    shown = [_shown(medians[engine], workload.unit) if engine in medians else "-" for engine in commands]
    cells = "".join(f"{text:>12}" for text in shown)
    ours = medians["node"]
    ratios = [
        f"{ours / other if workload.unit == 'rate' else other / ours:.2f} x {engine}"
        for engine, other in medians.items()
        if engine != "node"
    ]
    return f"{name:<14}{'per s' if workload.unit == 'rate' else workload.unit:<7}{cells}   {', '.join(ratios)}"


def _shown(value: float, unit: str) -> str:
    return f"{value:,.0f}" if unit in ("rate", "bytes") else f"{value:,.1f}"
