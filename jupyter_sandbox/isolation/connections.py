"""What waits in the connections of a guest: memory of Linux's that is in no figure of an OS process.

Linux is asked for its table of connections, see sock_diag(7), which needs no power. A connection that was seen open
once counts until it is gone, also when it was closed with what waits in it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from typing import NamedTuple

from . import system
from .shortage import NO_FILES

_NETLINK, _SOCK_DIAG = 16, 4
_BY_FAMILY, _DESTROY = 20, 21
_ALL, _ANSWER = 0x301, 0x5
_ERROR, _DONE = 2, 3
_TCP, _UDP = 6, 17
_TABLES = ((2, _TCP), (10, _TCP), (2, _UDP), (10, _UDP))
_MEMORY = 7
"""The attribute that says how much memory a socket has."""
_STATES = 0xFFF & ~(1 << 3 | 1 << 6 | 1 << 10 | 1 << 12)
"""All but those in which nothing can wait: half open, waiting for its time to pass, listening."""
_HEAD, _ABOUT, _ATTRIBUTE = struct.Struct("=IH10x"), struct.Struct("=B3x40sQ16xI"), struct.Struct("=HH")
_HAS = struct.Struct("=I4xI8xI4xI")
"""Bytes that were received, that are on their way out, that are queued to go out, and that came while it was busy."""
_PIECE = 1 << 15
_PIECES = 16
"""Of the table in one look, some three thousand connections: a machine that has more is looked at in several."""
_LAST_PIECES = 256
_MUCH = 1 << 18
"""Bytes that wait in a connection until it is worth being reset at the end."""
_NET_ADMIN = 1 << 12


class _Found(NamedTuple):
    family: int
    protocol: int
    place: bytes
    """Ports, addresses and interface."""
    cookie: int
    """Of one connection for ever."""
    socket: int
    """Its number among open files, 0 when it has been closed."""
    size: int


class Connections:
    """Of one guest, looked at again and again."""

    def __init__(self) -> None:
        self.waiting = 0
        """Bytes, as seen when the table was last read to its end."""
        self._known = frozenset[int]()
        self._sockets = frozenset[int]()
        self._found: list[_Found] = []
        self._reading: Iterator[bytes] | None = None

    def __bool__(self) -> bool:
        """Whether there are some, or may be: the table is being read."""
        return bool(self._known) or self._reading is not None

    def look(self, sockets: Collection[int]) -> None:
        """``sockets`` are those that it has open. Raises OSError only when nothing more can be opened here."""
        if self._reading is None:
            self._sockets = frozenset(sockets)
            if not self._sockets and not self._known:
                return
            self._reading, self._found = _pieces(), []
        self._read_on(_PIECES)

    def _read_on(self, most: int) -> None:
        try:
            for _ in range(most):
                self._found += self._own(next(self._reading or iter(())))
        except StopIteration:
            self._reading = None
            self._known = frozenset(one.cookie for one in self._found)
            self.waiting = sum(one.size for one in self._found)
        except OSError as error:
            self._reading = None
            if error.errno in NO_FILES:
                raise

    def _own(self, piece: bytes) -> Iterator[_Found]:
        protocol = piece[0]
        for message in _messages(piece[1:]):
            family, place, cookie, number = _ABOUT.unpack_from(message)
            if cookie in self._known or (number and number in self._sockets):
                yield _Found(family, protocol, place, cookie, number, _size(message))

    def reset(self) -> None:
        """What waits in much of them is given back, where we have the power to. Call when the guest has ended: else
        Linux tries to deliver it for minutes."""
        if not self._known or not system.capabilities() & _NET_ADMIN:
            return
        with suppress(OSError):
            self._reading, self._found = _pieces(), []
            self._read_on(_LAST_PIECES)
            for one in self._found:
                if one.size > _MUCH and not one.socket:  # one that is open by now belongs to who has it
                    _destroy(one)
        self.close()

    def close(self) -> None:
        """Ask no more. Idempotent."""
        self._reading = None


def _pieces() -> Iterator[bytes]:
    """Of all tables, each with its protocol in front. Raises OSError."""
    for family, protocol in _TABLES:
        with closing(_asked(family, protocol)) as answers:
            while piece := _next(answers):
                yield bytes((protocol,)) + piece


def _asked(family: int, protocol: int) -> socket.socket:
    question = struct.pack("=BBBxI48x", family, protocol, 1 << _MEMORY - 1, _STATES)
    return _sent(_BY_FAMILY, _ALL, question)


def _sent(kind: int, flags: int, question: bytes) -> socket.socket:
    asking = socket.socket(_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _SOCK_DIAG)
    try:
        asking.sendto(struct.pack("=IHHII", 16 + len(question), kind, flags, 1, 0) + question, (0, 0))
    except OSError:
        asking.close()
        raise
    return asking


def _next(answers: socket.socket) -> bytes:
    """Nothing at the end, and of a table that this Linux does not tell of."""
    try:
        piece = answers.recv(_PIECE)
    except BlockingIOError:
        return b""
    return b"" if len(piece) < _HEAD.size or _HEAD.unpack_from(piece)[1] in (_ERROR, _DONE) else piece


def _messages(piece: bytes) -> Iterator[bytes]:
    at = 0
    while at + _HEAD.size <= len(piece):
        length, kind = _HEAD.unpack_from(piece, at)
        if kind != _BY_FAMILY or length < _HEAD.size + _ABOUT.size or at + length > len(piece):
            return
        yield piece[at + _HEAD.size : at + length]
        at += length + 3 & ~3


def _size(message: bytes) -> int:
    at = _ABOUT.size
    while at + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if kind == _MEMORY and length >= _ATTRIBUTE.size + _HAS.size:
            received, on_its_way, queued, came = _HAS.unpack_from(message, at + _ATTRIBUTE.size)
            return int(received + max(on_its_way, queued) + came)
        at += max(_ATTRIBUTE.size, length + 3 & ~3)
    return 0


def _destroy(one: _Found) -> None:
    question = struct.pack("=BBBxI", one.family, one.protocol, 0, _STATES) + one.place + struct.pack("=Q", one.cookie)
    _sent(_DESTROY, _ANSWER, question).close()
