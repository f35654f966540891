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
from weakref import WeakSet

from .aside import begun_aside
from .brief import AMONG_ALL
from .removal import OWNER, PREFIX, open_folder, remove_for_good
from .shortage import NO_FILES

if sys.platform != "win32":
    import fcntl

CLOSE_S = 2.0
"""How long the end of a kernel waits for the removal of its folder. It goes on behind it."""
_DEEPEST = 64
"""Folders in folders inside a guest's folder: each one costs an open file while we look."""

_TO_BE = f"{OWNER}-to-be"
_KNOWS_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What drives on a network say that are mounted without locks."""


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
        self._renewing = threading.Lock()
        self.path, self._lock = AMONG_ALL.during(_made, self._base)
        _ALL.add(self)
        self._sweeping = begun_aside(lambda: sweep(self._base))

    def make(self) -> str:
        """A new empty folder, for its owner only. From any thread: others can make who asks for one wait. Raises
        OSError."""
        try:
            return AMONG_ALL.during(_folder_in, self.path)
        except FileNotFoundError:  # somebody tidied up around us
            with self._renewing:
                if not os.path.isdir(self.path):
                    AMONG_ALL.during(self._make_anew)
            return AMONG_ALL.during(_folder_in, self.path)

    def _make_anew(self) -> None:
        path, lock = _made(self._base)
        self.release()
        self.path, self._lock = path, lock

    def remove(self, folder: str) -> None:
        """Remove a guest's folder and all in it. Returns at once: how long it takes is in the hand of who looked for
        names in there, so it is done by a thread of its own."""
        begun_aside(lambda: remove_for_good(folder))  # where none is to be had, it goes with all others at the end

    def release(self) -> None:
        """Let go of the lock, so that whoever sweeps up begins to. No other folder may be made after that."""
        if self._lock >= 0:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)  # whoever else has the file
        self.forget()

    def forget(self) -> None:
        """In another OS process: the lock is its owner's alone."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def undo(self) -> None:
        """As if it had never been, where nobody has worked in it: nothing has to be opened for that."""
        with suppress(OSError):
            os.unlink(self.path / OWNER)
            os.rmdir(self.path)
        self.release()

    def close(self) -> None:
        """Remove everything, if nobody else is at it. Idempotent; what takes long goes on behind it."""
        until_s = time.monotonic() + CLOSE_S
        self.release()
        if self._sweeping is not None:
            self._sweeping.wait(CLOSE_S)
        if os.path.lexists(self.path):
            removed = begun_aside(lambda: _remove_unless_swept(self.path))
            if removed is None:
                _remove_unless_swept(self.path)
            else:
                removed.wait(until_s - time.monotonic())


_ALL: WeakSet[ScratchRoot] = WeakSet()


def _forget() -> None:
    """A fork of the kernel, as ``multiprocessing`` makes them, can outlive it, and would have its lock for so long."""
    for root in tuple(_ALL):
        root.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


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
        with suppress(OSError):  # why there is none is what is told
            os.unlink(path / _TO_BE)
        with suppress(OSError):
            path.rmdir()
        raise


def _lock(folder: Path) -> int:
    """Under another name at first, so that nobody who sweeps finds it without the lock."""
    fd = os.open(folder / _TO_BE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(folder / _TO_BE, folder / OWNER)
    except OSError as error:
        os.close(fd)
        if error.errno in _KNOWS_NO_LOCKS:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(folder)) from None
        raise
    return fd


def sweep(base: Path) -> None:
    """Remove the folders of our user's kernels that were killed."""
    with suppress(OSError):  # nothing more can be opened: the next kernel looks again
        for folder in base.glob(f"{PREFIX}*"):
            _sweep_one(folder)


def _sweep_one(folder: Path) -> None:
    with suppress(OSError):
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            _remove_if_free(folder)


def _remove_unless_swept(folder: Path) -> None:
    """Our own, also where somebody has tidied up the file that says so."""
    try:
        _remove_if_free(folder)
    except OSError:
        remove_for_good(folder)


def _remove_if_free(folder: Path) -> None:
    """Raises OSError where it is no kernel's."""
    fd = os.open(folder / OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_for_good(folder)
    except OSError:
        return  # its kernel lives, or somebody sweeps up
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
        top = open_folder(folder)
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
                inner = open_folder(name, folder)
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
