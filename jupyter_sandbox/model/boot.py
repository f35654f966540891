"""Everything a new guest is told before its first frame."""

from __future__ import annotations

from dataclasses import dataclass, field

from .limits import Limits
from .openings import Openings


@dataclass(frozen=True, slots=True)
class Boot:
    """Configuration of one guest. ``clock`` is real or virtual, ``isolation`` copy or share (of messages)."""

    name: str
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    sys_path: tuple[str, ...] = ()
    clock: str = "real"
    isolation: str = "copy"
    profile: str = ""
    """off, basic, standard or strict; nothing: the best that this machine has."""
    openings: Openings = field(default_factory=Openings)
    scratch: str = ""
    """A folder of its own that is the working directory of the guest."""
    spare: bool = False
    """It is made before it is needed: it rehearses, since there is time, and gets its real configuration by Begin."""
    capture: tuple[str, ...] | None = None
    """Kinds of events to tell; None: all that are told anyway. Messages and states are only told when named here."""
