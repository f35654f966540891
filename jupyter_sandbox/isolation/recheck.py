"""A guest's report of its protection is a claim; here the kernel asks the operating system about the same guest.

Reads ``/proc`` of another OS process and nothing else. What cannot be seen
from outside keeps the claim, which was made before any user code ran.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from ..model.boot import Boot
from ..model.limits import FILE_SIZE, OPEN_FILES
from ..model.protection import Layer, Protection
from . import brief, landlock, system
from .exec_zygote import environment_for
from .layers import CORE, PENDING_SIGNALS, status_of
from .profiles import judge
from .rules import in_effect

_CONTRADICTED = "the sandbox says so, the operating system does not"
_OWN_VARIABLES = frozenset({"HOME", "TMPDIR", "PWD", "LC_CTYPE"})
_CAPS = {
    "Max core file size": CORE,
    "Max open files": OPEN_FILES,
    "Max file size": FILE_SIZE,
    "Max locked memory": 0,
    "Max pending signals": PENDING_SIGNALS,
    "Max msgqueue size": 0,
}
_BOUNDED = ("Max data size", "Max address space", "Max cpu time")


def verify_from_outside(pid: int, protection: Protection, boot: Boot | None = None) -> Protection:
    """The report with every claim that the operating system denies turned into an objection.

    Costs a fraction of a millisecond. Away from Linux there is nobody to ask, and nothing counts as
    verified: what the guest found true of itself stays active. A pid
    that has ended has nothing in force any more. With ``boot`` the profile is judged again.
    """
    if system.LINUX:
        status = status_of(pid)
        layers = tuple(_rechecked(pid, status, layer) for layer in protection.layers)
    else:
        layers = tuple(_unverified(layer) for layer in protection.layers)
    if boot is None:
        return replace(protection, layers=layers)
    return judge(boot.profile, in_effect(boot.openings, landlock.version()), layers, sys.platform)


def _unverified(layer: Layer) -> Layer:
    reason = layer.reason or "cannot be seen from outside here"
    return replace(layer, active=layer.active and layer.verified, verified=False, reason=reason)


def _rechecked(pid: int, status: Mapping[str, str], layer: Layer) -> Layer:
    check = _CHECKS.get(layer.name)
    if not layer.active or check is None:
        return layer
    try:
        confirmed = check(pid, status)
    except (OSError, ValueError, IndexError):
        return replace(layer, verified=False, reason=layer.reason or f"cannot be seen from outside{_why()}")
    return layer if confirmed else replace(layer, active=False, verified=False, reason=_CONTRADICTED)


def _why() -> str:
    return "" if brief.proc_is_ours() else ": there is no /proc of our own PID namespace"


_Status = Mapping[str, str]
"""Of the guest, as ``/proc/PID/status`` has it, read once for all layers."""


def _status_says(key: str, wanted: Callable[[str], bool]) -> Callable[[int, _Status], bool]:
    def check(pid: int, status: _Status) -> bool:
        return wanted(_of_living(pid, status).get(key, ""))

    return check


def _of_living(pid: int, status: _Status) -> _Status:
    if not status:
        raise ProcessLookupError(f"no OS process {pid}")
    return status


def _filtered(pid: int, status: _Status) -> bool:
    """By a filter more than we are: inside a container everybody has one."""
    guest, own = _of_living(pid, status), status_of(os.getpid())
    more = int(guest.get("Seccomp_filters", "1")) > int(own.get("Seccomp_filters", "0"))
    return guest.get("Seccomp") == "2" and more


def _own_session(pid: int, status: _Status) -> bool:
    return os.getsid(pid) == pid


def _own_environment(pid: int, status: _Status) -> bool:
    """What was handed over at exec; the guest itself never execs."""
    told = brief.read(f"/proc/{pid}/environ", 1 << 20).split(b"\0")
    names = {entry.partition(b"=")[0].decode(errors="replace") for entry in told if entry}
    return names <= set(environment_for(os.environ)) | _OWN_VARIABLES


def _limited(pid: int, status: _Status) -> bool:
    lines = brief.read(f"/proc/{pid}/limits").decode().split("\n")
    hard = {line[:25].strip(): line[46:67].strip() for line in lines[1:]}
    capped = all(hard[name] != "unlimited" and int(hard[name]) <= most for name, most in _CAPS.items())
    return capped and all(hard[name] != "unlimited" for name in _BOUNDED)


_CHECKS: dict[str, Callable[[int, _Status], bool]] = {
    "no_new_privs": _status_says("NoNewPrivs", lambda text: text == "1"),
    "seccomp": _filtered,
    "landlock": lambda pid, status: landlock.version() > 0,
    "capabilities": _status_says("CapEff", lambda text: int(text, 16) == 0),
    "session": _own_session,
    "environment": _own_environment,
    "rlimits": _limited,
}
