"""Profiles: which layers each rests on, which one the layers in force add up to, and in words what is missing. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Final

from ..model.boot import Boot
from ..model.errors import LaunchFailed, Unsupported
from ..model.openings import Openings
from ..model.protection import Layer, Protection
from .rules import tells_ports

PROFILES: Final = ("off", "basic", "standard", "strict")

_OFF: Final = ("parent_death", "session", "environment", "closed_files")
_BASIC: Final = (*_OFF, "no_new_privs", "rlimits", "capabilities")
_FILTERED: Final = (*_BASIC, "seccomp")
_CONFINED: Final = (*_FILTERED, "landlock")
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "strict": _CONFINED,
    "standard": _CONFINED,
    "basic+seccomp": _FILTERED,
    "basic": _BASIC,
    "off": _OFF,
}
"""The layers that a profile's promise rests on: without one of them it is a lesser profile."""

_OF_LINUX: Final = frozenset({"parent_death", "no_new_privs", "capabilities"})
"""What ``off`` and ``basic`` do without on other operating systems, where it is told instead."""
_CONFINING: Final = frozenset({"landlock", "seccomp"})

_NOT_STOPPED: Final[Mapping[str, tuple[str, ...]]] = {
    "parent_death": ("it can outlive the kernel",),
    "session": ("it shares a session with the launcher of sandboxes: a signal to one of them reaches all",),
    "environment": ("it can see environment variables that are not its own",),
    "closed_files": ("it can use files and sockets of the launcher of sandboxes, and lie about other sandboxes there",),
    "no_new_privs": ("programs that it starts can gain rights, as sudo does",),
    "rlimits": ("memory and files are not limited by the operating system",),
    "capabilities": ("it keeps whatever powers of root the kernel has, and may use them on the kernel too",),
}
"""What each layer keeps away, told when it is missing; of the other two it depends on what else is in force."""
_ELSEWHERE: Final = (
    "memory is not limited by the operating system",
    "nobody could be asked from outside: which layers are in force is what the sandbox said before it ran code",
)
_EXISTENCE: Final = "it can see which files exist, and their sizes and dates"
_ALWAYS: Final = (
    "it can use processor time until max_runtime",
    "bugs of the operating system and of the processor can be used",
)


_KERNELS: Final = (
    "it can hear the code and output of all cells from Jupyter's kernels on this machine, this one among them, and run "
    "code in one whose debugger was used or whose connection file it can read; named ports alone keep that closed"
)
"""What it means that they listen on the network, and tell whoever connects: the key that they have is for requests."""

_LIMITS_OF_OTHERS: Final = (
    "it can set limits and priorities of your other OS processes, this kernel included: those of open files, memory or "
    "processor time that are lowered stay so, and can end them"
)
"""See prlimit(2): Landlock knows nothing of it, and whoever has the same user may."""

_UNCOUNTED: Final = (
    "it can hold memory that is not counted: in sockets and pipes that it makes large, and in its programs"
)
_SHARED_OUT: Final = (
    "it can use up what Linux counts for you as a whole, such as watches of files: as long as it lives no program of "
    "yours gets any, this kernel included"
)
_WATCHES_OUT: Final = (
    "it can use up what Linux counts for you as a whole, such as full size of pipes, and watches of files for the "
    "moment until it is ended or hidden in messages to itself: meanwhile no program of yours gets any, this kernel "
    "included"
)
"""See ``common_goods`` and ``watches``: without a filter there is all of it, and programs need some."""

CONFINES_EMPTYING: Final = 3
CONFINES_COMMANDS: Final = 5
CONFINES_SIGNALS: Final = 6
"""The first versions of Landlock that do."""
NO_ROOM: Final = "no OS process for the sandbox: "
"""Begins the reason of a layer that a shortage of this moment keeps away, not the machine."""


def wants_confinement(profile: str) -> bool:
    """Whether files and system calls are to be closed too."""
    return profile not in ("off", "basic")


