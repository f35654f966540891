"""What this machine gives: a throw-away guest per profile, its report looked at from outside, told line by line."""

from __future__ import annotations

import asyncio
import io
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from ..model.boot import Boot
from ..model.errors import SandboxError
from ..model.openings import Openings
from ..model.platforms import what_is_less
from ..model.protection import Layer, Protection
from . import landlock
from .layers import SWITCH, switched_off
from .profiles import REQUIRED, lacking, why_missing
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
        await zygote.close()


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
    yield from _left_out(os.environ.get(SWITCH, ""))


def _left_out(switch: str) -> Iterator[str]:
    names, layers = switched_off(switch), REQUIRED["strict"]
    if known := [name for name in names if name in layers]:
        yield f"{SWITCH} leaves out: {', '.join(known)}"
    if unknown := [name for name in names if name not in layers]:
        yield f"{SWITCH} names no layer with {', '.join(map(ascii, unknown))}; there are {', '.join(layers)}"


def main() -> int:
    """Print everything; 0 when the best profile, strict, can be had, 1 when a lesser one, 2 when none.

    Never a traceback, which would end with 1: whatever keeps it from an answer is the reason for 2.
    """
    _say(machine())
    try:
        protection = asyncio.run(examine())
    except Exception as error:
        _say([f"no sandbox can be started here: {_in_words(error)}"])
        return 2
    _say(report(protection))
    return 1 if lacking("strict", protection.layers) else 0


def _in_words(error: Exception) -> str:
    if isinstance(error, SandboxError):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"one was started and told nothing for {_PATIENCE_S:g} s; try again"
    if isinstance(error, msgspec.MsgspecError):
        return f"one was started and ended before it told anything ({error}); try again"
    return f"{type(error).__name__}: {error}"


def _say(lines: Iterable[str]) -> None:
    """In what stdout can write; whether anybody reads it changes nothing of the answer."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(*lines, sep="\n", flush=True)  # noqa: T201 - this is a command
    except OSError:
        with suppress(OSError, ValueError):  # or Python itself would end with 120 over what is left to write
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
