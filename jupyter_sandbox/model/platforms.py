"""Where sandboxes can be had at all, and what another operating system than Linux leaves out, in words. Pure."""

from __future__ import annotations

import sys

from .errors import Unsupported

_NO_FORK = (
    "there are no sandboxes on {}: they are forked, and {} cannot fork; use WSL (Windows Subsystem for Linux) or a "
    "container with Linux"
)
_LESS = {
    "darwin": "macOS: profile basic, without limits on memory by the operating system, and nothing counts as verified",
}


def require_fork(platform: str = sys.platform) -> None:
    """Raises Unsupported where no OS process can be forked: before anything is imported that only Unix has.

    >>> require_fork("linux")
    """
    if platform in ("win32", "cygwin", "emscripten", "wasi"):
        name = {"win32": "Windows", "cygwin": "Cygwin"}.get(platform, platform)
        raise Unsupported(_NO_FORK.format(name, name))


def what_is_less(platform: str = sys.platform) -> str:
    """What is known to be weaker there than on Linux; '' for Linux.

    >>> what_is_less("linux"), what_is_less("freebsd14")
    ('', 'freebsd14: profile basic at most; nobody has tried it')
    """
    if platform.startswith("linux"):
        return ""
    return _LESS.get(platform, f"{platform}: profile basic at most; nobody has tried it")
