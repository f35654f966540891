"""What kernel and zygote say to each other: one message per packet, with file descriptors attached where noted."""

from __future__ import annotations

import socket
import sys

import msgspec

from ..model.boot import Boot

MAX_PACKET = 1 << 16
GUEST_FDS = 4
"""Attached to Fork, in this order: control socket, stdout, stderr, heartbeat."""


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Kernel to zygote, with GUEST_FDS."""

    id: int
    boot: Boot


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The zygote has preloaded everything. ``threads`` above 1 makes forking unsafe."""

    pid: int
    threads: int


class Forked(msgspec.Struct, frozen=True, tag=True):
    """With the new process's pidfd attached."""

    id: int
    pid: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A fork (or with id 0 the zygote's own start) failed."""

    id: int
    reason: str


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A child has been reaped; ``status`` is the word of waitpid."""

    pid: int
    status: int


FromZygote = Hello | Forked | Refused | Exited


def packet_pair() -> tuple[socket.socket, socket.socket]:
    """A socket pair that keeps packets apart; where Linux gives end of stream too, others give only the packets."""
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    return socket.socketpair(socket.AF_UNIX, kind)
