"""Attacks on what the kernel and a sandbox have two ends of: flags, options and contents of channel and pipes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .conftest import Arena
from .tools import CHANNEL, HEARTBEAT, TOOLS

FLAGS = {
    "all flags at once": (
        "for fd in (1, 2, 3):\n"
        "    for flag in (_os.O_APPEND, _os.O_NONBLOCK, 0o20000, _os.O_NOATIME, _os.O_DIRECT):\n"
        "        try: fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | flag)\n"
        "        except OSError: pass"
    ),
    "no flags": "for fd in (1, 2, 3): fcntl.fcntl(fd, fcntl.F_SETFL, 0)",
    "flags by ioctl": "for fd in (1, 2, 3): fcntl.ioctl(fd, 0x5421, struct.pack('i', 1))",
    "signals of readiness": (
        "for fd in (1, 3):\n    for command in (8, 10, 15):\n"
        "        try: fcntl.fcntl(fd, command, {kernel})\n        except OSError: pass\n"
        "    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | 0o20000)\n"
        "print('x'); channel.send(b'')"
    ),
    "smaller and larger pipes": (
        "for size in (4096, 1 << 20):\n    try: fcntl.fcntl(1, 1031, size)\n    except OSError: pass"
    ),
    "locks": (
        "for fd in (1, 2, 3):\n    for act in (fcntl.flock, fcntl.lockf):\n"
        "        try: act(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n        except OSError: pass"
    ),
    "other ends": "for fd in (1, 2):\n    for mode in range(3): _os.open(f'/proc/self/fd/{fd}', mode | _os.O_NONBLOCK)",
}


EVERYWHERE = [(name, profile) for name in FLAGS for profile in ("", "basic") if not ("signals" in name and profile)]
"""Without a filter such signals arrive, and that is told."""


@pytest.mark.parametrize(("name", "profile"), EVERYWHERE)
def test_flags_of_its_ends_are_not_those_of_the_kernels(arena: Arena, name: str, profile: str) -> None:
    sandbox = arena.attacker(profile=profile or None)
    guest = sandbox._unit.guest
    assert guest is not None
    ends = (guest.stdout.fileno(), guest.stderr.fileno(), guest.process.control.fileno())
    before = [Path(f"/proc/self/fdinfo/{fd}").read_text() for fd in ends]
    source = f"import fcntl\n{CHANNEL}{FLAGS[name].replace('{kernel}', str(os.getpid()))}"
    arena.attack(source, sandbox)
    assert [Path(f"/proc/self/fdinfo/{fd}").read_text() for fd in ends] == before
    assert arena.works_again(sandbox)


OPTIONS = """
values = (struct.pack('i', 1), struct.pack('i', 0x7fffffff), struct.pack('ii', 1, 0x7fffffff), struct.pack('qq', 0, 1))
for level in (0, 1, 6, 41):
    for option in range(100):
        for value in values:
            try: channel.setsockopt(level, option, value)
            except OSError: pass
"""


@pytest.mark.parametrize("allow", [None, {"net": True}], ids=str)
def test_no_option_of_its_end_of_the_channel_keeps_the_kernel(arena: Arena, allow: dict[str, bool] | None) -> None:
    sandbox = arena.attacker(allow=allow)
    arena.attack(f"{CHANNEL}{OPTIONS}", sandbox)
    assert arena.works_again(sandbox)


POURED = {
    "zeros into its output": "zeros = _os.open('/dev/zero', 0)\nwhile True: _os.sendfile(1, zeros, None, 1 << 30)",
    "a library into its output": "while True: _os.sendfile(1, library, 0, 1 << 30)",
    "zeros into the channel": "_os.sendfile(3, _os.open('/dev/zero', 0), None, 1 << 30)",
    "a library into the channel": "_os.set_blocking(3, True); _os.sendfile(3, library, 0, 1 << 30)",
    "by copying": "_os.copy_file_range(library, 3, 1 << 30)",
    "its output into the channel": (
        "_os.sendfile(3, _os.open('/proc/self/fd/1', _os.O_RDONLY | _os.O_NONBLOCK), None, 1 << 20)"
    ),
    "into a file, over and over": (
        "into = _os.open('x', _os.O_CREAT | _os.O_RDWR)\n"
        "while True: _os.lseek(into, 0, 0); _os.copy_file_range(library, into, 1 << 24, 0)"
    ),
}


@pytest.mark.parametrize("name", POURED)
def test_what_is_poured_by_the_operating_system_itself_can_be_ended(arena: Arena, name: str) -> None:
    """One call writes without end, and its user's processes are not heard meanwhile."""
    profile = "basic" if re.search("sendfile|copy_file_range", POURED[name]) else None  # nobody else has it
    sandbox = arena.attacker(profile=profile, limits={"handler_budget": 1_000})
    source = f"{TOOLS}library = _os.open(_ctypes.__file__, 0)\n{POURED[name]}"
    outcome = arena.attack(source, sandbox, timeout_ms=8_000)
    assert outcome.error is not None
    assert arena.works_again(sandbox)


COSTLY = {"zeros": b"\0", "escapes": b"\x1b", "upper controls": "\x9b".encode(), "returns": b"\r", "in turns": b"a\0"}


