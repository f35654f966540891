"""Landlock: Linux lets an unprivileged OS process give up all files, ports and signals but the ones it names.

The calls themselves and the rights that each version knows; what is opened to
whom is decided in ``paths``. Nothing here can be taken back by who applied it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import stat
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntFlag

from . import system
from .straight import open_straight

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_BENEATH, _PORT = 1, 2


class Right(IntFlag):
    """What may be done with files, in the order of Linux."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Right.READ_FILE | Right.READ_DIR
RUN = READ | Right.EXECUTE
WRITE = (
    READ | Right.WRITE_FILE | Right.REMOVE_DIR | Right.REMOVE_FILE | Right.MAKE_DIR | Right.MAKE_REG | Right.MAKE_FIFO
    | Right.MAKE_SYM | Right.REFER | Right.TRUNCATE
)  # fmt: skip
_OF_A_FILE = int(Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE | Right.IOCTL_DEV)
_RULE = struct.Struct("=Qi")
_BIND, _CONNECT = 1, 2
_QUIETLY = 1
"""What is refused is not written into the log of the machine, which any code could fill by trying again and again."""
_SCOPES, _SIGNALS = 3, 2
"""Abstract sockets and signals (the second: signals alone) reach only those who are as confined as the sender."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What a version controls, and therefore refuses where no rule allows it."""

    files: Right
    ports: int
    scopes: int
    flags: int = 0

    def encode(self) -> bytes:
        """As Linux takes it: an older version does not know the later fields."""
        fields = [int(self.files), self.ports, self.scopes]
        while len(fields) > 1 and not fields[-1]:
            fields.pop()
        return struct.pack(f"={len(fields)}Q", *fields)


@functools.cache
def handled(version: int, *, any_port: bool = False) -> Handled:
    """What is refused by default; ``any_port`` lets TCP connect anywhere, for who opened the network.

    >>> handled(1).files & Right.TRUNCATE, handled(7).scopes
    (<Right: 0>, 3)
    """
    newer = {Right.REFER: 2, Right.TRUNCATE: 3, Right.IOCTL_DEV: 5}
    files = Right(0)
    for right in Right:
        if version >= newer.get(right, 1):
            files |= right
    ports = 0 if version < 4 else _BIND if any_port else _BIND | _CONNECT
    return Handled(files, ports, _SCOPES if version >= 6 else 0, _QUIETLY if version >= 7 else 0)


def version() -> int:
    """The version of Landlock that this Linux has; 0 for none or switched off."""
    if not system.LINUX:
        return 0
    try:
        return system.syscall(_CREATE, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def restrict(
    refused: Handled, rules: Iterable[tuple[str, Right]], ports: Iterable[int] = (),
    *, opened: Callable[[str], int] = open_straight,
) -> None:  # fmt: skip
    """Keep this thread and what it will start to the rules, for ever. A path that cannot be ``opened`` is left out:
    one that does not exist, or that has become a link.

    Needs ``no_new_privs``. Raises OSError.
    """
    attributes = refused.encode()
    ruleset = system.syscall(_CREATE, ctypes.c_char_p(attributes), len(attributes), 0)
    try:
        handled_files = int(refused.files)  # plain numbers: an operation on a Right costs a microsecond
        for path, rights in rules:
            _allow(ruleset, path, int(rights) & handled_files, opened)
        for port in ports if refused.ports & _CONNECT else ():
            rule = struct.pack("=QQ", _CONNECT, port)
            system.syscall(_ADD, ruleset, _PORT, ctypes.c_char_p(rule), 0)
        system.syscall(_RESTRICT, ruleset, refused.flags)
    finally:
        os.close(ruleset)


def confine_signals() -> None:
    """Let signals of this thread and what it will start reach only each other, and all that they confine further.

    Needs version 6 and ``no_new_privs``. Raises OSError.
    """
    restrict(Handled(Right(0), 0, _SIGNALS, handled(version()).flags), ())


def _allow(ruleset: int, path: str, rights: int, opened: Callable[[str], int]) -> None:
    try:
        fd = opened(path)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_A_FILE
        if rights:
            system.syscall(_ADD, ruleset, _BENEATH, _RULE.pack(rights, fd), 0)
    finally:
        os.close(fd)
