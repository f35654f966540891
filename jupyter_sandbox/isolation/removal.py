"""Removing a folder that a guest worked in: whatever it left there, and without keeping anybody waiting beside it.

Linux remembers names that were looked for and do not exist, for each folder. Its removal takes them away one by one, of
which there may be millions, and whoever makes or removes anything beside it waits for seconds. So a folder is emptied,
moved into one of its own and removed there.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

OWNER = "owner"
"""The file in a kernel's folder that is locked as long as the kernel lives. It goes last: by it the folder is known to
whoever sweeps up."""
PREFIX = "jupyter_sandbox-"
_AGAIN_S = (0.05, 0.1, 0.2, 0.5, 1, 2)
"""Before a folder is removed once more: what was killed a moment ago can still be writing, programs that it started
for longer."""
_UNNOTED = getattr(os, "O_NOATIME", 0)
"""Reading a folder that changes would write the time of access, and wait for whatever a drive is busy with."""


def remove_for_good(folder: str | Path) -> None:
    """Remove it, and what is written into it meanwhile. Takes some seconds at most, but for what Linux does in one go.

    Emptied first, which waits for whoever is at work in it: the move would keep others waiting meanwhile.
    """
    if not _emptied(folder):
        with suppress(OSError):  # nothing may be left to open it with
            os.rmdir(folder)
        return
    aside = _moved_aside(str(folder))
    remove_tree(aside)
    for pause in _AGAIN_S:
        if not os.path.lexists(aside):
            return
        time.sleep(pause)
        remove_tree(aside)


def _moved_aside(folder: str) -> str:
    """The new folder that it lies in now; itself, where none can be had."""
    try:
        aside = tempfile.mkdtemp(prefix=PREFIX, dir=os.path.dirname(folder))
    except OSError:
        return folder
    try:
        os.rename(folder, os.path.join(aside, "removed"))
    except OSError:
        with suppress(OSError):
            os.rmdir(aside)
        return folder
    return aside


def remove_tree(folder: str | Path) -> None:
    """Remove whatever a guest left: odd names, pipes, links (never followed), folders without permissions or without
    end. What cannot be removed stays; nothing is raised."""
    if _emptied(folder, but=""):
        with suppress(OSError):
            os.rmdir(folder)


def _emptied(folder: str | Path, but: str = OWNER) -> bool:
    """Whether it is a folder. What could be removed of it has been."""
    try:
        top = open_folder(str(folder))
    except OSError:
        return False
    try:
        while _clear_once(top, but):
            pass
    except OSError:
        pass
    finally:
        os.close(top)
    return True


def _clear_once(top: int, but: str) -> bool:
    """Remove the files of a folder and empty its folders; whether there may be more to do.

    What lies deeper is moved up to the top, so that depth costs neither recursion nor paths that are too long.
    """
    moved = False
    for name in _remove_files(top, but):
        with suppress(OSError):
            inner = open_folder(name, top)
            try:
                for deeper in _remove_files(inner):
                    os.close(open_folder(deeper, inner))
                    os.rename(deeper, os.urandom(8).hex(), src_dir_fd=inner, dst_dir_fd=top)
                    moved = True
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)
    return moved


def _remove_files(folder: int, but: str = "") -> list[str]:
    """The folders that are left when everything else has been removed, ``but`` one file."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.name != but:
                with suppress(OSError):
                    os.unlink(entry.name, dir_fd=folder)
    return folders


def open_folder(name: str, parent: int | None = None) -> int:
    """Open to list and to change, whatever its permissions: it is ours all the same. Raises OSError for a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags | _UNNOTED, dir_fd=parent)
    except PermissionError as error:
        if error.errno == errno.EACCES:  # else it is somebody else's, whose access only is to be noted
            _open_up(name, parent)
        fd = os.open(name, flags, dir_fd=parent)
    if os.fstat(fd).st_mode & 0o700 != 0o700:
        os.fchmod(fd, 0o700)
    return fd


def _open_up(name: str, parent: int | None) -> None:
    """Of exactly this folder: a link that takes its place meanwhile is not followed."""
    if not hasattr(os, "O_PATH"):
        os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)
