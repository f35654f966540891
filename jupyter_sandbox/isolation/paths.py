"""Which files a confined guest may use: what Python needs to run, what the user named, its own folder. Nothing else."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..model.openings import Openings
from .landlock import READ, RUN, WRITE, Right

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_FACTS = (
    "/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/os-release",
    "/etc/ssl/openssl.cnf", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/dev/random", "/dev/urandom",
    "/dev/zero",
)  # fmt: skip
_OF_ITSELF = ("fd", "stat", "statm", "status", "limits")
"""Parts of /proc/PID; the whole would tell every connection of the machine."""
_NETWORK = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
    "/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted", "/usr/share/ca-certificates",
)  # fmt: skip
_PROGRAMS = ("/bin", "/usr/bin", "/usr/local/bin")

Rule = tuple[str, Right]


def rules_for(scratch: str, sys_path: tuple[str, ...], openings: Openings) -> list[Rule]:
    """Paths with what may be done there, all without links: those of the runtime itself were followed in the zygote,
    and the user's when they were named. They need not exist.
    """
    scratch = os.path.join(_followed(os.path.dirname(scratch)), os.path.basename(scratch))
    own = (f"/proc/{os.getpid()}/{part}" for part in _OF_ITSELF)
    readable = [*common(sys_path, os.path.dirname(scratch)), *openings.read, *own]
    readable += map(_followed, _NETWORK if openings.net else ())
    rules = [(path, READ) for path in dict.fromkeys(readable)]
    rules += [("/dev/null", READ | Right.WRITE_FILE), (scratch, WRITE), *((path, WRITE) for path in openings.write)]
    return rules + (_programs(scratch, openings) if openings.subprocess else [])


@functools.cache
def common(sys_path: tuple[str, ...], around: str) -> tuple[str, ...]:
    """What every guest with this search path may read, without what lies in another folder of the list. The folders
    of all guests lie in ``around``.

    Worked out once in the zygote: each rule costs a guest some microseconds.
    """
    search, _ = split_search_path(sys_path, around)
    paths = tuple(dict.fromkeys((*_LIBRARIES, *_FACTS, *interpreter(), *search)))
    return tuple(dict.fromkeys(_followed(path) for path in outer(paths)))


@functools.cache
def _followed(path: str) -> str:
    """Once, in the zygote: what a guest opens has no links in it any more that somebody could have put there since."""
    return os.path.realpath(path)


def outer(paths: Sequence[str]) -> list[str]:
    """Without those that lie in another one, links followed; what does not exist lies nowhere.

    >>> outer(["/usr/lib", "/usr/lib/python3", "/no/such", "/usr"])
    ['/no/such', '/usr']
    """
    real = {path: os.path.realpath(path) for path in paths if os.path.exists(path)}
    folders = set(real.values())

    def inside(path: str) -> bool:
        return any(str(parent) in folders for parent in Path(path).parents)

    return [path for path in paths if path not in real or not inside(real[path])]


def _programs(scratch: str, openings: Openings) -> list[Rule]:
    prefixes = dict.fromkeys((sys.prefix, sys.base_prefix))
    own = [folder for prefix in prefixes for folder in (f"{prefix}/bin", f"{prefix}/lib", f"{prefix}/lib64")]
    runnable = (*map(_followed, (*_PROGRAMS, *_LIBRARIES[:5], *own)), *openings.read)
    return [(path, RUN) for path in runnable] + [(scratch, WRITE | RUN)]


@functools.cache
def interpreter() -> tuple[str, ...]:
    """The standard library, what is installed beside it, and the shared libraries of its own prefix.

    Not the whole prefix: that may be ``/`` or a folder with the user's own files.
    """
    prefixes = dict.fromkeys((sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix))
    found = [f"{prefix}/{part}" for prefix in prefixes for part in ("lib", "lib64", "pyvenv.cfg", "share/zoneinfo")]
    return (*found, os.path.dirname(os.__file__), sys.executable, os.path.realpath(sys.executable))


@functools.cache
def split_search_path(sys_path: tuple[str, ...], around: str = "/") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The search path in folders to open, and folders that hold so much else that they stay closed: the user's home,
    what other sandboxes work in, and whatever these lie in.

    >>> split_search_path(("/opt/lib", "/"))[1]
    ('/',)
    """
    homes = [Path(os.path.realpath(home)) for home in dict.fromkeys((_home(), "/", around)) if home]
    opened: list[str] = []
    closed: list[str] = []
    for entry in sys_path:
        path = Path(os.path.realpath(entry))  # unlike ``resolve``, content with a link that leads to itself
        whole = any(path == home or path in home.parents for home in homes)
        (closed if whole else opened).append(entry)
    # This package has to be found even when it lies in such a folder.
    return (*opened, str(Path(__file__).resolve().parents[1])), tuple(closed)


def _home() -> str:
    """The user's home: from the list of users, because the guest's HOME is its scratch."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return os.path.expanduser("~")
