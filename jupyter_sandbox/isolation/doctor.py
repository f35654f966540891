"""What this machine gives: a throw-away guest per profile, its report looked at from outside, told line by line."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Iterator

import msgspec

from ..model.boot import Boot
from ..model.errors import SandboxError
from ..model.openings import Openings
from ..model.platforms import what_is_less
from ..model.protection import Layer, Protection
from . import landlock
from .layers import SWITCH
from .profiles import lacking, why_missing
from .recheck import verify_from_outside
from .seclusion import seclude
from .zygote import Zygote

_PATIENCE_S = 20.0
_PRICE = (
    "while such a sandbox lives, no other OS process of its user (it, but also py-spy, gdb or another debugger) can "
    "look into the kernel, and the kernel leaves no core dump"
)


async def examine(profile: str = "", openings: Openings | None = None) -> Protection:
    """Start a real guest with this profile and look at it from inside and outside. Raises LaunchFailed."""
    zygote = await Zygote.start(entry="jupyter_sandbox.isolation.probe:run", sys_path=sys.path)
    try:
        boot = Boot("doctor", profile=profile, openings=openings or Openings())
        guest = await zygote.fork(boot)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                data = await asyncio.get_running_loop().sock_recv(guest.control, 1 << 16)
            found = verify_from_outside(guest.pid, msgspec.msgpack.decode(data, type=Protection), boot)
            return seclude(guest, found)
        finally:
            guest.close()
    finally:
        zygote.close()


def report(protection: Protection) -> Iterator[str]:
    """The lines to print; the last one is a sentence that agrees with the exit code.

    >>> found = Protection("basic", (Layer("rlimits", True, True, True),), ("it can use the network",))
    >>> print(*report(found), sep="\\n")  # doctest: +ELLIPSIS
    profile in force: basic
    <BLANKLINE>
      ✓ rlimits            in force, tried from inside
    <BLANKLINE>
    not stopped:
      - it can use the network
    <BLANKLINE>
    while such a sandbox lives, no other OS process of its user ... can look into the kernel, and ...
    <BLANKLINE>
    the best profile, strict, cannot be had: parent_death: not in force; session: not in force; ...
    """
    yield f"profile in force: {protection.profile}"
    yield ""
    for layer in protection.layers:
        yield f"  {'✓' if layer.active and layer.verified else '–'} {layer.name:<18} {_state(layer)}"
    if protection.not_stopped:
        yield ""
        yield "not stopped:"
        yield from (f"  - {text}" for text in protection.not_stopped)
    if not protection.has("landlock") and sys.platform == "linux":
        yield ""
        yield _PRICE
    yield ""
    yield _verdict(protection)


def _verdict(protection: Protection) -> str:
    missing = lacking("strict", protection.layers)
    if missing:
        return f"the best profile, strict, cannot be had: {why_missing(missing, protection.layers)}"
    return "the best profile, strict, can be had: every layer is in force and was tried"


def _state(layer: Layer) -> str:
    reason = f" ({layer.reason})" if layer.reason else ""
    if layer.active and layer.verified:
        return f"in force, tried from inside{reason}"
    return f"active, but not verified{reason}" if layer.active else f"not in force{reason}"


def machine() -> Iterator[str]:
    """What is known without starting anything."""
    yield f"{platform.system()} {platform.release()} on {platform.machine()}, Python {platform.python_version()}"
    root = ", as root: its powers are given up in every sandbox" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    yield f"Landlock: {f'version {landlock.version()}' if landlock.version() else 'none'}{root}"
    if less := what_is_less():
        yield less
    if os.environ.get(SWITCH):
        yield f"{SWITCH}={os.environ[SWITCH]} leaves layers out"


def main() -> int:
    """Print everything; 0 when the best profile, strict, can be had, 1 when a lesser one, 2 when none."""
    print(*machine(), sep="\n")  # noqa: T201 - this is a command
    try:
        protection = asyncio.run(examine())
    except SandboxError as error:
        print(f"no sandbox can be started here: {error}")  # noqa: T201
        return 2
    print(*report(protection), sep="\n")  # noqa: T201
    return 1 if lacking("strict", protection.layers) else 0
