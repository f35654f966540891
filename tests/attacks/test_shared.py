"""Attacks through what is shared: memory that was there before the fork, the heartbeat page, clocks, the channel."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from .conftest import Arena
from .tools import CHANNEL, HEARTBEAT, attempt


def shared_memory(pid: int | None) -> set[str]:
    """What it writes together with others: the number of each piece, and its name."""
    rows = (line.split(None, 5) for line in Path(f"/proc/{pid}/maps").read_text().splitlines())
    return {f"{row[4]} {row[5].strip()}" for row in rows if row[1][1] == "w" and row[1][3] == "s"}


def test_sandboxes_share_no_memory_with_each_other_nor_with_who_made_them(arena: Arena) -> None:
    """Whatever was rehearsed there: a page would be a way to tell each other things, or to change them."""
    pids = [arena.attacker().info().os_pid for _ in range(3)]
    found = [shared_memory(pid) for pid in (*pids, arena.bystander.info().os_pid)]
    assert all(len(pieces) == 1 and "heartbeat" in "".join(pieces) for pieces in found)
    assert len(set.union(*found)) == len(found), "a page that two of them have"
    assert shared_memory(arena.zygote) == set()


WITH_THE_PAGE = {
    "a hole in it": ("for _ in range(10_000): called(_libc.madvise(_ctypes.c_void_p(place), 4096, 9))", "EINVAL"),
    "giving it back": ("called(_libc.madvise(_ctypes.c_void_p(place), 4096, 4))", "worked"),
    "another page in its place": (
        "called(_libc.mmap(_ctypes.c_void_p(place), _ctypes.c_size_t(4096), 3, 0x32, -1, _ctypes.c_long(0)))", "worked",
    ),
    "no page in its place": (
        "called(_libc.munmap(_ctypes.c_void_p(place), 4096)); cells[1] = 1", "its OS process ended with signal 11",
    ),
    "a larger one": (
        "called(_libc.mremap(_ctypes.c_void_p(place), 4096, 1 << 20, 1)); cells[1] = 1",
        "its OS process ended with signal 11",
    ),
    "waking who waits on it": ("syscall('futex', _ctypes.c_void_p(place), 1, 1 << 30, 0, 0, 0)", "worked"),
    "its text as another text": ("_ctypes.memset(_ctypes.c_void_p(place + 64), 255, 200)", "worked"),
}  # fmt: skip
"""Each with what has to come of it."""


@pytest.mark.parametrize("name", WITH_THE_PAGE)
def test_whatever_becomes_of_the_heartbeat_page_the_kernel_reads_on(arena: Arena, name: str) -> None:
    source, expected = WITH_THE_PAGE[name]
    sandbox = arena.attacker(limits={"handler_budget": 3_000})
    outcome = arena.attack(attempt(f"{HEARTBEAT}{source}\nimport time; time.sleep(0.2)"), sandbox)
    assert arena.fate(outcome, sandbox).startswith(expected)
    assert arena.works_again(sandbox)


CLOCKS = {
    "reading it": "syscall('clock_gettime', clock, _ctypes.create_string_buffer(16))",
    "reading that of a thread": "syscall('clock_gettime', clock | 4, _ctypes.create_string_buffer(16))",
    "waiting for it": "syscall('clock_nanosleep', clock, 0, (_ctypes.c_long * 2)(0, 1), 0)",
    "a timer on it": "syscall('timer_create', clock, 0, _ctypes.byref(_ctypes.c_int()))",
    "a timer on the clock of a device": "syscall('timer_create', ~0 << 3 | 3, 0, _ctypes.byref(_ctypes.c_int()))",
}


@pytest.mark.parametrize("name", CLOCKS)
@pytest.mark.parametrize("whose", ["the kernel", "another sandbox"])
def test_the_processor_time_of_others_is_no_clock(strict: Arena, name: str, whose: str) -> None:
    pid = os.getpid() if whose == "the kernel" else strict.bystander.info().os_pid
    strict.refuses(f"clock = (~{pid} << 3 | 2) & 0xFFFFFFFF\n{CLOCKS[name]}", also={"ENOSYS"})


def test_its_own_clocks_work_on(strict: Arena) -> None:
    source = """
    import time
    answer = [time.clock_gettime(clock) > 0 for clock in (time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID)]
    answer += [time.process_time() > 0, time.thread_time() > 0, time.clock_gettime(time.CLOCK_BOOTTIME) > 0]
    """
    assert strict.attempt(source) == [True] * 5


BY_TIMER = {
    "to a thread of the kernel": "{kernel}",
    "to the first program of the machine": "1",
    "to a thread of the zygote": "_os.getppid()",
}


@pytest.mark.parametrize("name", BY_TIMER)
def test_a_timer_signals_threads_of_its_own_alone(strict: Arena, name: str) -> None:
    source = f"""
    event = (_ctypes.c_int * 16)(); event[2] = 9; event[3] = 4; event[4] = {BY_TIMER[name]}
    syscall('timer_create', 1, event, _ctypes.byref(_ctypes.c_int()))
    """
    strict.refuses(source, also={"EINVAL", "ENOSYS"})


ON_THE_CHANNEL = {
    "a byte out of band": "channel.send(b'x', socket.MSG_OOB)",
    "bytes out of band before and behind": (
        "body = frame(pack(m.Notice(level='info', text='x')))\n"
        "for _ in range(100): channel.send(b'x', socket.MSG_OOB); channel.sendall(body)"
    ),
    "nothing, again and again": "for _ in range(100_000): channel.send(b'')",
    "the channel itself, sent along": (
        "import array\nfor _ in range(30): channel.sendmsg([frame(pack(m.Notice(level='info', text='x')))], "
        "[(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [3] * 2))])"
    ),
    "who waits for the channel, sent along": (
        "import array, select\nwaiting = select.epoll(); waiting.register(3)\n"
        "channel.sendmsg([frame(pack(m.Notice(level='info', text='x')))], "
        "[(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [waiting.fileno()] * 100))])"
    ),
    "no more reading": "channel.shutdown(socket.SHUT_RD)",
    "a small buffer": "channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)",
    "the beginning of an answer, and silence": (
        "piece = struct.pack('>I', 1 << 31 | 1 << 20) + pack({'type': 'SnapshotBlob'}).ljust(1 << 20, b'x')\n"
        "for _ in range(60): channel.sendall(piece)"
    ),
    "the beginning of news, and silence": (
        "piece = struct.pack('>I', 1 << 31 | 1 << 20) + pack({'type': 'TreeChanged'}).ljust(1 << 20, b'x')\n"
        "for _ in range(7): channel.sendall(piece)"
    ),
}


OUT_OF_BAND = "worked|EOPNOTSUPP|protocol: "
"""Not every Linux has it, and what was out of band can come to stand in the middle of a frame."""
WITH_FILES = "EPERM|protocol: it sent open files"
"""Newer Linux refuses."""
ENDS = {
    "a byte out of band": OUT_OF_BAND,
    "bytes out of band before and behind": OUT_OF_BAND,
    "the channel itself, sent along": WITH_FILES,
    "who waits for the channel, sent along": WITH_FILES,
    "the beginning of an answer, and silence": "protocol: ",
    "the beginning of news, and silence": "protocol: ",
}
"""What has to come of those that do not just work."""
REFUSED_IN_STRICT = ("sendmsg", "setsockopt")


@pytest.mark.parametrize("name", ON_THE_CHANNEL)
def test_odd_uses_of_the_channel_cost_the_kernel_neither_time_nor_memory(arena: Arena, name: str) -> None:
    source = ON_THE_CHANNEL[name]
    profile = "basic" if any(call in source for call in REFUSED_IN_STRICT) else None
    sandbox = arena.attacker(limits={"handler_budget": 3_000}, profile=profile)
    used, started = time.process_time(), time.monotonic()
    outcome = arena.attack(attempt(f"{CHANNEL}{source}\ntime.sleep(0.5)"), sandbox)
    assert time.process_time() - used < 0.6 * (time.monotonic() - started) + 0.2
    assert re.match(ENDS.get(name, "worked"), arena.fate(outcome, sandbox))
    assert outcome.grown < 30_000_000
    assert arena.works_again(sandbox)
