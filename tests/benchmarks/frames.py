"""The wire alone: typed frames between two OS processes over a socket pair, each end decoding and checking legality."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator

from jupyter_sandbox.model.protection import Protection
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection

CHUNK = 1 << 16
BATCH = 256
"""Frames that are written at once: a burst of news is."""
PUSHED = m.Alert(limit="mailbox_limit", message="40 messages waited at front")


def one_way(frames: int) -> tuple[float, float]:
    """Frames per second from a guest to the kernel, made, written, read, decoded and checked.

    By the clock on the wall, and by the CPU seconds of the busier end: what it would be with a core for each.
    """

    def guest(end: socket.socket) -> None:
        connection = Connection("guest")
        end.sendall(connection.send(_ready()))
        for _ in range(frames // BATCH):
            end.sendall(b"".join(connection.send(PUSHED) for _ in range(BATCH)))

    child = _Child(guest)
    with child as end:
        connection = Connection("kernel")
        wanted = 1 + frames // BATCH * BATCH
        left = wanted - len(connection.receive(end.recv(CHUNK)))
        began, used = time.perf_counter(), time.process_time()
        while left:
            left -= len(connection.receive(end.recv(CHUNK)))
        spent, used = time.perf_counter() - began, time.process_time() - used
    return (wanted - 1) / spent, (wanted - 1) / max(used, child.cpu_s)


def round_trip(times: int) -> float:
    """Microseconds from a request to its answer, the median."""

    def guest(end: socket.socket) -> None:
        connection = Connection("guest")
        end.sendall(connection.send(_ready()))
        while data := end.recv(CHUNK):
            for request in connection.receive(data):
                end.sendall(connection.send(m.Done(id=request.id)))  # type: ignore[union-attr]

    with _Child(guest) as end:
        connection = Connection("kernel")
        connection.receive(end.recv(CHUNK))
        spent = []
        for number in range(1, times + 1):
            began = time.perf_counter()
            end.sendall(connection.send(m.Resume(id=number)))
            connection.receive(end.recv(CHUNK))
            spent.append(time.perf_counter() - began)
        return statistics.median(spent) * 1e6


def bare_round_trip(times: int) -> float:
    """The same without any protocol: what the operating system takes."""

    def guest(end: socket.socket) -> None:
        while data := end.recv(CHUNK):
            end.sendall(data)

    with _Child(guest) as end:
        spent = []
        for _ in range(times):
            began = time.perf_counter()
            end.sendall(b"x" * 20)
            end.recv(CHUNK)
            spent.append(time.perf_counter() - began)
        return statistics.median(spent) * 1e6


def _ready() -> m.Ready:
    return m.Ready(protocol=m.PROTOCOL, pid=os.getpid(), protection=Protection("off"))


class _Child:
    """The other end in an OS process of its own."""

    def __init__(self, act: Callable[[socket.socket], None]) -> None:
        self._end, theirs = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            try:
                self._end.close()
                act(theirs)
            finally:
                os._exit(0)
        self.cpu_s = 0.0
        theirs.close()

    def __enter__(self) -> socket.socket:
        return self._end

    def __exit__(self, *_: object) -> None:
        self._end.close()
        _, _, usage = os.wait4(self._pid, 0)
        self.cpu_s = usage.ru_utime + usage.ru_stime


def report(rounds: int, frames: int = 100_000, trips: int = 5_000) -> Iterator[str]:
    """One line per figure, each the median of the rounds."""
    taken = [(*one_way(frames), round_trip(trips), bare_round_trip(trips)) for _ in range(rounds)]
    wall, rate, trip, bare = (statistics.median(column) for column in zip(*taken, strict=True))
    yield f"{'one way':<14}{rate:>12,.0f} per s    at least 500,000; by the CPU time of the busier end"
    yield f"{'':<14}{wall:>12,.0f} per s    by the clock, with whatever else ran"
    yield f"{'round trip':<14}{trip:>12.1f} us       at most 60; {trip / bare:.1f} x a bare echo ({bare:.1f} us)"