def judge(wanted: str, openings: Openings, layers: Iterable[Layer], platform: str = sys.platform) -> Protection:
    """The report: on Linux only what is active and verified counts, elsewhere what is active.

    >>> names = ("parent_death", "session", "environment", "closed_files", "no_new_privs", "rlimits", "seccomp")
    >>> layers = [Layer(name, True, True, True) for name in names]
    >>> judge("", Openings(), layers, "linux").profile, judge("", Openings(), layers[1:], "linux").profile
    ('basic+seccomp', 'off')
    """
    layers = tuple(layers)
    named = openings if wants_confinement(wanted) else Openings()
    level = _level(wanted, named, layers, platform)
    opened = _opened(named) if level == "standard" else ()
    return Protection(level, layers, _not_stopped(wanted, named, layers, platform), opened)


def _opened(openings: Openings) -> tuple[str, ...]:
    named = {"ports": openings.ports, "net": openings.net and not openings.ports, "subprocess": openings.subprocess}
    return tuple(
        name for name, is_open in (named | {"read": openings.read, "write": openings.write}).items() if is_open
    )


def lacking(profile: str, layers: Iterable[Layer], platform: str = sys.platform) -> tuple[str, ...]:
    """The layers that this profile rests on and that are not in force, by name.

    >>> lacking("off", [Layer(name, True, True, True) for name in ("parent_death", "session", "environment")], "linux")
    ('closed_files',)
    """
    layers = tuple(layers)
    here = _holding(layers, platform) | _not_needed(layers, platform)
    return tuple(name for name in REQUIRED[profile] if name not in here)


def _holding(layers: tuple[Layer, ...], platform: str) -> frozenset[str]:
    if platform == "linux":
        return frozenset(layer.name for layer in layers if layer.active and layer.verified)
    return frozenset(layer.name for layer in layers if layer.active) - _CONFINING


def _not_needed(layers: tuple[Layer, ...], platform: str) -> frozenset[str]:
    """A guest of somebody without powers of root has none to give up, and does not list that layer."""
    if platform != "linux":
        return _OF_LINUX
    return frozenset({"capabilities"}) - {layer.name for layer in layers}


def _level(wanted: str, openings: Openings, layers: tuple[Layer, ...], platform: str) -> str:
    if wanted == "off":
        return "off"
    best = next((one for one in ("strict", "basic+seccomp", "basic") if not lacking(one, layers, platform)), "off")
    return "standard" if best == "strict" and (openings or wanted == "standard") else best


def _not_stopped(wanted: str, openings: Openings, layers: tuple[Layer, ...], platform: str) -> tuple[str, ...]:
    told = _holding(layers, platform)
    if platform == "linux" and wanted != "off":  # which leaves the powers of root alone and so does not list them
        told |= _not_needed(layers, platform)
    words = [text for name in _BASIC if name not in told for text in _NOT_STOPPED[name]]
    landlock = _landlock(layers) if "landlock" in told else 0
    words += _of_calls(openings, landlock) if "seccomp" in told else _unfiltered(landlock)
    words += [*_of_files(openings), _EXISTENCE] if "landlock" in told else _unconfined(_gave_up_powers(layers, told))
    return (*words, *(_ELSEWHERE if platform != "linux" else ()), *_ALWAYS)


def _gave_up_powers(layers: tuple[Layer, ...], told: frozenset[str]) -> bool:
    """Linux keeps who has fewer powers out of the memory of who has more, though both are the same user's."""
    return "capabilities" in told & {layer.name for layer in layers}


def _unconfined(gave_up_powers: bool) -> list[str]:
    """Without Landlock."""
    others = "your other OS processes that have no powers of root" if gave_up_powers else "your other OS processes"
    return [
        "it can read and change your files",
        f"it can read and change the memory of {others}, other sandboxes among them, see their "
        "environment and their files, and act through them",
        "it can change the order in which your OS processes end when the machine has no memory left, and how sessions "
        "of them share the processor; where you are root, of the kernel too",
    ]


