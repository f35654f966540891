"""Changes the limits of a sandbox while it runs: at once, wherever the operating system lets us."""

from __future__ import annotations

from ..model.limits import Limits
from ..wire.messages import SetLimits
from .unit import Unit


async def change_limits(unit: Unit, limits: Limits) -> None:
    """From now on these limits count; what cannot be moved in the running guest is told as an alert."""
    unit.voice.heard_by_caller()
    unit.limits, guest = limits, unit.guest
    unit.watch_anew()
    if guest is not None:
        if not guest.limit(limits):
            text = f"max_memory of {limits.max_memory / 1e6:g} MB and max_runtime of {limits.max_runtime / 1000:g} s"
            unit.voice.alert(
                "memory_limit", f"{text} count in full from the next restart on: %sandbox restart {unit.name}"
            )
        guest.tell(lambda number: SetLimits(id=number, limits=limits))
    unit.announce()
