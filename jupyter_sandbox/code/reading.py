"""Read a file that somebody else may have made: a pipe, a device or a link waits for nobody and leads nowhere.

A folder that is loaded can be one that a sandbox may write, and it can change while it is read. So no file is opened by
looking at it first: it is opened without waiting, then asked what it is, and read no further than allowed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..model.errors import CompileError

_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PIECE = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}  # fmt: skip


def read_file(path: Path, most: int) -> bytes:
    """The file that a user named, links followed: at most ``most`` bytes, and one more when there are more.

    Raises CompileError (load_error) that names the file when it cannot be read or is no file.
    """
    with _told(path):
        return _contents(os.open(path, _FILE), path, most)


class Folder:
    """A folder whose files are read without following a link in it, whatever becomes of it meanwhile."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, most: int) -> bytes:
        """Like ``read_file``, for a path below the folder. A link on the way is an error that names it."""
        full = self.root / path
        *folders, name = PurePosixPath(path).parts
        with _told(full):
            at = os.open(self.root, _FOLDER)
            try:
                for folder in folders:
                    below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                    os.close(at)
                    at = below
                return _contents(os.open(name, _FILE | os.O_NOFOLLOW, dir_fd=at), full, most)
            finally:
                os.close(at)


def _contents(file: int, path: Path, most: int) -> bytes:
    try:
        kind = stat.S_IFMT(os.fstat(file).st_mode)
        if kind != stat.S_IFREG:
            found = _KINDS.get(kind, "no file")
            raise CompileError("load_error", f"{path} is {found}: put a file there, or take it away")
        pieces, left = list[bytes](), most + 1
        while left and (piece := os.read(file, min(left, _PIECE))):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(file)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            why = f"{path} is a symbolic link, or behind one: put the file itself there"
        elif error.errno == errno.ENXIO:
            why = f"{path} is a socket: put a file there, or take it away"
        else:
            why = f"{path} cannot be read: {error.strerror or error}; check the path"
        raise CompileError("load_error", why) from None
