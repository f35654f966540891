"""A reference for how long an answer takes on this machine, now: an OS process that echoes, asked through one thread.

That is the way of a question to a sandbox, at the same nice value and in a session of its own, without the kernel,
which may be what is slow. Run as a program, ``echo.py FILE`` asks on and on; of each echo it writes down when it was
asked for and when it came (nanoseconds of the monotonic clock), and what had then been used of the processors by all
and by its parent with all that descends from it (ticks). It ends with its standard input.
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
PAUSE_S = 0.04


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
    file, kernel = os.open(path, os.O_WRONLY | os.O_APPEND), str(os.getppid())
    while not select.select([0], [], [], PAUSE_S)[0]:
        asked = time.monotonic_ns()
        questions.put(b"x")
        answers.get()
        os.write(file, struct.pack("@4q", asked, time.monotonic_ns(), used_by_all(), used_by_tree(kernel)))


def used_by_all() -> int:
    """How long all processors have worked, or were lent to other machines by the one beneath."""
    with open("/proc/stat") as file:
        words = file.readline().split()[1:]
    user, nice, system, _, _, interrupts, soft, stolen = map(int, words[:8])
    return user + nice + system + interrupts + soft + stolen


def used_by_tree(pid: str) -> int:
    """What an OS process and all that descend from it have of that, those included that have ended and been reaped."""
    used, found = used_by(pid), [child for thread in threads(pid) for child in children(pid, thread)]
    while found:
        pid = found.pop()
        used += used_by(pid)
        found += children(pid, pid)
    return used


def used_by(pid: str) -> int:
    """Of one OS process and of those that it has reaped."""
    return sum(map(int, read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:15]))


def children(pid: str, thread: str) -> list[str]:
    """Those that this thread has started, as Linux tells it."""
    return read(f"/proc/{pid}/task/{thread}/children").split()


def threads(pid: str) -> list[str]:
    """Their numbers."""
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def read(path: str) -> str:
    """'' when it has ended meanwhile."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1])
