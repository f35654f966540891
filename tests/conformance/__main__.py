"""``python -m tests.conformance FILE… [--arm node|sandbox]``: run scenario files and say what differs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .runner import ARMS, failures, scenarios, told


def main(arguments: list[str] | None = None) -> int:
    """Run the files; 0 when all scenarios pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--arm", choices=sorted(ARMS), default="node")
    parser.add_argument("--id", action="append", default=[], help="only the scenarios with these ids")
    parser.add_argument("--brief", action="store_true", help="only the ids of the scenarios that fail")
    options = parser.parse_args(arguments)
    passed = failed = 0
    with ARMS[options.arm]() as arm:
        for path in options.files:
            for scenario in scenarios(path):
                if options.id and scenario["id"] not in options.id:
                    continue
                found = failures(scenario, arm)
                passed, failed = (passed, failed + 1) if found else (passed + 1, failed)
                if found:
                    print(scenario["id"], scenario["title"]) if options.brief else print(told(scenario, found))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
