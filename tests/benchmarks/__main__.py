"""``python -m tests.benchmarks node|costs|scaling [workload ...] [--rounds N]``."""

from __future__ import annotations

import argparse
from itertools import chain

from . import compare, costs, scaling
from .measure import WORKLOADS


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("what", choices=["node", "costs", "scaling"])
    parser.add_argument("workloads", nargs="*", metavar="workload")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.what == "costs":
        lines = costs.report(options.rounds)
    elif options.what == "scaling":
        lines = chain(scaling.report(options.workloads), scaling.idle())
    else:
        names = options.workloads or list(WORKLOADS)
        with compare.engines() as commands:
            for line in compare.compare(names, options.rounds, commands):
                print(line, flush=True)
        return
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
