"""Changes the limits of a sandbox while it runs: at once, wherever the operating system lets us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.errors import ProcessError, SandboxBusy, SandboxError, SandboxGone
from ..model.limits import Limits
from ..model.sandbox import NoticeTold
from ..wire.messages import Done, SetLimits
from .handle import GuestHandle

if TYPE_CHECKING:
    from .unit import Unit

HEARD_S = 0.5
"""How long a guest may take to say that it counts by the new limits."""
_INSIDE = "max_processes and max_mailbox"


async def change_limits(unit: Unit, limits: Limits) -> None:
    """From now on these limits count; what cannot be moved in the running guest is told as a notice.

    Processes and mailboxes are counted inside. That a guest is too busy to say that it does so is told likewise;
    ProcessError says that it refused.
    """
    unit.voice.heard_by_caller()
    unit.limits, guest = limits, unit.guest
    unit.watch_anew()
    if guest is not None:
        _move_outside(unit, guest)
    unit.announce()
    if guest is not None:
        await _move_inside(unit, guest, limits)


def catch_up(unit: Unit, guest: GuestHandle) -> None:
    """A guest that takes over was launched with the limits of then, and they may have been changed meanwhile."""
    if guest.limits != unit.limits:
        _move_outside(unit, guest)
        guest.tell(lambda number: SetLimits(id=number, limits=unit.limits))


def _move_outside(unit: Unit, guest: GuestHandle) -> None:
    before, limits = guest.limits, unit.limits
    guest.limits = limits
    for name in guest.limit(limits):
        if getattr(limits, name) != getattr(before, name):  # else it has been told
            text = f"{_from_restart(name, limits)} from the next restart on: %sandbox restart {unit.name}"
            unit.voice.tell(NoticeTold(unit.name, "warning", text))


def _from_restart(name: str, limits: Limits) -> str:
    """What of a limit does not count yet, because the operating system lets nobody raise it now."""
    if name == "max_memory":
        return f"max_memory of {limits.max_memory / 1e6:g} MB counts in full"
    return f"max_runtime of {limits.max_runtime / 1000:g} s counts, but for the processor time within it only"


async def _move_inside(unit: Unit, guest: GuestHandle, limits: Limits) -> None:
    try:
        await guest.ask(lambda number: SetLimits(id=number, limits=limits), Done, HEARD_S)
    except SandboxGone:
        return  # the next guest begins with them
    except SandboxBusy as busy:
        text = f"{_INSIDE} are counted inside, and {busy}: there they count from the end of its callback on"
        unit.voice.tell(NoticeTold(unit.name, "warning", text))
    except SandboxError as error:
        raise ProcessError(
            f"sandbox {unit.name!r} does not take {_INSIDE}, which are counted inside ({error}); the other limits "
            f"count. Begin afresh with %sandbox restart {unit.name}"
        ) from None
