"""What Python's own modules want to be done in every fork of an OS process, kept from the forks that guests are.

``random`` draws a seed, ``threading`` makes locks and ``logging`` too, for who
forks with threads at work. A zygote has one thread, and a guest's random state is
its sandbox's: all of this would only copy a hundred and more pages of memory into
each guest. A guest that may fork by itself asks for it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_WHOSE = frozenset({"random", "threading", "logging"})
_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
_held: list[dict[str, Callable[[], object]]] = []


def _hold(**wanted: Any) -> None:
    if {getattr(one, "__module__", "") for one in wanted.values()} <= _WHOSE:
        _held.append(wanted)
    elif _register is not None:
        _register(**wanted)


def hold_back() -> None:
    """From here to ``let_go``, before these modules are imported for the first time."""
    if _register is not None:
        os.register_at_fork = _hold


def let_go() -> None:
    """Whoever asks for something from here on gets it. Idempotent."""
    if _register is not None:
        os.register_at_fork = _register


def make_up() -> None:
    """Have everything done in forks of this OS process that was held back, once; for ``os.fork`` in a guest."""
    while _held and _register is not None:
        _register(**_held.pop(0))
