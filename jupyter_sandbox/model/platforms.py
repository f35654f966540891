"""Where sandboxes can be had at all, and what another operating system than Linux leaves out, in words. Pure."""

from __future__ import annotations

import sys

from .errors import Unsupported

_NO_FORK = (
    "there are no sandboxes on {}: they are forked, and {} cannot fork; use WSL (Windows Subsystem for Linux) or a "
    "container with Linux"
)
_NO_LOCK = (
    "there are no sandboxes in the free-threaded build of Python: the threads of a sandbox and of its manager are made "
    "for the global interpreter lock, and nothing is tested without it; use the ordinary build, python{}.{}"
)
_LESS = {
    "darwin": "macOS: profile basic, without limits on memory by the operating system, and nothing counts as verified",
}


def require_platform(platform: str = sys.platform, flags: str = getattr(sys, "abiflags", "")) -> None:
    """Raises Unsupported where there are no sandboxes: before anything is imported that only Unix has.

    >>> require_platform("linux", "")

    ``flags`` is ``sys.abiflags``, which has a t for free-threaded (PEP 703); switching its lock on does not help.
    """
    if platform in ("win32", "cygwin", "emscripten", "wasi"):
        name = {"win32": "Windows", "cygwin": "Cygwin"}.get(platform, platform)
        raise Unsupported(_NO_FORK.format(name, name))
    if "t" in flags:
        raise Unsupported(_NO_LOCK.format(*sys.version_info))


def what_is_less(platform: str = sys.platform) -> str:
    """What is known to be weaker there than on Linux; '' for Linux.

    >>> what_is_less("linux"), what_is_less("freebsd14")
    ('', 'freebsd14: profile basic at most; nobody has tried it')
    """
    if platform.startswith("linux"):
        return ""
    return _LESS.get(platform, f"{platform}: profile basic at most; nobody has tried it")
