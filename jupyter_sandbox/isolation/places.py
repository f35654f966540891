"""What paths opened by name lead to: looked up once, when a sandbox is created, and held against every later look.

Who may change a folder can put a link where another path leads through it. So
no link is followed after the first time, and what stands at the end has to be
the same file or folder as then.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from ..model.errors import LaunchFailed, UsageError
from ..model.harmless import on_one_line
from ..model.openings import LONGEST_PATH, Openings, Place
from . import system
from .removal import PREFIX
from .straight import follow, open_straight


def resolve(openings: Openings, changeable: Iterable[str] = ()) -> Openings:
    """With paths as the kernel's working folder, user's home and links make them now, and with what they lead to.

    ``changeable``: folders that sandboxes may change or could; a link in one of them may be a sandbox's and is not
    followed. What lies in another one that opens as much is left out. Raises UsageError for a path that leads nowhere,
    over such a link, or that is to be written and holds what sandboxes work in.
    """
    changeable = tuple(changeable)
    write = [_placed("write", path, changeable) for path in openings.write]
    for place in write:
        _spares_the_sandboxes(place)
    read = [_placed("read", path, changeable) for path in openings.read]
    outer = _outermost(write)
    # Programs can be started from what may be read, so there reading is more than writing holds.
    inner = _outermost(read if openings.subprocess else [one for one in read if not _lies_in_any(one.path, outer)])
    paths = [tuple(place.path for place in places) for places in (inner, outer)]
    return replace(openings, read=paths[0], write=paths[1], places=(*inner, *outer))


def _placed(field: str, path: str, changeable: tuple[str, ...]) -> Place:
    named = os.path.expanduser(path)
    try:
        named = os.path.join("" if os.path.isabs(named) else os.getcwd(), named)
        real, links = follow(named)
        device, inode = _identity(real)
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        told = _told(named)
        hint = f"there is no {told}; make it first" if missing else f"{told}: {error.strerror}"
        raise UsageError(field, path, hint=hint) from None
    for link in links:
        if _lies_in_any(link, changeable):
            told, leads = _told(link), _told(real)
            hint = f"{told} is a link where a sandbox may put one; name what you mean: it leads to {leads} now"
            raise UsageError(field, path, hint=hint)
    return Place(real, device, inode, os.path.normpath(named) if links else "")


def _spares_the_sandboxes(place: Place) -> None:
    base = os.path.realpath(tempfile.gettempdir())
    _, below, rest = place.path.partition(base.rstrip("/") + "/")
    if _lies_in_any(base, [place.path]) or (below and rest.startswith(PREFIX)):
        hint = f"sandboxes work in {base} themselves, so none may change all that is there; name a folder in it"
        raise UsageError("write", place.path, hint=hint)


def _identity(real: str) -> tuple[int, int]:
    if not system.LINUX:
        found = os.lstat(real)
        return found.st_dev, found.st_ino
    fd = open_straight(real)
    try:
        found = os.fstat(fd)
    finally:
        os.close(fd)
    return found.st_dev, found.st_ino


def _outermost(places: Iterable[Place]) -> list[Place]:
    unique = list({place.path: place for place in places}.values())
    return [one for one in unique if not _lies_in_any(one.path, [other for other in unique if other is not one])]


def _lies_in_any(path: str, folders: Iterable[str | Place]) -> bool:
    real = PurePosixPath(path)
    return any(
        real.is_relative_to(folder.path if isinstance(folder, Place) else folder) for folder in folders
    )  # fmt: skip


def check(openings: Openings) -> None:
    """See that everything is where it was. Raises LaunchFailed that names what is not."""
    for place in openings.places if system.LINUX else ():
        os.close(open_place(place))


def open_place(place: Place) -> int:
    """A file that stands for what was opened by name, as ``open_straight`` opens it. Raises LaunchFailed."""
    try:
        fd = open_straight(place.path)
    except OSError as error:
        raise _elsewhere(place, _WORDS.get(error.errno or 0, str(error.strerror))) from None
    found = os.fstat(fd)
    if (found.st_dev, found.st_ino) != (place.device, place.inode):
        os.close(fd)
        raise _elsewhere(place, "another file or folder is in its place")
    return fd


_WORDS = {
    errno.ENOENT: "it is not there any more",
    errno.ELOOP: "it has become a link, or a folder above it has",
    errno.ENOTDIR: "a folder above it has become something else",
}


def _told(path: str) -> str:
    """For the user to read: a name in it may be a sandbox's, which could move the cursor or begin a line of its own."""
    return on_one_line(path, LONGEST_PATH)


def _elsewhere(place: Place, why: str) -> LaunchFailed:
    return LaunchFailed(
        f"{_told(place.path)}, which this sandbox may use, is not what it was when the sandbox was created: {why}. "
        "Put it back, or destroy the sandbox and create it again to open what is there now"
    )
