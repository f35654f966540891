"""Short looks at what Linux says of an OS process; Python's lock is let go of only where something is waited for.

``open`` and ``os.read`` let other threads run while they wait for the operating
system. These files are answered from memory in some microseconds; but where
many threads of a notebook compute, each time that the lock was let go costs a
turn of all of them, five milliseconds apiece, before it is had again. Only for
files of ``/proc`` that nobody can make slow: a list of memory maps, or a disk,
is none of them.

Whoever lists a folder there, or looks for a name that Linux does not remember,
has to take the folder's lock. Any OS process can make a queue of that, also in a
folder of others: ``mkdir`` takes it before it is refused. So other threads go on
meanwhile, and nobody is blamed alone for what such a look waits for.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from .syscalls import NUMBERS
from .waits import Waits

_LINUX = sys.platform == "linux"
_BESIDE, _CACHED = -100, 0x20
"""From the working folder on; fail rather than wait for a lock, see openat2(2)."""
_OUTGOING = 0x5411
"""SIOCOUTQ, see unix(7)."""
_SOME = 1 << 14
"""More than the longest of these files, on a machine of a thousand processors too, but for ``status``."""

_rooms: dict[int, Any] = {}
"""Room for so many bytes that nobody uses right now: making it anew takes longer than all the rest."""
AMONG_ALL: Final = Waits()
"""Who waits for a lock that any OS process can take."""
_LISTED = 1 << 13
_LONGEST = 4_096
"""Linux makes no longer name of a path: it says ENAMETOOLONG."""


@functools.cache
def libc() -> ctypes.PyDLL:
    """C's library, called without letting go of Python's lock."""
    return ctypes.PyDLL(None, use_errno=True)


@functools.cache
def _patient() -> ctypes.CDLL:
    """The same for calls that may wait: other threads go on meanwhile."""
    return ctypes.CDLL(None, use_errno=True)


def _waited_for(call: Any, *words: object) -> int:
    return int(AMONG_ALL.during(call, *words))


def look_for_nobody(folder: str = "") -> None:
    """Look for an OS process that there never is, or for a name that is not in ``folder``: who waits for long here is
    kept as all are who look for one."""
    with suppress(OSError):
        opened(f"{folder}/{os.urandom(8).hex()}" if folder else "/proc/0")


def read(path: str, most: int = _SOME) -> bytes:
    """What such a file says, in one piece. Raises OSError."""
    if not _LINUX:
        with open(path, "rb", buffering=0) as file:
            return file.read(most) or b""
    fd = opened(path)
    try:
        return read_at_start(fd, most)
    finally:
        libc().close(fd)


def read_whole(path: str) -> bytes:
    """A file that may be longer: ``status`` lists all groups of a user, who may be in thousands. Raises OSError."""
    most = _SOME
    while len(text := read(path, most)) == most:
        most *= 4
    return text


def state(folder: str) -> bytes:
    """What a thread does, by its folder, or the first one of an OS process: R, S, D, T, Z; nothing when it is no more.

    >>> state("/proc/self") if _LINUX else b"R"
    b'R'
    """
    try:
        return state_in(read(f"{folder}/stat", 512))
    except OSError:
        return b""


def state_in(stat: bytes) -> bytes:
    """The same in what such a file says.

    >>> state_in(b"7 (a) b) S 1 7")
    b'S'
    """
    return stat.rpartition(b")")[2][1:2]


@functools.cache
def proc_is_ours() -> bool:
    """Whether ``/proc`` numbers OS processes as we do.

    Who was put into a PID namespace and kept the ``/proc`` of before finds strangers there under its own numbers: then
    nothing of it is read or written.
    """
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def _refuse_strangers(path: str) -> None:
    if path.startswith("/proc") and not proc_is_ours():
        raise FileNotFoundError(errno.ENOENT, "there is no /proc of our own PID namespace", path)


def opened(path: str, flags: int = os.O_RDONLY) -> int:
    """Such a file, to be read again and again and closed like any other. Raises OSError."""
    if not _LINUX:
        return os.open(path, flags)
    _refuse_strangers(path)
    name, flags = os.fsencode(path), flags | os.O_CLOEXEC
    fd = _opened_from_memory(name, flags)
    return fd if fd >= 0 else _checked(_waited_for(_patient().open, name, flags), path)


def find(path: str) -> None:
    """Have Linux remember a name, so that whoever opens it next waits for nobody but the file. Raises OSError."""
    libc().close(opened(path, getattr(os, "O_PATH", os.O_RDONLY)))


def _opened_from_memory(name: bytes, flags: int) -> int:
    """-1 where Linux would have to look for it, or does not know this call."""
    how = (ctypes.c_uint64 * 3)(flags, 0, _CACHED)
    return int(libc().syscall(_openat2(), _BESIDE, name, how, ctypes.c_size_t(ctypes.sizeof(how))))


@functools.cache
def _openat2() -> int:
    return NUMBERS.get(os.uname().machine, {}).get("openat2", -1)


def read_at_start(fd: int, most: int) -> bytes:
    """The same of a file that is open. Raises OSError."""
    if not _LINUX:
        return os.pread(fd, most, 0)
    buffer: Any = _rooms.pop(most, None) or ctypes.create_string_buffer(most)
    text: bytes = buffer[: _checked(libc().pread(fd, buffer, ctypes.c_size_t(most), ctypes.c_long(0)), "")]
    if most <= _SOME:
        _rooms[most] = buffer
    return text


def link(path: str) -> str:
    """What a link in ``/proc`` says that it leads to; nobody goes there. Raises OSError."""
    if not _LINUX:
        return os.readlink(path)
    _refuse_strangers(path)
    buffer = ctypes.create_string_buffer(_LONGEST)
    size = _checked(_waited_for(_patient().readlink, os.fsencode(path), buffer, ctypes.c_size_t(_LONGEST)), path)
    return os.fsdecode(ctypes.string_at(buffer, size))


def unread(fd: int) -> int:
    """Bytes that a socket was given, packed as Linux does, and nobody has read at its other end. Raises OSError."""
    size = ctypes.c_int()
    _checked(libc().ioctl(fd, ctypes.c_ulong(_OUTGOING), ctypes.byref(size)), "")
    return size.value


def names(path: str, most: int = 1 << 20) -> list[str]:
    """Of what is in a folder of ``/proc``; some more than ``most`` at most. Raises OSError."""
    listing = getattr(_patient(), "getdents64", None) if _LINUX else None
    if listing is None:
        return os.listdir(path)
    _refuse_strangers(path)
    fd = opened(path, os.O_RDONLY | os.O_DIRECTORY)
    buffer, found = ctypes.create_string_buffer(_LISTED), list[str]()
    try:
        while len(found) <= most + 2 and (size := _listed(listing, fd, buffer, path)):
            found += _names_in(ctypes.string_at(buffer, size))
    finally:
        libc().close(fd)
    return [name for name in found if name not in (".", "..")]


def _listed(listing: Any, fd: int, buffer: Any, path: str) -> int:
    return _checked(_waited_for(listing, fd, buffer, ctypes.c_size_t(_LISTED)), path)


def _names_in(entries: bytes) -> Iterator[str]:
    """As getdents64(2) has them: 16 bytes of numbers, the length of the entry, its type, its name and a zero."""
    at = 0
    while at < len(entries):
        length = int.from_bytes(entries[at + 16 : at + 18], sys.byteorder)
        yield os.fsdecode(entries[at + 19 : at + length].partition(b"\0")[0])
        at += length


def write(path: str, text: bytes) -> None:
    """One word for Linux about an OS process. Raises OSError."""
    if not _LINUX:
        with open(path, "wb", buffering=0) as file:
            file.write(text)
        return
    fd = opened(path, os.O_WRONLY)
    try:
        _checked(libc().write(fd, text, ctypes.c_size_t(len(text))), path)
    finally:
        libc().close(fd)


def _checked(result: int, path: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result
