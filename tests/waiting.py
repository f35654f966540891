"""Waiting for a fact that nobody announces: of the operating system, mostly. Whatever is told is waited for as told."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    true: Callable[[], bool], otherwise: str | Callable[[], str] = "it did not come true", *, within_s: float = 60.0
) -> None:  # fmt: skip
    """Look again and again until it is true; fails with ``otherwise``, or what that says then."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, otherwise if isinstance(otherwise, str) else otherwise()
        time.sleep(0.01)
