"""What kernel and zygote say to each other: one message per packet, with file descriptors attached where noted."""

from __future__ import annotations

import array
import os
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
    boot: msgspec.Raw
    """A Boot, which the guest alone reads: what the zygote makes of it stays in its memory, and every guest that is
    forked after has a copy of that."""
    programs: bool = False
    """Whether it may start some."""


read_boot = msgspec.msgpack.Decoder(Boot).decode


class End(msgspec.Struct, frozen=True, tag=True):
    """Kernel to zygote: this guest has been killed; whatever it started ends now, not when it has found the time to."""

    pid: int


ToZygote = Fork | End


class Importing(msgspec.Struct, frozen=True, tag=True):
    """The zygote goes on to the next module that the user wants imported."""

    module: str


class CannotImport(msgspec.Struct, frozen=True, tag=True):
    """Instead of Hello: one of these modules failed, as ``reason`` says in words; ``missing``: there is none."""

    modules: tuple[str, ...]
    reason: str
    missing: bool = False


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The zygote has preloaded everything and forks from now on. It has one thread."""

    pid: int


class Forked(msgspec.Struct, frozen=True, tag=True):
    """With the new process's pidfd attached."""

    id: int
    pid: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A fork (or with id 0 the zygote's own start) failed."""

    id: int
    reason: str


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """What was asked with this id is nothing that the zygote knows; it goes on."""

    id: int
    reason: str


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A child has been reaped; ``status`` is the word of waitpid, ``ran_ns`` its processor time, -1 if unknown."""

    pid: int
    status: int
    ran_ns: int = -1


FromZygote = Hello | Importing | CannotImport | Forked | Refused | Unreadable | Exited


def packet_pair() -> tuple[socket.socket, socket.socket]:
    """A socket pair that keeps packets apart; where Linux gives end of stream too, others give only the packets."""
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    return socket.socketpair(socket.AF_UNIX, kind)


_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def received(control: socket.socket, most: int) -> tuple[bytes, list[int]]:
    """The next packet and the files that came with it, which no program that is started meanwhile gets.

    Not ``socket.recv_fds``, which takes flags and passes none of them on. Raises OSError.
    """
    data, told, _, _ = control.recvmsg(MAX_PACKET, _room(most), _CLOSE_ON_EXEC)
    return data, _files(told)


def received_into(control: socket.socket, place: bytearray, most: int) -> tuple[int, list[int]]:
    """The same for who wants no copy of it anywhere: how many bytes of ``place`` it takes."""
    size, told, _, _ = control.recvmsg_into([place], _room(most), _CLOSE_ON_EXEC)
    return size, _files(told)


def _room(files: int) -> int:
    return socket.CMSG_LEN(files * array.array("i").itemsize)


def _files(told: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, content in told:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if not _CLOSE_ON_EXEC:
        for fd in fds:
            os.set_inheritable(fd, False)
    return list(fds)
