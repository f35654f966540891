"""The two layers that make ``strict`` out of ``basic``: files by Landlock, system calls by a filter. Tried after."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Callable, Sequence

from ..model.boot import Boot
from ..model.errors import LaunchFailed, Unsupported
from ..model.openings import Openings, Place
from . import ender, landlock, system
from .paths import rules_for
from .places import open_place
from .private_maps import share
from .profiles import NO_ROOM
from .rules import filter_for, tells_ports
from .straight import open_straight
from .syscalls import NUMBERS

_FOR_NOTHING = os.O_WRONLY | os.O_RDWR
_TIOCSTI = 0x5412
_PORTS = "ports cannot be told apart here (Linux 6.7 does), so the network stays closed"
_SESSIONS = "its programs cannot begin sessions (setsid, start_new_session)"
_NOR_GROUPS = f"{_SESSIONS} nor groups (setpgid, process_group)"


class Landlock:
    """Only named files, no ports, no signals to others."""

    name = "landlock"

    def __init__(self, boot: Boot, sys_path: tuple[str, ...], leash: int = -1) -> None:
        self.boot, self.sys_path, self.leash = boot, sys_path, leash
        self.version = landlock.version()
        self.in_force = 0
        """The version that really holds, once applied."""
        named = {path: Place(path, -1, -1) for path in (*boot.openings.read, *boot.openings.write)}
        self._places = named | {place.path: place for place in boot.openings.places}
        self._astray: list[str] = []

    @property
    def detail(self) -> str:
        """Which Landlock it is."""
        return f"version {self.version}"

    def apply(self) -> None:
        if not system.LINUX:
            raise Unsupported(f"it needs Linux, not {sys.platform}")
        if not self.version:
            raise Unsupported("this Linux has no Landlock (it came with 5.13 and can be switched off at boot)")
        openings = self.boot.openings
        refused = landlock.handled(self.version, any_port=openings.net and not openings.ports)
        rules = rules_for(self.boot.scratch, self.sys_path, openings)
        if self.leash >= 0 and self.version >= ender.NEEDS:
            _leave_ender(self.leash)
        landlock.restrict(refused, rules, openings.ports, opened=self._open)
        self.in_force = self.version

    def _open(self, path: str) -> int:
        """What the user named has to be what it was then; a path that nobody looked up is no place at all."""
        if (place := self._places.get(path)) is None:
            return open_straight(path)
        try:
            return open_place(place)
        except LaunchFailed as error:
            self._astray.append(str(error))
            raise FileNotFoundError(path) from None

    def verify(self) -> str:
        """Its own folder must work, and the one around it, where the other sandboxes live, must not.
        What the user named must have been found as it was."""
        if self._astray:
            return self._astray[0]
        _may_make(os.path.join(self.boot.scratch, ".probe"))
        around = os.path.dirname(self.boot.scratch)
        if not _opened(around, self.boot.openings.write) and _works(lambda: _make(f"{around}/.probe-{os.getpid()}")):
            return "a file of another sandbox could be written"
        if not _opened("/", (*self.boot.openings.read, *self.boot.openings.write)) and _works(lambda: os.listdir("/")):
            return "the folder / could be read"
        return ""


def _leave_ender(leash: int) -> None:
    """Raises LaunchFailed when there is no room for another OS process now, though there can be."""
    try:
        ender.leave_behind(leash)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
            raise LaunchFailed(f"{NO_ROOM}fork: {error.strerror}") from None
        raise


def prepare(sys_path: Sequence[str], around: str) -> None:
    """Work out in the zygote what is the same for all its guests, whose folders lie in ``around``."""
    version = landlock.version()
    if version:
        landlock.handled(version)
        rules_for(os.path.join(around, "guest"), tuple(sys_path), Openings(net=True, subprocess=True))
    if os.uname().machine in NUMBERS:
        filter_for(os.uname().machine, pid=1, openings=Openings(), landlock=version)


def _opened(folder: str, paths: tuple[str, ...]) -> bool:
    folder = os.path.realpath(folder)  # what was opened has no links in it, nor is it asked where it leads by now
    return any(folder == path or folder.startswith(path.rstrip("/") + "/") for path in paths)


def _make(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    os.unlink(path)


def _may_make(path: str) -> None:
    """Landlock is asked before the drive is: who hears that it is full was let through."""
    try:
        _make(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:
        return False
    return True


class Seccomp:
    """Only the system calls that a program without network, children and tricks needs; and not those that only
    ``beside`` would keep to what is named."""

    name = "seccomp"

    def __init__(self, boot: Boot, beside: Landlock) -> None:
        self.openings, self.beside = boot.openings, beside

    @property
    def detail(self) -> str:
        """What stays closed though it, or what usually goes with it, was named."""
        told = [_PORTS] if self._ports_closed else []
        missing = _SESSIONS if self.beside.in_force >= ender.NEEDS else _NOR_GROUPS
        return "; ".join([*told, missing] if self.openings.subprocess else told)

    @property
    def _ports_closed(self) -> bool:
        return bool(self.openings.ports) and not tells_ports(self.beside.in_force)

    def apply(self) -> None:
        if not system.LINUX:
            raise Unsupported(f"it needs Linux, not {sys.platform}")
        machine = os.uname().machine
        if machine not in NUMBERS or struct.calcsize("P") != 8:
            raise Unsupported(f"there is no filter for {machine} here; on x86_64 and aarch64 Linux there is one")
        program = filter_for(machine, pid=os.getpid(), openings=self.openings, landlock=self.beside.in_force)
        system.install_filter(program)

    def verify(self) -> str:
        attempts: dict[str, Callable[[], object]] = {
            "a namespace": system.unshare_nothing,
            "a socket to other programs": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close(),
            "hidden memory": lambda: os.close(os.memfd_create("probe")),
            "shared memory": share,
            "a signal to its parent": _signal_parent,
            "typing on the terminal": _type,
            "a file opened for neither reading nor writing": lambda: os.close(os.open(os.devnull, _FOR_NOTHING)),
        }
        if not self.openings.subprocess:
            attempts |= {"a program": lambda: os.execv("/", ["/"]), "a child": _fork}
        if not self.openings.net or self._ports_closed:
            attempts["the network"] = lambda: socket.socket(socket.AF_INET).close()
        worked = [name for name, attempt in attempts.items() if not _refused(attempt)]
        return f"not refused: {', '.join(worked)}" if worked else ""


def _refused(attempt: Callable[[], object]) -> bool:
    """EPERM is what the filter says; another error came from behind it."""
    try:
        attempt()
    except OSError as error:
        return error.errno == errno.EPERM
    return False


def _signal_parent() -> None:
    os.kill(os.getppid(), 0)


def _type() -> None:
    fcntl.ioctl(0, _TIOCSTI, b" ")


def _fork() -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
