"""A reference for how long an answer takes on this machine, now: an OS process that echoes, asked through one thread.

That is the way of a question to a sandbox, at the same nice value and in a session of its own, without the kernel,
which may be what is slow. Run as a program, ``echo.py FILE`` asks on and on and writes down when it asked and when it
was answered, in nanoseconds of the monotonic clock. It ends with its standard input.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import struct
import sys
import threading
import time

NICE = 5
"""As a sandbox (``isolation/forker.py``)."""
PAUSE_S = 0.02


def echo(end: socket.socket) -> None:
    """Until nobody is left to ask."""
    os.setsid()
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        with open("/proc/self/autogroup", "w") as file:
            file.write(str(NICE))
    except OSError:  # this Linux does not group
        pass
    while said := end.recv(1):
        end.sendall(said)


def pass_on(questions: queue.SimpleQueue[bytes], answers: queue.SimpleQueue[bytes], end: socket.socket) -> None:
    """What the manager's thread does, but for what it decides."""
    while True:
        end.sendall(questions.get())
        answers.put(end.recv(1))


def main(path: str) -> None:
    """Ask until standard input ends."""
    mine, its = socket.socketpair()
    if os.fork() == 0:
        mine.close()
        echo(its)
        os._exit(0)
    its.close()
    questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=pass_on, args=(questions, answers, mine), daemon=True).start()
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    while not select.select([0], [], [], PAUSE_S)[0]:
        note(file)
        questions.put(b"x")
        answers.get()
        note(file)


def note(file: int) -> None:
    """The time."""
    os.write(file, struct.pack("@q", time.monotonic_ns()))


if __name__ == "__main__":
    main(sys.argv[1])
