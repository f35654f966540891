"""``python -m tests.benchmarks node|costs|scaling|creation|frames|watching [workload ...] [--rounds N]``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import chain

from . import compare, costs, creation, frames, scaling, watching
from .measure import WORKLOADS


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("what", choices=["node", "costs", "scaling", "creation", "frames", "watching"])
    parser.add_argument("workloads", nargs="*", metavar="workload")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.what == "node":
        names = options.workloads or list(WORKLOADS)
        with compare.engines() as commands:
            for line in compare.compare(names, options.rounds, commands):
                print(line, flush=True)
        return
    for line in _lines(options.what, options.workloads, options.rounds):
        print(line, flush=True)


def _lines(what: str, cases: list[str], rounds: int) -> Iterable[str]:
    match what:
        case "scaling":
            return chain(scaling.report(cases), scaling.idle())
        case "costs":
            return costs.report(rounds)
        case "creation":
            return creation.report(creation.measure(rounds))
        case "frames":
            return frames.report(rounds)
        case _:
            return watching.report(rounds)


if __name__ == "__main__":
    main()
