"""What the kernel lacks for another OS process of ours, in words with what to do: it is no fault of a sandbox."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from typing import Final

if sys.platform != "win32":
    import resource

NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
"""Nothing more can be opened."""
NO_PROCESSES: Final = frozenset({errno.EAGAIN})
"""Nor started."""


def _folder() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return ""


def _opens_nothing() -> bool:
    """Then none is found either."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in NO_FILES
    return False


def _nothing_may_be_written() -> bool:
    """Then no folder for temporary files is found, whatever there is."""
    return sys.platform != "win32" and resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0


def _is_elsewhere(path: object, folder: str) -> bool:
    return isinstance(path, str) and not path.startswith((folder, os.path.realpath(folder)))


def shortage(error: OSError) -> str:
    """Why something could not be opened or made.

    >>> shortage(OSError(errno.EMFILE, "Too many open files"))
    'as many files are open as may be: close some in the notebook, or destroy some sandboxes'
    """
    if error.errno in NO_FILES or (error.errno == errno.ENOENT and _opens_nothing()):
        return "as many files are open as may be: close some in the notebook, or destroy some sandboxes"
    if error.errno in NO_PROCESSES:
        return (
            "as many OS processes and threads run as may be: end some, in the notebook or elsewhere, or let more be "
            "had (ulimit -u)"
        )
    if error.errno == errno.EFBIG or _nothing_may_be_written():
        return "no file may be as long as is needed: let files be longer (ulimit -f)"
    if error.errno == errno.ENOMEM:
        return "no memory is to be had: free some in the notebook, or destroy some sandboxes"
    folder = _folder()
    if not folder:
        return "there is no folder for temporary files that can be written to: set TMPDIR to one and restart the kernel"
    if error.errno == errno.EILSEQ:
        return (
            f"the name of the folder for temporary files, {folder!a}, is no UTF-8: set TMPDIR to another one and "
            "restart the kernel"
        )
    if error.errno == errno.ENOENT and _is_elsewhere(error.filename, folder):
        return f"{error.filename!a} is missing: make it again"
    if error.errno == errno.ENOENT:
        return f"the folder for temporary files, {folder}, is gone: make it again"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the drive of the folder for temporary files, {folder}, is full: make room there"
    if error.errno == errno.ENOLCK:
        return (
            f"the drive of the folder for temporary files, {folder}, knows no locks: set TMPDIR to a folder on another "
            "one and restart the kernel"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and error.filename is not None:
        return f"nothing can be made in the folder for temporary files, {folder}: {error.strerror}; let it be written"
    return f"{error}; try again, and see what this machine gives: python -m jupyter_sandbox doctor"


def unwatched(error: OSError) -> str:
    """Why something that is open cannot be waited for.

    >>> unwatched(OSError(errno.ENOSPC, "No space left on device"))
    'programs of this user wait for as many files as they may: end some, or let more be had (fs.epoll.max_user_watches)'
    """
    if error.errno == errno.ENOSPC:
        return (
            "programs of this user wait for as many files as they may: end some, or let more be had "
            "(fs.epoll.max_user_watches)"
        )
    if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        return (
            "no file that stands for an OS process (pidfd) is to be had or used here: Linux has them from 5.3 on, and "
            "a container's filter of system calls has to let them through"
        )
    return shortage(error)
