"""What one OS process of a guest has open or mapped: deleted files of the guest's folder, its connections and epolls.

Looks and remembers, decides nothing. No link is followed but those that are
seen to lead to a deleted file of the guest's or to a socket.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress

from ..model.limits import FILE_SIZE, MANY_FILES
from . import brief, file_tables, long_list, watches
from .shortage import NO_FILES
from .waited_for import Waited

_DELETED = " (deleted)"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_OF_THE_NETWORK = b"TCP UDP"
_KIND = "system.sockprotoname"
_OVER = (b"Z", b"X", b"")
_MAPS_EVERY = 10
"""Looks between two at memory maps though they did not change in size: a file can be deleted that is mapped."""


class KeptFiles:
    """Looked at again and again. ``folder`` is the guest's."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.open_files = 0
        """Of any kind."""
        self.connections = frozenset[int]()
        """The sockets among them that can lead into the network, by number."""
        self.epolls: tuple[str, ...] = ()
        """The links to those among them."""
        self.watches = 0
        """Of these epolls."""
        self._had_epolls = False
        self.closed = False
        """Whether Linux lets us look at none of them, twice in a row."""
        self._refused = False
        self.all_seen = True
        """Whether its maps could be read to their end."""
        self._kept: dict[int, int] = {}
        self._mapped: dict[int, int] = {}
        self._sockets: dict[int, bool] = {}
        """Whether each socket that is open can lead into the network: asked once of each."""
        self._size = b""
        self._looks = 0

    @property
    def hidden(self) -> dict[int, int]:
        """The deleted files by number, with their bytes."""
        return self._mapped | self._kept

    def look(self, pid: int, *, filtered: bool, everything: bool = False) -> None:
        """A deleted file that is mapped needs no open file: looked for when the size of its memory has changed, and
        now and then. Only ``everything`` leaves nothing out. Raises OSError only when nothing more can be opened here.
        """
        whatever = everything or self._looks % _MAPS_EVERY == 0
        self._looks += 1
        self._look_at_open(pid, filtered)
        with suppress(OSError):
            size = brief.read(f"/proc/{pid}/statm", 128).split(b" ", 1)[0]
            if whatever or size != self._size:
                self._size = size
                maps = long_list.read(f"/proc/{pid}/maps")
                self.all_seen = len(maps) < long_list.MOST
                self._mapped = self._mapped_in(pid, os.fsdecode(maps))

    def _look_at_open(self, pid: int, filtered: bool) -> None:
        """Of who has more than anybody may have no file is looked at: each costs, and other sandboxes wait."""
        kept: dict[int, int] = {}
        sockets: dict[int, bool] = {}
        epolls, paths = list[str](), list[str]()
        was_refused, self._refused = self._refused, False
        for folder in file_tables.folders(pid, filtered=filtered):
            if len(paths) <= MANY_FILES:
                paths += self._listed(folder)
        self.closed = was_refused and self._refused
        for path in (*paths, f"/proc/{pid}/exe") if len(paths) <= MANY_FILES else ():
            self._take(path, kept, sockets, epolls)
        self._kept, self._sockets = kept, sockets
        self.epolls = tuple(epolls)
        self._had_epolls = self._had_epolls or bool(epolls)
        self.watches = watches.of_open(self.epolls)
        self.connections = frozenset(number for number, leads in sockets.items() if leads)
        self.open_files = len(paths)

    def watches_of_closed(self, waited: Waited) -> int:
        """Those assumed of epolls that its threads may keep. Of what poll(2) waits for, more than is open is closed: of
        who was never seen to have an epoll, that is something else."""
        polled = max(0, waited.files - self.open_files) if self._had_epolls else 0
        return watches.of_closed(waited, self.epolls, polled)

    def _listed(self, folder: str) -> list[str]:
        try:
            return listed(folder)
        except OSError as error:
            if error.errno in NO_FILES:
                raise
            # Who has ended has nothing open, and is root's until somebody waits for him; so is who is about to end.
            hides = isinstance(error, PermissionError) and brief.state(os.path.dirname(folder)) not in _OVER
            self._refused = self._refused or hides
            return []

    def _take(self, path: str, kept: dict[int, int], sockets: dict[int, bool], epolls: list[str]) -> None:
        """By the name alone: a file of others can lie on a drive that answers never. What is so far below other
        folders that Linux cannot tell its name is in the guest's own, and counts."""
        with suppress(OSError):
            try:
                name = brief.link(path)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                name = self._folder + _DELETED
            if self._is_deleted(name):
                found = os.stat(path)
                kept[found.st_ino] = found.st_blocks * 512
            elif socket := _SOCKET.fullmatch(name):
                number = int(socket[1])
                known = self._sockets.get(number)
                sockets[number] = _leads_into_the_network(path) if known is None else known
            elif name == watches.KIND:
                epolls.append(path)

    def _mapped_in(self, pid: int, maps: str) -> dict[int, int]:
        """Each file is asked for its size once, however many maps it has."""
        if _DELETED not in maps or self._folder not in maps:
            return {}
        places: dict[int, str] = {}
        for line in maps.split("\n"):  # other ends of lines may be part of a name
            if line.endswith(_DELETED):
                field = line.split(None, 5)
                if len(field) > 5 and self._is_deleted(field[5]):
                    places.setdefault(int(field[4]), field[0])
        return {number: _size_of(pid, place) for number, place in places.items()}

    def _is_deleted(self, path: str) -> bool:
        return path.startswith(self._folder) and path.endswith(_DELETED)


def listed(folder: str) -> list[str]:
    """The links in such a folder; some more than anybody may have at most. Raises OSError."""
    return [f"{folder}/{name}" for name in brief.names(folder, MANY_FILES)]


def _leads_into_the_network(path: str) -> bool:
    """Where Linux does not say which kind of socket it is, it may."""
    try:
        return os.getxattr(path, _KIND).rstrip(b"\0")[:3] in _OF_THE_NETWORK.split()
    except OSError:
        return True


def _size_of(pid: int, addresses: str) -> int:
    """Only root may ask how large a mapped file is; else it counts as the largest that there can be."""
    try:
        place = f"/proc/{pid}/map_files/{addresses}"
        brief.link(place)  # first: whoever looks for it may have to wait
        return os.stat(place).st_blocks * 512
    except OSError:
        return FILE_SIZE
