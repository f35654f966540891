"""What a sandbox is made of: what all its guests have in common, and what is started in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..model.boot import Boot
from ..model.flavour import Flavour
from ..model.limits import Limits
from ..model.openings import Openings


@dataclass(frozen=True, slots=True)
class Spec:
    """What every guest of a sandbox is made with. ``env`` is pickled, for the application's environment."""

    seed: int
    clock: str = "real"
    isolation: str = "copy"
    flavour: Flavour = field(default_factory=Flavour)
    profile: str = ""
    openings: Openings = field(default_factory=Openings)
    env: bytes = b""
    dependencies: tuple[str, ...] = ()
    capture: frozenset[str] | None = None

    def boot(self, name: str, limits: Limits) -> Boot:
        """What a guest of the sandbox ``name`` begins with."""
        return Boot(
            name=name, seed=self.seed, limits=limits, clock=self.clock, isolation=self.isolation,
            profile=self.profile, openings=self.openings,
            capture=None if self.capture is None else tuple(sorted(self.capture)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Main:
    """What was started: ``module.Class`` and its pickled arguments."""

    name: str
    args: bytes = b""
