"""The layers of protection, each an object that puts itself in force and then proves it, in the guest, before its code.

A layer that cannot be had is reported, not raised. The order of ``layers_for``
is the order of application, and a later layer may rely on an earlier one.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ..model.boot import Boot
from ..model.errors import Unsupported
from ..model.limits import FILE_SIZE, OPEN_FILES, Limits
from ..model.protection import Layer, Protection
from . import brief, system
from .confined import Landlock, Seccomp
from .profiles import judge, wants_confinement

_PAGE = os.sysconf("SC_PAGE_SIZE")
PENDING_SIGNALS = 0
"""Those that queue, and timers that would send one: Linux counts them for the user as a whole, so what one sandbox may
have of them the others have not. Signals that do not queue (all that have a name) arrive whatever the limit."""
CORE = 1
"""Bytes of a core dump. With 0 Linux still starts the machine's crash handler, where there is one, as root and with all
the memory of who crashed as its input; 1 is its word for not even that."""
ADDRESS_SLACK = 256_000_000
"""Address space above ``max_memory``: mappings of libraries that are loaded late are no memory in use."""

SWITCH = "JUPYTER_SANDBOX_WITHOUT"
"""Environment variable of the kernel: names of layers to leave out, with commas. The report says so."""


class ProtectionLayer(Protocol):
    """``apply`` may raise OSError or Unsupported; ``verify`` returns '' when an attempt to get around it failed."""

    name: str

    def apply(self) -> None: ...

    def verify(self) -> str: ...


class ParentDeath:
    """The guest is killed when the zygote ends, which is killed when the kernel ends."""

    name = "parent_death"

    def __init__(self, parent: int) -> None:
        self.parent = parent

    def apply(self) -> None:
        if not system.die_with_parent(self.parent):
            os._exit(0)  # the zygote is gone, and nobody would ever hear of us

    def verify(self) -> str:
        wrong = system.parent_death_signal() != signal.SIGKILL or os.getppid() != self.parent
        return "the parent's death would not be noticed" if wrong else ""


class Session:
    """A session of its own: signals to the notebook's terminal or process group do not arrive."""

    name = "session"

    def apply(self) -> None:
        if os.getsid(0) != os.getpid():
            os.setsid()

    def verify(self) -> str:
        return "" if os.getsid(0) == os.getpid() == os.getpgid(0) else "still in another session"


class Environment:
    """None of the kernel's environment variables, where tokens and passwords live."""

    name = "environment"

    def __init__(self, allowed: Mapping[str, str]) -> None:
        self.allowed = dict(allowed)

    def apply(self) -> None:
        for name in set(os.environ) - set(self.allowed):
            del os.environ[name]
        for name, value in self.allowed.items():  # nearly all are there already, and setting one costs microseconds
            if os.environ.get(name) != value:
                os.environ[name] = value

    def verify(self) -> str:
        extra = sorted(set(os.environ) - set(self.allowed))
        return f"variables left: {', '.join(extra)[:80]}" if extra else ""


class ClosedFiles:
    """Only the guest's own files are open: no socket, database or notebook of the kernel."""

    name = "closed_files"

    def __init__(self, keep: Iterable[int]) -> None:
        self.keep = frozenset(keep)

    def apply(self) -> None:
        try:
            system.close_all_but(self.keep)
        except (OSError, Unsupported):  # an older Linux, a container's filter, another system
            self._close_one_by_one()

    def _close_one_by_one(self) -> None:
        for fd in listed_files() - self.keep:
            try:
                os.close(fd)
            except OSError:
                continue  # the one that listed them

    def verify(self) -> str:
        left = open_files() - self.keep
        return f"{len(left)} other files are open" if left else ""


def open_files() -> frozenset[int]:
    """Numbers of the open files of this OS process."""
    return frozenset(fd for fd in listed_files() if _is_open(fd))


def listed_files() -> frozenset[int]:
    """The same, and the number of the file that was open to list them."""
    return frozenset(map(int, os.listdir("/proc/self/fd" if system.LINUX else "/dev/fd")))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


class Capabilities:
    """The powers of root are given up; an ordinary user has none, but for what a container may have lent."""

    name = "capabilities"

    def apply(self) -> None:
        system.drop_capabilities()

    def verify(self) -> str:
        return "some powers of root are left" if system.capabilities() else ""


class NoNewPrivs:
    """A program that is started gains no rights, not even through sudo."""

    name = "no_new_privs"

    def apply(self) -> None:
        system.set_no_new_privs()

    def verify(self) -> str:
        return "" if system.no_new_privs() else "not in force"


