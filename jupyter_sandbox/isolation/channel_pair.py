"""The two ends of a channel, of which ours takes no open files.

Linux closes files that were sent along in the thread that reads what came with them, and that can take as long as the
sender likes: a connection that waits for its last bytes, a deleted file in a hundred thousand pieces. Linux 6.16 and
newer refuse to send any where the reader says so. Elsewhere they are taken, closed by another thread, and an error.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Iterable
from contextlib import suppress

from .aside import begun_aside

_PASSES_FILES = 83
"""SO_PASSRIGHTS, see asm-generic/socket.h."""
_MOST = 253
"""Files that come with one piece of data, see SCM_MAX_FD in unix(7)."""
_SIZE = array.array("i").itemsize


class FilesSent(OSError):
    """Files came with what was read."""


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Ours and the guest's. Raises OSError when there are none to be had."""
    ours, theirs = socket.socketpair()
    try:
        ours.setsockopt(socket.SOL_SOCKET, _PASSES_FILES, 0)
    except OSError:
        ours = _Unpacking(fileno=ours.detach())
    return ours, theirs


class _Unpacking(socket.socket):
    """Reads, and sees what comes along. Raises FilesSent then."""

    def recv_into(self, buffer, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[no-untyped-def]
        size, along, _, _ = self.recvmsg_into([buffer], socket.CMSG_SPACE(_MOST * _SIZE), flags)
        if along:
            _close_aside(fd for _, _, files in along for fd in array.array("i", files[: len(files) // _SIZE * _SIZE]))
            raise FilesSent("it sent open files")
        return size

    def close(self) -> None:
        """What was not read goes now, and with it the files in there."""
        if self.fileno() >= 0:
            _close_aside([self.detach()])


def _close_aside(files: Iterable[int]) -> None:
    fds = tuple(files)

    def close() -> None:
        for fd in fds:
            with suppress(OSError):
                os.close(fd)

    if begun_aside(close) is None:
        close()
