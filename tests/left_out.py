"""What CI may leave out: what its machine cannot have or its user may not do. Any other skip there is a failure.

A skip that nobody expects is how a test stops without a word: a package that is not installed any more, a layer that
this Linux lost. Outside CI it stays a skip.
"""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

AnyReport = TypeVar("AnyReport", pytest.TestReport, pytest.CollectReport)

MAY_LACK = (
    "this is root already", "only root can become another user", "only root can ask for the size",
    "an ordinary user has none",
    "sudo does not make this user root", "of x86",
    "this Linux does not count it",
)  # fmt: skip
"""Parts of reasons. Who CI runs as and on which processor is the choice of whoever runs it."""


def judge(report: AnyReport) -> AnyReport:
    """The report, failed when it is a skip that CI may not have."""
    if not (os.environ.get("CI") and report.skipped) or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(part in reason for part in MAY_LACK):
        report.outcome = "failed"
        report.longrepr = f"{reason}; CI leaves out only what tests/left_out.py names: install it, or name it there"
    return report
