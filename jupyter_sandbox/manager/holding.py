"""What the parts of ``Sandbox`` stand on: the sandbox in its manager, and the loop it is asked through."""

from __future__ import annotations

from .loop import ManagerLoop
from .unit import Unit


class Holding:
    """Holds a sandbox for whoever is in the OS process that made it."""

    def __init__(self, unit: Unit, loop: ManagerLoop) -> None:
        self._held, self._loop = unit, loop

    @property
    def _unit(self) -> Unit:
        """Raises SandboxGone in a fork of the kernel: what is known there of it would only look true."""
        self._loop.must_be_here()
        return self._held
