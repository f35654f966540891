"""A told guest on a Linux whose Landlock does not confine signals."""

from __future__ import annotations

import importlib
from typing import Any

from jupyter_sandbox.isolation import landlock

OLDER = 5


class Older:
    """Made in the zygote."""

    def __init__(self) -> None:
        landlock.version = lambda: OLDER

    def __call__(self, *given: Any) -> int:
        told = importlib.import_module("told_guest")
        return int(told.run(*given))
