"""Files that threads wait for, seen in this OS process itself."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable

import pytest

from jupyter_sandbox.isolation import waited_for

from ..waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def polled(sockets: list[socket.socket], goes_on: int) -> None:
    poll = select.poll()
    for one in sockets:
        poll.register(one, 0)
    poll.register(goes_on, select.POLLIN)
    poll.poll(60_000)


def selected(sockets: list[socket.socket], goes_on: int) -> None:
    select.select([goes_on, *sockets], [], [], 60)


@pytest.mark.parametrize("wait", [polled, selected])
def test_what_a_thread_waits_for_counts_though_it_was_closed(wait: Callable[[list[socket.socket], int], None]) -> None:
    before = waited_for.look(os.getpid()).files
    goes_on, end = os.pipe()
    pairs = [socket.socketpair() for _ in range(20)]
    thread = threading.Thread(target=wait, args=([one for pair in pairs for one in pair], goes_on))
    thread.start()
    until(lambda: waited_for.look(os.getpid()).files >= before + 40)
    for pair in pairs:
        for one in pair:
            one.close()
    assert waited_for.look(os.getpid()).files >= before + 40
    os.close(end)
    thread.join(60)
    os.close(goes_on)
    until(lambda: waited_for.look(os.getpid()).files <= before)


def test_what_a_thread_reads_counts_once() -> None:
    before = waited_for.look(os.getpid()).files
    reading, writing = os.pipe()
    threads = [threading.Thread(target=os.read, args=(reading, 1)) for _ in range(5)]
    for one in threads:
        one.start()
    until(lambda: waited_for.look(os.getpid()).files >= before + 5)
    os.close(writing)
    for one in threads:
        one.join(60)
    os.close(reading)
    until(lambda: waited_for.look(os.getpid()).files <= before)


def test_who_is_always_at_work_and_in_linux_alone_is_restless() -> None:
    restless, over = waited_for.Restless(), threading.Event()

    def read() -> None:
        place = bytearray(1 << 22)
        with open("/dev/zero", "rb", buffering=0) as zeros:
            while not over.is_set():
                zeros.readinto(place)

    def compute() -> None:
        while not over.is_set():
            sum(range(10_000))

    threads = [threading.Thread(target=act) for act in (read, compute)]
    for one in threads:
        one.start()
    try:
        assert restless.look(os.getpid()) == 0, "nobody was seen before"
        time.sleep(1)
        until(lambda: restless.look(os.getpid()) == 1)
    finally:
        over.set()
        for one in threads:
            one.join(60)


def test_whoever_does_something_else_waits_for_none() -> None:
    assert waited_for.waits_for(b"202 0x3e8 0x80 0x0 0x0 0x0 0x0 0x7ffc 0x7f12", "x86_64") == 0
    assert waited_for.waits_for(b"7 0x7f00 0xffffffff00000003 0x0 0x0 0x0 0x0 0x7ffc 0x7f12", "x86_64") == 3
    assert waited_for.waits_for(b"73 0x7f00 0x3 0x0 0x0 0x0 0x0 0x7ffc 0x7f12", "aarch64") == 3
    assert waited_for.waits_for(b"0 0x3 0x7f00 0x1 0x0 0x0 0x0 0x7ffc 0x7f12", "x86_64") == 1
    assert waited_for.waits_for(b"63 0x3 0x7f00 0x1 0x0 0x0 0x0 0x7ffc 0x7f12", "aarch64") == 1
    assert waited_for.waits_for(b"", "x86_64") == waited_for.waits_for(b"7 0x7f00", "x86_64") == 0
    assert waited_for.waits_for(b"7 0x7f00 0x3 0x0", "riscv64") == 0
