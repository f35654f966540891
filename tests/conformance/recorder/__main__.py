"""``python -m tests.conformance.recorder FILE… [--check | --out FILE]``: record scenarios with a real Erlang/OTP."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from ..compare import differences
from ..files import Broken, Scenario, read
from .machine import Machine
from .record import Observed, Unsteady, record


def main(arguments: list[str] | None = None) -> int:
    """Record the files' scenarios; with ``--check``, say which of their recordings Erlang does not repeat."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.recorder", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--check", action="store_true", help="compare with what the files expect")
    parser.add_argument("--out", type=argparse.FileType("w"), default=sys.stdout, help="where the recordings go")
    parser.add_argument("--chances", type=int, default=8, help="runs in which anybody may be late")
    options = parser.parse_args(arguments)
    scenarios = [found for path in options.files for found in read(path) if not isinstance(found, Broken)]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for scenario, observed in record(Machine(Path(folder)), scenarios, options.chances):
            if isinstance(observed, Unsteady):
                problem = str(observed)
            else:
                problem = _checked(scenario, observed) if options.check else _written(options.out, scenario, observed)
            if problem:
                wrong += 1
                print(f"{scenario['id']}: {problem}", file=sys.stderr)
    print(f"{len(scenarios) - wrong} of {len(scenarios)}", file=sys.stderr)
    return 1 if wrong else 0


def _written(out: TextIO, scenario: Scenario, observed: Observed) -> str:
    out.write(json.dumps(scenario | {"expected": observed}, separators=(",", ":")) + "\n")
    return ""


def _checked(scenario: Scenario, observed: Observed) -> str:
    expected = scenario["expected"]
    pairs = enumerate(zip(expected["ops"], observed["ops"], strict=True))
    found = [f"op {number}: {', '.join(wrong)}" for number, (one, other) in pairs if (wrong := differences(one, other))]
    if expected.get("final") != observed.get("final"):
        found.append("final")
    return "; ".join(found)


if __name__ == "__main__":
    sys.exit(main())
