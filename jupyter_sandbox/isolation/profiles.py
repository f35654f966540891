"""Profiles: what each wants, which one the layers in force add up to, and in words what it does not stop. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from ..model.boot import Boot
from ..model.errors import Unsupported
from ..model.openings import Openings
from ..model.protection import Layer, Protection

PROFILES: Final = ("off", "basic", "standard", "strict")
_BASICS: Final = ("no_new_privs", "rlimits", "capabilities")
_REQUIRED: Final = (*_BASICS, "landlock", "seccomp")

_NO_RLIMITS: Final = "memory and files are not limited by the operating system"
_NO_LANDLOCK: Final = "it can read and change your files"
_NO_SECCOMP: Final = (
    "it can use the network",
    "it can start other programs, and these can outlive the kernel",
    "it can signal and inspect your other OS processes, this kernel included",
)
_EXISTENCE: Final = "it can see which files exist, and their sizes and dates"
_ALWAYS: Final = (
    "it can use processor time until max_runtime",
    "bugs of the operating system and of the processor can be used",
)


def wants_confinement(profile: str) -> bool:
    """Whether files and system calls are to be closed too."""
    return profile not in ("off", "basic")


def judge(wanted: str, openings: Openings, layers: Iterable[Layer], platform: str = sys.platform) -> Protection:
    """The report: only what is active and verified counts.

    >>> judge("", Openings(), [Layer("rlimits", True, True, True), Layer("seccomp", True, True, True)], "linux").profile
    'basic+seccomp'
    """
    layers = tuple(layers)
    holding = frozenset(layer.name for layer in layers if layer.active and layer.verified)
    named = openings if wants_confinement(wanted) else Openings()
    return Protection(_level(wanted, named, layers, holding), layers, _not_stopped(named, holding, platform))


def _level(wanted: str, openings: Openings, layers: tuple[Layer, ...], holding: frozenset[str]) -> str:
    if wanted == "off":
        return "off"
    failed = {layer.name for layer in layers if layer.name in _BASICS} - holding
    if failed or "seccomp" not in holding:
        return "basic"
    if "landlock" not in holding:
        return "basic+seccomp"
    return "standard" if openings or wanted == "standard" else "strict"


def _not_stopped(openings: Openings, holding: frozenset[str], platform: str) -> tuple[str, ...]:
    words = [] if "rlimits" in holding else [_NO_RLIMITS]
    words += [*_of_files(openings), _EXISTENCE] if "landlock" in holding else [_NO_LANDLOCK]
    words += _of_calls(openings) if "seccomp" in holding else _NO_SECCOMP
    if platform != "linux":
        words.append(f"on {platform} it can outlive the kernel")
    return (*words, *_ALWAYS)


def _of_files(openings: Openings) -> list[str]:
    words = [f"it can read {', '.join(openings.read)}"] if openings.read else []
    return words + ([f"it can read and change {', '.join(openings.write)}"] if openings.write else [])


def _of_calls(openings: Openings) -> list[str]:
    words: list[str] = []
    if openings.net:
        ports = f" (TCP only to {', '.join(map(str, openings.ports))}, UDP to any)" if openings.ports else ""
        words.append(f"it can connect to the network, and to servers on this machine{ports}")
    if openings.subprocess:
        words.append("programs that it starts have max_memory each, and can outlive a kernel that is killed")
    return words


def demand(boot: Boot, protection: Protection) -> None:
    """What was asked for by name has to be there. Raises Unsupported that names what is missing."""
    wanted, found = boot.profile, protection.profile
    if wanted in ("", "off") or wanted == found or (wanted == "basic" and found.startswith("basic")):
        return
    missing = [
        layer for layer in protection.layers if layer.name in _REQUIRED and not (layer.active and layer.verified)
    ]
    why = "; ".join(f"{layer.name}: {layer.reason or 'not in force'}" for layer in missing)
    raise Unsupported(
        f"profile {wanted!r} cannot be had on this machine ({why}); "
        "leave the profile out for the best there is, and see: python -m jupyter_sandbox doctor"
    )
