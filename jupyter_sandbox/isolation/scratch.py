"""Folders that guests work in: one per guest under one per zygote of a kernel, removed with it."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .shortage import NO_FILES

if sys.platform != "win32":
    import fcntl

PREFIX = "jupyter_sandbox-"
OWNER = "owner"
"""The file in a kernel's folder that is locked as long as the kernel lives."""
_JOIN_S = 5.0
_AGAIN_S = (0.05, 0.1, 0.2, 0.5, 1, 2)
"""Before a folder is removed once more: what was killed a moment ago can still be writing, programs that it started
for longer."""
_UNNOTED = getattr(os, "O_NOATIME", 0)
"""Reading a folder that changes would write the time of access, and wait for whatever a drive is busy with."""
_DEEPEST = 64
"""Folders in folders inside a guest's folder: each one costs an open file while we look."""


class ScratchRoot:
    """The folder of one kernel. A lock on a file in it says that the kernel lives; the lock dies with the kernel.

    >>> root = ScratchRoot()
    >>> folder = root.make()
    >>> root.close(); os.path.exists(folder)
    False
    """

    def __init__(self, parent: str | None = None) -> None:
        self._base = Path(parent or tempfile.gettempdir()).resolve()  # what is open or mapped is told without links
        _nameable(self._base)
        sweep(self._base)
        self.path, self._lock = _made(self._base)
        self._removals: list[threading.Thread] = []

    def make(self) -> str:
        """A new empty folder, for its owner only. Raises OSError."""
        try:
            return _folder_in(self.path)
        except FileNotFoundError:  # somebody tidied up around us
            self._make_anew()
            return _folder_in(self.path)

    def _make_anew(self) -> None:
        path, lock = _made(self._base)
        self._release()
        self.path, self._lock = path, lock

    def remove(self, folder: str) -> None:
        """Remove a guest's folder and all in it. Returns at once; a full folder goes in a thread of its own."""
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return
        except OSError:
            thread = threading.Thread(target=remove_for_good, args=(folder,), name="sandbox-scratch", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # no thread is to be had: it goes with all others at the end
                return
            self._removals = [known for known in self._removals if known.is_alive()] + [thread]

    def close(self) -> None:
        """Remove everything. Idempotent."""
        for thread in self._removals:
            thread.join(_JOIN_S)
        self._removals = []
        self._release()  # first: what removes the folder may need the open file
        remove_tree(self.path)

    def _release(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def _nameable(base: Path) -> None:
    """Frames and Landlock's rules hold paths as UTF-8. Raises OSError."""
    try:
        os.fsencode(base).decode()
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ), str(base)) from None


def _folder_in(parent: Path, prefix: str = "tmp") -> str:
    """Open to its owner whatever the umask: one without rights for the owner would close it to the guest, too."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    os.chmod(folder, 0o700)
    return folder


def _made(base: Path) -> tuple[Path, int]:
    """The folder of a kernel, and the lock on it. Raises OSError and leaves nothing then."""
    path = Path(_folder_in(base, PREFIX))
    try:
        return path, _lock(path)
    except OSError:
        path.rmdir()
        raise


def _lock(folder: Path) -> int:
    fd = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(fd, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def sweep(base: Path) -> None:
    """Remove the folders of our user's kernels that were killed."""
    for folder in base.glob(f"{PREFIX}*"):
        try:
            found = folder.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            fd = os.open(folder / OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW) if ours else -1
        except OSError:
            continue
        if fd >= 0:
            _remove_if_free(folder, fd)


def _remove_if_free(folder: Path, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(folder)
    except OSError:
        return  # its kernel lives
    finally:
        os.close(fd)


class FolderUse(NamedTuple):
    """Bytes that a folder takes on disk, how many files and folders it holds, how long the largest file is, and whether
    folders lie in it so deep that not all could be looked at."""

    used: int = 0
    files: int = 0
    largest: int = 0
    deep: bool = False


def folder_use(folder: str, most_files: int) -> FolderUse:
    """What a folder holds.

    Stops above ``most_files``. Links are not followed, not even those that take a folder's place while we look. What
    cannot be read counts as one file. Raises OSError only when nothing more can be opened here.
    """
    count = _Count(most_files)
    try:
        top = _open_folder(folder)
    except OSError as error:
        if error.errno in NO_FILES:
            raise
        return FolderUse()
    try:
        count.add(top)
    finally:
        os.close(top)
    return FolderUse(count.used, count.files, count.largest, count.deep)


class _Count:
    def __init__(self, most: int) -> None:
        self.used = self.files = self.largest = 0
        self.deep = False
        self._most = most
        self._linked: set[int] = set()
        """Numbers of files with more than one name, which take their room once."""

    def add(self, folder: int, depth: int = 0) -> None:
        for name in self._entries(folder):
            if self.files > self._most or self.deep:
                return
            if depth == _DEEPEST:
                self.deep = True
                return
            try:
                inner = _open_folder(name, folder)
            except OSError as error:
                if error.errno in NO_FILES:
                    raise
                self.files += 1
                continue
            try:
                self.add(inner, depth + 1)
            finally:
                os.close(inner)

    def _entries(self, folder: int) -> list[str]:
        """Count what is in it; the folders among it."""
        folders: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self.files += 1
                    if self.files > self._most:
                        break
                    self._take(entry, folders)
        except OSError as error:
            if error.errno in NO_FILES:
                raise
        return folders

    def _take(self, entry: os.DirEntry[str], folders: list[str]) -> None:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        with suppress(FileNotFoundError):
            found = entry.stat(follow_symlinks=False)
            if found.st_ino in self._linked:
                return
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                self._linked.add(found.st_ino)
            self.used += found.st_blocks * 512
            self.largest = max(self.largest, found.st_size)


def remove_for_good(folder: str) -> None:
    """Remove it, and what is written into it meanwhile. Takes some seconds at most."""
    remove_tree(folder)
    for pause in _AGAIN_S:
        if not os.path.lexists(folder):
            return
        time.sleep(pause)
        remove_tree(folder)


def remove_tree(folder: str | Path) -> None:
    """Remove whatever a guest left: odd names, pipes, links (never followed), folders without permissions or without
    end. What cannot be removed stays; nothing is raised."""
    try:
        top = _open_folder(str(folder))
    except OSError:
        return
    try:
        while _clear_once(top):
            pass
    except OSError:
        return
    finally:
        os.close(top)
        with suppress(OSError):
            os.rmdir(folder)


def _clear_once(top: int) -> bool:
    """Remove the files of a folder and empty its folders; whether there may be more to do.

    What lies deeper is moved up to the top, so that depth costs neither recursion nor paths that are too long.
    """
    moved = False
    for name in _remove_files(top):
        with suppress(OSError):
            inner = _open_folder(name, top)
            try:
                for deeper in _remove_files(inner):
                    os.close(_open_folder(deeper, inner))
                    os.rename(deeper, os.urandom(8).hex(), src_dir_fd=inner, dst_dir_fd=top)
                    moved = True
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)
    return moved


def _remove_files(folder: int) -> list[str]:
    """The folders that are left when everything else has been removed."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                with suppress(OSError):
                    os.unlink(entry.name, dir_fd=folder)
    return folders


def _open_folder(name: str, parent: int | None = None) -> int:
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
