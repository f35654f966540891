"""Opening exactly what a path says: no link on the way is followed, whoever puts one there and whenever."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct

from . import system

OPENAT2 = 437
"""The same on every machine, as Linux numbers all calls since 5.1."""
_HERE = -100
_NO_SYMLINKS = 0x04
_MOST_LINKS = 40
"""As many as Linux follows."""
_MISSING = (errno.ENOSYS, errno.EPERM)
"""What a Linux before 5.6 says to openat2, and a container with a filter that does not know it."""


def open_straight(path: str) -> int:
    """A file that stands for an absolute path and can neither be read nor written; Linux only.

    Raises OSError: ELOOP or ENOTDIR for a link, wherever on the way it is.
    """
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, _NO_SYMLINKS)
    name = ctypes.c_char_p(os.fsencode(path))
    try:
        return system.syscall(OPENAT2, _HERE, name, ctypes.c_char_p(how), len(how))
    except OSError as error:
        if error.errno not in _MISSING:
            raise
    return open_by_steps(path)


def open_by_steps(path: str) -> int:
    """The same without openat2: folder by folder, each one held open while the next is looked up in it."""
    flags = os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW
    *folders, last = [part for part in path.split("/") if part] or ["."]
    here = os.open("/", flags | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, flags | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = inner
        found = os.open(last, flags, dir_fd=here)
    finally:
        os.close(here)
    if stat.S_ISLNK(os.fstat(found).st_mode):  # with O_PATH the link itself is opened, and that is no error
        os.close(found)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return found


def follow(path: str) -> tuple[str, list[str]]:
    """Where an absolute path leads, and every link that it leads over, by their own real paths.

    As the operating system goes: ``..`` behind a link is the parent of what the link leads to. Raises OSError.

    >>> follow("/usr/../usr//.")
    ('/usr', [])
    """
    real, links, ahead = "/", list[str](), path.split("/")[::-1]
    while ahead:
        part = ahead.pop()
        if part == "..":
            real = os.path.dirname(real)
        elif part not in ("", "."):
            step = os.path.join(real, part)
            if not stat.S_ISLNK(os.lstat(step).st_mode):
                real = step
                continue
            links.append(step)
            if len(links) > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(step)
            real = "/" if target.startswith("/") else real
            ahead += target.split("/")[::-1]
    return real, links
