"""What to do about what the profile refuses: Linux says no more than that it is not permitted.

Only words, for whoever asks what went wrong; what is refused is refused below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from ..model.openings import Openings
from ..model.protection import Protection

_PLACE = re.compile(r"\[Errno 13\] [^:]*: b?['\"]/")
"""Somewhere else than in its own folder, which is where other paths begin."""
_PORT = re.compile(r"\[Errno 13\] [^:']*$")
_CALL = "[Errno 1] Operation not permitted"
_NO_NAME = re.compile(r"\[Errno -[23]\] ")
"""What asking for the address of a name ends with where there is no network (EAI_NONAME and EAI_AGAIN)."""
_PLACES = "a sandbox has its own folder and Python's files: create it with --read or --write PATH (in Python: allow=)"
_NO_NETWORK = "no network is open to this sandbox: create it with --net (in Python: allow=) to make connections"
_NO_PROGRAMS = "no programs are open to this sandbox: create it with --subprocess (in Python: allow=)"
_NOTHING = "no sandbox of its profile may do this: `%sandbox info` says what it is protected by"
_PERHAPS: Final = {
    (False, False): "--net opens connections, --subprocess programs (in Python: allow=), and nothing opens the rest",
    (False, True): "--net opens connections (in Python: allow=), and nothing opens the rest",
    (True, False): "--subprocess opens programs (in Python: allow=), and nothing opens the rest",
    (True, True): _NOTHING,
}
"""By whether the network and programs are open, where nobody can tell which call it was."""
_CONNECTING = re.compile(r"\b(?:_socket\.socket\.__init__|socket|create_connection|connect(?:_ex)?)\s*\(")
_STARTING = re.compile(
    r"\b(?:_?fork_exec|v?fork|forkpty|posix_spawnp?|spawn[lv]p?e?|exec[lv]p?e?|pidfd_open|system)\s*\("
)
_CLOSED = re.compile(
    r"\b(?:bind|listen|kill(?:pg)?|pidfd_send_signal|chroot|set(?:e|re|res)?[ug]id|setgroups|setsid|setp?gid|setpgrp|"
    r"nice|setpriority|sched_set\w+|unshare|setns|mount|mknod|utime|sethostname|ptrace)\s*\("
)
"""What no opening allows: serving others, reaching them, and being somebody else."""
_SERVING = re.compile(r"\b(?:bind|listen|(?:create|start)_(?:unix_)?server|\w*Server)\s*\(|\bAF_(?!INET)|\bSOCK_RAW\b")
"""What a socket is made for, if it is none that --net opens."""


class Refusals:
    """What one guest is refused, in words.

    >>> from ..model.protection import Layer
    >>> strict = Protection("strict", tuple(Layer(name, True, True, True) for name in ("landlock", "seccomp")))
    >>> Refusals(strict, Openings()).hint("[Errno 1] Operation not permitted")
    '; --net opens connections, --subprocess programs (in Python: allow=), and nothing opens the rest'
    >>> Refusals(strict, Openings()).hint("[Errno 1] Operation not permitted", lambda: ["os.kill(1, 9)"])
    '; no sandbox of its profile may do this: `%sandbox info` says what it is protected by'

    What lies in its own ``folder`` is nothing that a profile refuses.
    """

    def __init__(self, protection: Protection, openings: Openings, folder: str = "") -> None:
        self._places, self._calls = protection.has("landlock"), protection.has("seccomp")
        self._openings, self._folder = openings, folder

    def hint(self, text: str, lines: Callable[[], Sequence[str]] = tuple) -> str:
        """What to do about an error with this text; empty for all that is no refusal of the profile.

        ``lines`` gives those of the code that led to it, the innermost last, and an empty one where it is not known.
        """
        if self._places and _PLACE.search(text):
            return "" if self._folder and f"{self._folder}/" in text else f"; {_PLACES}"
        if self._places and self._openings.ports and _PORT.search(text):
            ports = ", ".join(map(str, self._openings.ports))
            return (
                f"; of all ports these are open to this sandbox: {ports}; name others with --ports (in Python: allow=)"
            )
        if self._calls and not self._openings.net and _NO_NAME.search(text):
            return f"; {_NO_NETWORK}"
        if self._calls and _CALL in text:
            return f"; {self._of_call(lines())}"
        return ""

    def _of_call(self, lines: Sequence[str]) -> str:
        """Linux does not say which call it refused: the line of code does, where it makes one of them only."""
        net, programs = self._openings.net, self._openings.subprocess
        last = lines[-1] if lines else ""
        connecting, starting = _CONNECTING.search(last), _STARTING.search(last)
        if starting and not (connecting or _CLOSED.search(last)):
            return _NOTHING if programs else _NO_PROGRAMS
        if connecting and not starting:
            return _NOTHING if net or any(map(_SERVING.search, lines)) else _NO_NETWORK
        return _NOTHING if _CLOSED.search(last) and not starting else _PERHAPS[net, programs]


_NOBODYS = Refusals(Protection("off"), Openings())
_ours = _NOBODYS


def serve(protection: Protection, openings: Openings, folder: str) -> None:
    """From now on for this guest."""
    global _ours
    _ours = Refusals(protection, openings, folder)


def hint(text: str, lines: Callable[[], Sequence[str]] = tuple) -> str:
    """What to do about an error of this guest; see ``Refusals.hint``."""
    return _ours.hint(text, lines)
