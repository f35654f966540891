"""Folders that guests work in: one per guest under one per kernel, removed with it, and swept up after a killed one."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl

_PREFIX = "jupyter_sandbox-"
_JOIN_S = 5.0


class ScratchRoot:
    """The folder of one kernel. A lock on a file in it says that the kernel lives; the lock dies with the kernel.

    >>> root = ScratchRoot()
    >>> folder = root.make()
    >>> root.close(); os.path.exists(folder)
    False
    """

    def __init__(self, parent: str | None = None) -> None:
        base = Path(parent or tempfile.gettempdir())
        sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._lock = _lock(self.path)
        self._removals: list[threading.Thread] = []

    def make(self) -> str:
        """A new empty folder, for its owner only."""
        return tempfile.mkdtemp(dir=self.path)

    def remove(self, folder: str) -> None:
        """Remove a guest's folder and all in it. Returns at once; a full folder goes in a thread of its own."""
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return
        except OSError:
            thread = threading.Thread(target=remove_tree, args=(folder,), name="sandbox-scratch", daemon=True)
            self._removals = [known for known in self._removals if known.is_alive()] + [thread]
            thread.start()

    def close(self) -> None:
        """Remove everything. Idempotent."""
        for thread in self._removals:
            thread.join(_JOIN_S)
        self._removals = []
        remove_tree(self.path)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def _lock(folder: Path) -> int:
    fd = os.open(folder / "owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def sweep(base: Path) -> None:
    """Remove the folders of our user's kernels that were killed."""
    for folder in base.glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            fd = os.open(folder / "owner", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW) if ours else -1
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


def folder_use(folder: str, most_files: int) -> tuple[int, int]:
    """Bytes that a folder takes on disk, and how many files and folders it holds; stops above ``most_files``.

    Links are not followed. A guest may rename while we look: what cannot be read counts as one file.
    """
    used, files, left = 0, 0, [folder]
    while left and files <= most_files:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    files += 1
                    if files > most_files:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            files += 1
    return used, files


def remove_tree(folder: str | Path) -> None:
    """Remove whatever a guest left: odd names, pipes, links (never followed), folders without permissions."""
    shutil.rmtree(folder, onerror=_open_up)


def _open_up(function: Callable[..., Any], path: str, _error: object) -> None:
    """A folder that may not be read or changed is ours all the same."""
    for one in (os.path.dirname(path), path):
        try:
            if stat.S_ISDIR(os.lstat(one).st_mode):
                os.chmod(one, 0o700)
        except OSError:
            continue
    try:
        if function is os.rmdir or stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    except OSError:
        return
