"""Frozen answers of the manager's operations that the wire has no form for."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.errors import Diagnostic
from ..model.views import ModuleVersion, StepView


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load changed. ``moved`` counts processes that went on in the new code with their state."""

    versions: tuple[ModuleVersion, ...]
    moved: int
    diff: str
    elapsed_ms: float
    modules: tuple[str, ...] = ()
    """The modules that were loaded, in order."""
    main: str = ""
    """The class that can only be meant by a start, if there is one."""
    warnings: tuple[Diagnostic, ...] = ()
    """What the compiler and the check of callbacks found odd, but let pass."""
    kept: tuple[str, ...] = ()
    """What processes, tables or timers still hold of the old code, in words: it could not be copied. And what code
    had changed in modules, which began anew."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """Steps taken while paused; ``waiting`` says why there were fewer than asked: '' · idle · limit."""

    steps: tuple[StepView, ...]
    step: int
    waiting: str = ""
