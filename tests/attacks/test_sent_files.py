"""Attacks by open files that are sent along the channel: who drops the last hold on one closes it, however slow that
is."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from jupyter_sandbox.isolation import channel_pair

from ..waiting import until
from .conftest import Arena, crash_reason
from .tools import CHANNEL

NO_SUCH_OPTION = 9_999


@pytest.fixture(params=[False, True], ids=["as this Linux does", "as Linux before 6.16"])
def refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether Linux refuses to send any."""
    if request.param:
        monkeypatch.setattr(channel_pair, "_PASSES_FILES", NO_SUCH_OPTION)
    ours, theirs = channel_pair.channel_pair()
    with ours, theirs:
        return type(ours) is socket.socket


@pytest.fixture
def deaf_server() -> Iterator[int]:
    """The port of who takes connections and reads nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield server.getsockname()[1]


def test_files_that_are_sent_along_are_not_taken(arena: Arena, refused: bool) -> None:
    sandbox = arena.attacker(profile="basic", limits={"handler_budget": 5_000})  # which may send them
    spares = arena.manager._spares
    until(lambda: spares is not None and spares.full)  # those that are kept ready have files here, too
    before = len(os.listdir("/proc/self/fd"))
    source = CHANNEL + (
        "import array\nfds = array.array('i', [os.open('/dev/null', 0) for _ in range(8)])\nanswer = 0\n"
        "body = frame(pack(m.Notice(level='info', text='x')))\n"
        "for _ in range(100):\n"
        "    try: channel.sendmsg([body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])\n"
        "    except PermissionError: answer += 1\n"
        "[os.close(fd) for fd in fds]"
    )
    outcome = arena.attack(source, sandbox)
    if refused:
        assert outcome.value == 100
        assert arena.alive(sandbox), "so that they are not gone because it is"
    else:
        assert crash_reason(sandbox) == "protocol: it sent open files"
    until(lambda: len(os.listdir("/proc/self/fd")) <= before, "files that came along were kept")
    assert arena.works_again(sandbox)


def test_a_connection_that_is_slow_to_close_keeps_nobody(arena: Arena, deaf_server: int, refused: bool) -> None:
    """Linux waits where it is closed, for as long as whoever opened it said, until the other end took all of it."""
    source = (
        CHANNEL
        + f"""
import array
slow = []
for _ in range(4):
    one = socket.create_connection(('127.0.0.1', {deaf_server}))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 5))
    one.setblocking(False)
    try:
        while True: one.send(bytes(65536))
    except BlockingIOError: pass
    slow.append(one.detach())
body, answer = frame(pack(m.Notice(level='info', text='x'))), 0
for _ in range(3):
    try: channel.sendmsg([body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', slow))])
    except PermissionError: answer += 1
"""
    )
    sandbox = arena.attacker(profile="basic")
    outcome = arena.attack(source, sandbox)
    assert outcome.value == 3 if refused else crash_reason(sandbox) == "protocol: it sent open files"
    arena.watch(sandbox.destroy)


def test_no_connection_of_a_standard_sandbox_is_slow_to_close(arena: Arena, deaf_server: int) -> None:
    """Not for Linux either, whose own thread closes for everybody what nobody can reach any more."""
    source = f"""
    import socket, struct
    one = socket.create_connection(('127.0.0.1', {deaf_server}))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    answer = 'it lingers'
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 5))
    """
    outcome = arena.attack(source, arena.attacker(allow={"net": True}))
    assert "Protocol not available" in str(outcome.error)
