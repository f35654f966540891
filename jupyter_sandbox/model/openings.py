"""What the user opens by name in the profile ``standard``: network, programs, files to read, folders to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from .errors import UsageError


@dataclass(frozen=True, slots=True)
class Openings:
    """Nothing is open unless it is named here.

    ``net``: connections outward over TCP and UDP. ``ports``: then only to these
    TCP ports, which opens the network too. ``subprocess``: starting programs. ``read`` and ``write``: paths
    of files or folders, with all that is in them.

    >>> Openings.merged({"net": True, "read": "/data"})
    Openings(net=True, subprocess=False, ports=(), read=('/data',), write=())
    """

    net: bool = False
    subprocess: bool = False
    ports: tuple[int, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()

    @classmethod
    def merged(cls, named: Mapping[str, object] | None) -> Openings:
        """From a map; one path or port may stand alone. Raises UsageError for an unknown key or value."""
        if not named:
            return cls()
        known = [field.name for field in fields(cls)]
        given: dict[str, object] = {}
        for name, value in (named or {}).items():
            if name not in known:
                raise UsageError("allow", name, allowed=known)
            given[name] = _FORMS[name](name, value)
        if given.get("ports"):
            given["net"] = True
        return cls(**given)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return bool(self.net or self.subprocess or self.ports or self.read or self.write)


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(name, value, hint="give True or False")
    return value


def _ports(name: str, value: object) -> tuple[int, ...]:
    ports = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    if not all(isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 for port in ports):
        raise UsageError(name, value, hint="give numbers from 1 to 65535")
    return ports


def _paths(name: str, value: object) -> tuple[str, ...]:
    paths = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    if not all(isinstance(path, str) or hasattr(path, "__fspath__") for path in paths) or not all(map(str, paths)):
        raise UsageError(name, value, hint="give a path or a list of paths")
    return tuple(map(str, paths))


_FORMS: Mapping[str, Callable[[str, object], object]] = {
    "net": _switch, "subprocess": _switch, "ports": _ports, "read": _paths, "write": _paths,
}  # fmt: skip
