"""What the user opens by name in the profile ``standard``: network, programs, files to read, folders to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import UsageError
from .given import integer, one_of, pairs, path
from .harmless import on_one_line

LONGEST_PATH = 4096
"""Characters that are told of one."""


@dataclass(frozen=True, slots=True)
class Place:
    """The file or folder that a path led to when it was opened by name; ``path`` has no links in it."""

    path: str
    device: int
    inode: int
    named: str = ""
    """What the user wrote, when that leads here over links."""


@dataclass(frozen=True, slots=True)
class Openings:
    """Nothing is open unless it is named here.

    ``net``: connections outward over TCP and UDP. ``ports``: then only to these
    TCP ports, which opens the network too. ``subprocess``: starting programs. ``read`` and ``write``: paths
    of files or folders, with all that is in them. ``places``: what these lead to, once that has been looked up.

    >>> Openings.merged({"net": True, "read": "/data"})
    Openings(net=True, subprocess=False, ports=(), read=('/data',), write=(), places=())
    """

    net: bool = False
    subprocess: bool = False
    ports: tuple[int, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()

    @classmethod
    def merged(cls, named: Mapping[str, object] | None) -> Openings:
        """From a map; one path or port may stand alone. Raises UsageError when it is no map, and for an unknown
        key or value.
        """
        if named is None:
            return cls()
        given: dict[str, object] = {}
        for name, value in pairs("allow", named, "give a map such as {'net': True, 'read': ['/data']}").items():
            given[name] = _FORMS[one_of("allow", name, _FORMS)](name, value)
        if given.get("ports"):
            given["net"] = True
        return cls(**given)  # type: ignore[arg-type]

    def told(self, paths: tuple[str, ...]) -> str:
        """Some of its paths for the user to read, with how they were named where links lead to them.

        >>> Openings(read=("/big/data",), places=(Place("/big/data", 1, 2, "/home/me/data"),)).told(("/big/data",))
        '/big/data (named as /home/me/data, a link)'
        """
        named = {
            place.path: f" (named as {on_one_line(place.named, LONGEST_PATH)}, a link)"
            for place in self.places
            if place.named
        }
        return ", ".join(on_one_line(path, LONGEST_PATH) + named.get(path, "") for path in paths)

    def __bool__(self) -> bool:
        return bool(self.net or self.subprocess or self.ports or self.read or self.write)


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(name, value, hint="give True or False")
    return value


def _ports(name: str, value: object) -> tuple[int, ...]:
    return tuple(_port(name, one) for one in (value if isinstance(value, _LISTS) else (value,)))


def _port(name: str, value: object) -> int:
    port = integer(value)
    if port is None or not 0 < port < 65536:
        raise UsageError(name, value, hint="give numbers from 1 to 65535")
    return port


def _paths(name: str, value: object) -> tuple[str, ...]:
    paths = value if isinstance(value, _LISTS) else (value,)
    return tuple(path(name, one, "give a path or a list of paths, none of them empty") for one in paths)


_LISTS = (list, tuple, set, frozenset)
_FORMS: Mapping[str, Callable[[str, object], object]] = {
    "net": _switch, "subprocess": _switch, "ports": _ports, "read": _paths, "write": _paths,
}  # fmt: skip
