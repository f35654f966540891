"""``python -m tests.conformance FILE… [--arm node|sandbox]``: run scenario files and say what differs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .driver import Arm
from .files import Broken, read
from .runner import ARMS, LIMIT_S, failures, told


def main(arguments: list[str] | None = None) -> int:
    """Run the files; 0 when there are scenarios and all of them pass. What cannot be read counts as failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--arm", choices=sorted(ARMS), default="node")
    parser.add_argument("--id", action="append", default=[], help="only the scenarios with these ids")
    parser.add_argument("--brief", action="store_true", help="only the ids of the scenarios that fail")
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="S", help="seconds that a scenario may take")
    options = parser.parse_args(arguments)
    if not options.limit > 0:
        parser.error("--limit takes a number of seconds above 0")
    missing = set(options.id)
    passed = failed = 0
    with ARMS[options.arm]() as arm:
        for path in options.files:
            for found in read(path):
                if isinstance(found, dict) and options.id and found["id"] not in options.id:
                    continue
                if isinstance(found, dict):
                    missing.discard(found["id"])
                problem = _problem(found, arm, options)
                passed, failed = (passed + 1, failed) if problem is None else (passed, failed + 1)
                if problem is not None:
                    print(problem, flush=True)
    for name in sorted(missing):
        print(f"--id {name}: no file holds this scenario")
    print(f"{passed} passed, {failed + len(missing)} failed")
    return 1 if failed or missing else 0


def _problem(found: dict[str, Any] | Broken, arm: Arm, options: argparse.Namespace) -> str | None:
    """What is to be told of a scenario that fails or cannot be read."""
    if isinstance(found, Broken):
        return str(found)
    wrong = failures(found, arm, options.limit)
    if not wrong:
        return None
    return f"{found['id']} {found.get('title', '')}" if options.brief else told(found, wrong)


if __name__ == "__main__":
    sys.exit(main())