def _unfiltered(landlock: int) -> list[str]:
    """Without a filter, beside Landlock of this version, 0 for none."""
    living = ", and these, and itself if it wants to, can outlive a kernel that is killed"
    words = [
        "it can use the network by UDP and by kinds of TCP that Landlock does not know (MPTCP, fast open), and connect "
        "to sockets of other programs on this machine"
        if tells_ports(landlock)
        else "it can use the network",
        f"it can start programs that it brings along, and forks of itself, as confined as it is{living}"
        if landlock
        else f"it can start other programs{living}",
    ]
    if landlock:
        emptied = "" if landlock >= CONFINES_EMPTYING else "empty your files, and "
        words.append(f"it can {emptied}change modes, owners, times and attributes of your files")
        commanded = "" if landlock >= CONFINES_COMMANDS else " and command"
        words.append(f"it can open{commanded} your devices, though neither read nor write them")
    if landlock < CONFINES_SIGNALS:
        words.append("it can signal your other OS processes, this kernel included")
    return [*words, _LIMITS_OF_OTHERS, _UNCOUNTED, _SHARED_OUT]


def _of_files(openings: Openings) -> list[str]:
    words = [f"it can read {openings.told(openings.read)}"] if openings.read else []
    if openings.write:
        words.append(f"it can read and change {openings.told(openings.write)}")
        words.append("what it writes there is not counted: it can fill that disk")
    return words


def _of_calls(openings: Openings, landlock: int) -> list[str]:
    words: list[str] = []
    if openings.net:
        ports = f" (TCP only to {', '.join(map(str, openings.ports))}, UDP to any)" if openings.ports else ""
        words.append(f"it can connect to the network, and to servers on this machine{ports}")
        words += [] if openings.ports else [_KERNELS]
    if openings.subprocess:
        # Where signals are confined there is somebody who ends all programs at once, see ``ender``.
        living = "" if landlock >= CONFINES_SIGNALS else ", and can outlive a kernel that is killed"
        words += [f"it can start programs, as confined as it is: they have max_memory each{living}", _WATCHES_OUT]
    return words


def _landlock(layers: tuple[Layer, ...]) -> int:
    """Its version, as it is in the report; 0 where that does not say it."""
    told = next((layer.reason for layer in layers if layer.name == "landlock"), "").removeprefix("version ")
    return int(told) if told.isdecimal() else 0


def demand(boot: Boot, protection: Protection, platform: str = sys.platform) -> None:
    """What was asked for by name has to be there. Raises Unsupported that names what is missing, and LaunchFailed when
    it can be had and only there was no room for it now."""
    short = [layer.reason for layer in protection.layers if layer.reason.startswith(NO_ROOM)]
    if short:
        raise LaunchFailed(f"{short[0][:200]}; destroy some sandboxes")
    missing = lacking(boot.profile, protection.layers, platform) if boot.profile else ()
    if missing:
        raise Unsupported(
            f"profile {boot.profile!r} cannot be had on this machine ({why_missing(missing, protection.layers)}); "
            f"{_instead(boot.openings)}, and see: python -m jupyter_sandbox doctor"
        )


def _instead(openings: Openings) -> str:
    """Nobody has to have named the profile that openings need."""
    if openings:
        names = "net, ports, subprocess, read, write"
        return f"what is opened by name ({names}) needs it: leave that out for the best there is"
    return "leave the profile out for the best there is"


def why_missing(names: Iterable[str], layers: Iterable[Layer]) -> str:
    """Each of these layers with the reason that its report has.

    >>> why_missing(["landlock", "seccomp"], [Layer("landlock", True, False, False, "this Linux has none")])
    'landlock: this Linux has none; seccomp: not in force'
    """
    reasons = {layer.name: layer.reason for layer in layers}
    return "; ".join(f"{name}: {reasons.get(name) or 'not in force'}" for name in names)
