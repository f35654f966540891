"""What to do about what the profile refuses: Linux says no more than that it is not permitted.

Only words, for whoever asks what went wrong; what is refused is refused below.
"""

from __future__ import annotations

import re
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
_NO_NETWORK = "no network is open to this sandbox: create it with --net (in Python: allow=)"
_CALLS: Final = {
    (False, False): (
        "no network and no programs are open to this sandbox: create it with --net or --subprocess (in Python: allow=)"
    ),
    (False, True): _NO_NETWORK,
    (True, False): "no programs are open to this sandbox: create it with --subprocess (in Python: allow=)",
    (True, True): "no sandbox of its profile may do this: `%sandbox info` says what it is protected by",
}
"""By whether the network and programs are open."""


class Refusals:
    """What one guest is refused, in words.

    >>> from ..model.protection import Layer
    >>> strict = Protection("strict", tuple(Layer(name, True, True, True) for name in ("landlock", "seccomp")))
    >>> Refusals(strict, Openings()).hint("[Errno 1] Operation not permitted")
    '; no network and no programs are open to this sandbox: create it with --net or --subprocess (in Python: allow=)'

    What lies in its own ``folder`` is nothing that a profile refuses.
    """

    def __init__(self, protection: Protection, openings: Openings, folder: str = "") -> None:
        self._places, self._calls = protection.has("landlock"), protection.has("seccomp")
        self._openings, self._folder = openings, folder

    def hint(self, text: str) -> str:
        """What to do about an error with this text; empty for all that is no refusal of the profile."""
        if self._places and _PLACE.search(text):
            return "" if self._folder and f"{self._folder}/" in text else f"; {_PLACES}"
        if self._places and self._openings.ports and _PORT.search(text):
            ports = ", ".join(map(str, self._openings.ports))
            return f"; of all ports these are open to this sandbox: {ports}; name others in allow={{'ports': [...]}}"
        if self._calls and not self._openings.net and _NO_NAME.search(text):
            return f"; {_NO_NETWORK}"
        if self._calls and _CALL in text:
            return f"; {_CALLS[self._openings.net, self._openings.subprocess]}"
        return ""


_NOBODYS = Refusals(Protection("off"), Openings())
_ours = _NOBODYS


def serve(protection: Protection, openings: Openings, folder: str) -> None:
    """From now on for this guest."""
    global _ours
    _ours = Refusals(protection, openings, folder)


def hint(text: str) -> str:
    """What to do about an error of this guest; see ``Refusals.hint``."""
    return _ours.hint(text)