@pytest.mark.parametrize("name", COSTLY)
def test_output_of_control_characters_alone_is_soon_made_harmless(arena: Arena, name: str) -> None:
    """All that a cell may show of it comes to the kernel at once, where each of them takes four characters."""
    sandbox = arena.attacker(limits={"handler_budget": 8_000})
    piece = COSTLY[name]
    outcome = arena.attack(f"import os; os.write(1, {piece!r} * {1_000_000 // len(piece)})", sandbox)
    arena.until(lambda: len(sandbox.output()) > 50_000, "it did not arrive")
    assert outcome.error is None


KEPT = {
    "a page in a pipe": (
        "import os, socket\nreading, writing = os.pipe()\nfile = os.open('x', os.O_CREAT | os.O_RDWR)\n"
        "os.write(file, bytes(4096))\nos.sendfile(writing, file, 0, 1)", {"ENOSYS", "ENOTSOCK"},
    ),
    "a lock that is waited for": (
        "import fcntl, struct\nfile = open('x', 'w')\n"
        "fcntl.fcntl(file, 38, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1, 0))", {"EPERM"},
    ),
    "a page of its heartbeat that is given back": (
        TOOLS + HEARTBEAT + "called(_libc.madvise(_ctypes.c_void_p(place & ~4095), 4096, 9))", {"EINVAL"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("allow", [None, {"net": True, "subprocess": True, "read": ["/usr"]}], ids=str)
def test_what_keeps_files_and_pages_where_nobody_looks_is_refused(
    strict: Arena, allow: dict[str, object] | None, name: str
) -> None:
    source, refusals = KEPT[name]
    strict.refuses(source, strict.attacker(allow=allow), also=refusals)


COPYING = """
import io, os, shutil, socket, threading
with open('from', 'wb') as file: file.write(b'x' * 1_000_000)
shutil.copyfile('from', 'to')
one, other = socket.socketpair()
heard = []
def hear():
    while part := other.recv(1 << 16): heard.append(len(part))
thread = threading.Thread(target=hear); thread.start()
with open('from', 'rb') as file: one.sendfile(file)
one.close(); thread.join()
answer = os.path.getsize('to'), sum(heard)
"""


def test_without_it_files_are_copied_and_sent_as_before(strict: Arena) -> None:
    assert strict.attack(COPYING).value == (1_000_000, 1_000_000)


FASTER = """
import fcntl
with open('from', 'wb') as file: file.write(b'x' * 1000)
source, target = _os.open('from', _os.O_RDONLY), _os.open('to', _os.O_CREAT | _os.O_WRONLY)
answer = []
for copy in (
    lambda: fcntl.ioctl(target, 0x40049409, source), lambda: _os.copy_file_range(source, target, 1000),
    lambda: _os.sendfile(target, source, 0, 1000),
):
    try: copy(); answer.append('copied'); break
    except OSError as error: answer.append(_errno.errorcode[error.errno])
"""


@pytest.mark.parametrize(
    ("allow", "answers"),
    [(None, ["ENOTSUP", "EXDEV", "ENOTSOCK"]), ({"subprocess": True}, ["ENOTSUP", "copied"])],
    ids=["strict", "programs"],
)
def test_pathlib_finds_another_way_of_copying(strict: Arena, allow: dict[str, bool] | None, answers: list[str]) -> None:
    """From Python 3.14 on it tries these one after the other, and goes on after these errors alone."""
    assert strict.attempt(FASTER, strict.attacker(allow=allow)) == answers


BUFFERS = """
import socket
one, other = socket.socketpair()
sizes = []
for end in (one, other, socket.socket(socket.AF_INET), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)):
    for name in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        before = end.getsockopt(socket.SOL_SOCKET, name)
        end.setsockopt(socket.SOL_SOCKET, name, 1 << 24)
        sizes.append(end.getsockopt(socket.SOL_SOCKET, name) - before)
answer = sizes
"""


def test_no_buffer_of_a_socket_grows_where_the_network_is_open(strict: Arena) -> None:
    assert strict.attack(BUFFERS, strict.attacker(allow={"net": True})).value == [0] * 8


WEEKS = """
import socket
answer = []
for family in (socket.AF_INET, socket.AF_INET6):
    end = socket.socket(family)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2**31 - 1)
    answer.append(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
"""
GROUP = """
import socket, struct
end = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
end.setsockopt(socket.IPPROTO_IPV6, {}, bytes([0xff, 0x12]) + bytes(14) + struct.pack('=I', 1))
"""


def test_no_connection_is_kept_for_weeks_after_the_end(strict: Arena) -> None:
    """What it says counts for Linux also when nobody has the connection open any more."""
    assert strict.attack(WEEKS, strict.attacker(allow={"net": True})).value == [0, 0]


def test_no_group_of_the_network_is_joined(strict: Arena) -> None:
    """Linux has one list of them for each card, and goes through it for each that comes and goes."""
    sandbox = strict.attacker(allow={"net": True})
    for option in ("socket.IPV6_JOIN_GROUP", "42"):
        strict.refuses(GROUP.format(option), sandbox)