class ResourceLimits:
    """Limits that the operating system enforces: memory, processor time, open files and signals, size of files, no core
    dumps, no locked memory."""

    name = "rlimits"

    def __init__(self, limits: Limits) -> None:
        self.values: dict[int, int] = {}
        self._unknown: OSError | None = None
        try:
            self.values = rlimits_for(limits, *memory_in_use())
        except OSError as error:
            self._unknown = error

    def apply(self) -> None:
        if self._unknown is not None:
            raise self._unknown
        for kind, value in self.values.items():
            _, hard = resource.getrlimit(kind)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            # Of processor time there is a second between the signal that says what it was and the end without a word.
            resource.setrlimit(kind, (value - (kind == resource.RLIMIT_CPU), value))

    def verify(self) -> str:
        if any(not 0 <= resource.getrlimit(kind)[1] <= value for kind, value in self.values.items()):
            return "not all are in force"
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard + 1))
        except (OSError, ValueError):
            return ""
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return "the sandbox runs with powers of root and can lift them"


def rlimits_for(limits: Limits, mapped: int, private: int) -> dict[int, int]:
    """Each kind of limit to its value in bytes or pieces, on top of what the OS process uses now."""
    values = {
        resource.RLIMIT_CORE: CORE,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: FILE_SIZE,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_CPU: processor_seconds(limits) + 1,
    }
    if system.LINUX:
        values[resource.RLIMIT_SIGPENDING] = PENDING_SIGNALS
        values[resource.RLIMIT_MSGQUEUE] = 0
        values[resource.RLIMIT_DATA] = private + limits.max_memory
        values[resource.RLIMIT_AS] = mapped + limits.max_memory + ADDRESS_SLACK
    return values


def memory_in_use() -> tuple[int, int]:
    """Bytes mapped by this OS process, and those of them that count against ``RLIMIT_DATA`` (with the stack)."""
    if not system.LINUX:
        return 0, 0
    file = os.open("/proc/self/statm", os.O_RDONLY)  # not open(): a guest would copy some 70 pages for it
    try:
        pages = os.read(file, 256).split()
    finally:
        os.close(file)
    return int(pages[0]) * _PAGE, int(pages[5]) * _PAGE


def processor_seconds(limits: Limits) -> int:
    """What all threads together may compute, in seconds: counted by the operating system, also while no kernel looks.

    >>> processor_seconds(Limits(max_runtime=1_500))
    4
    """
    return -(-limits.max_runtime // 1000) + 2


def status_of(pid: int | str) -> dict[str, str]:
    """``/proc/PID/status`` as a dict; empty when there is none."""
    try:
        lines = brief.read_whole(f"/proc/{pid}/status").decode("utf-8", "replace").split("\n")
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
    except OSError:
        return {}


def layers_for(
    boot: Boot, *, parent: int, keep: Iterable[int], environment: Mapping[str, str], leash: int = -1
) -> list[ProtectionLayer]:
    """The layers of a profile in the order of application: the filter of system calls refuses what the others need."""
    layers: list[ProtectionLayer] = [Session(), Environment(environment), ClosedFiles(keep)]
    if system.LINUX:
        layers.insert(0, ParentDeath(parent))
    if boot.profile == "off":
        return layers
    if system.LINUX:
        layers.append(NoNewPrivs())
    layers.append(ResourceLimits(boot.limits))
    if system.LINUX and (os.geteuid() == 0 or system.capabilities()):
        layers.append(Capabilities())
    if wants_confinement(boot.profile):
        files = Landlock(boot, tuple(sys.path), leash)
        layers += [files, Seccomp(boot, files)]
    return layers


def switched_off(switch: str) -> tuple[str, ...]:
    """The names in the environment's word for layers to leave out.

    >>> switched_off("landlock, seccomp,")
    ('landlock', 'seccomp')
    """
    return tuple(name for word in switch.split(",") if (name := word.strip()))


def protect(layers: Sequence[ProtectionLayer], boot: Boot, without: Iterable[str] = ()) -> Protection:
    """Apply all layers, then test each one, and report: the first place that knows what is really in force.

    ``without`` names layers to leave out, to see how a lesser machine is reported.
    """
    failures = {
        layer.name: f"switched off by {SWITCH}" if layer.name in without else _attempt(layer) for layer in layers
    }
    tested = [_tested(layer, failures[layer.name]) for layer in layers]
    return judge(boot.profile, boot.openings, tested, sys.platform)


def _attempt(layer: ProtectionLayer) -> str:
    try:
        layer.apply()
    except Exception as error:  # whatever it is: a layer that is missing must be told, not end the guest
        return str(error) or type(error).__name__
    return ""


def _tested(layer: ProtectionLayer, failure: str) -> Layer:
    if failure:
        return Layer(layer.name, True, False, False, failure)
    try:
        objection = layer.verify()
    except Exception as error:
        objection = str(error) or type(error).__name__
    return Layer(layer.name, True, True, not objection, objection or getattr(layer, "detail", ""))
