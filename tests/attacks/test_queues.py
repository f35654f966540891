"""Attacks with the queues of Linux: hundreds of threads wait for a lock that whoever looks at the sandbox takes, too.

The threads work on their own memory maps or files, or on folders that all share, and are slow on purpose. Who is sent
to look waits among them; the kernel does not, and ends the sandbox. Whoever else computes on the machine feels them,
other tests too: some of them are run with those, the others in a campaign.
"""

from __future__ import annotations

import os
import platform
import threading
from contextlib import suppress

import pytest

from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import SandboxError
from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import Arena, Outcome, crash_reason
from .tools import TOOLS

MAPS = """
import threading
_libc.mprotect.argtypes = [_ctypes.c_void_p, _ctypes.c_size_t, _ctypes.c_int]
threading.stack_size(32768)
file = _os.open('a', _os.O_RDWR | _os.O_CREAT); _os.write(file, bytes(4096))
START, MANY = 0x20 << 40, 6000
for number in range(MANY):  # one page of one file again and again: no two of them become one map
    mapped(4096, 0x12, file, 1, START + 4096 * number)
def shake():
    while True: _libc.mprotect(START, 4096 * MANY, 0); _libc.mprotect(START, 4096 * MANY, 1)
for _ in range(200): threading.Thread(target=shake, daemon=True).start()
"""
QUEUES = {
    "for memory maps": MAPS,
    "for memory maps, and for a pipe behind it": MAPS + """
_libc.write.argtypes = [_ctypes.c_int, _ctypes.c_void_p, _ctypes.c_size_t]
_libc.madvise.argtypes = [_ctypes.c_void_p, _ctypes.c_size_t, _ctypes.c_int]
def tell():
    at = 0
    while True:
        _libc.write(1, b'x', 1)
        if _libc.write(1, START + 4096 * (at % 1000) + 10, 3000) >= 0: at += 1
        if not at % 1000: _libc.madvise(START, 4096 * 1000, 4)
for _ in range(4): threading.Thread(target=tell, daemon=True).start()
""",
    "for a file, and for its folder behind it": """
import threading
threading.stack_size(32768)
file = _os.open('a', _os.O_RDWR | _os.O_CREAT)
def write():
    while True: _os.pwrite(file, bytes(2_000_000), 0)
def link(name):
    while True:
        try: _os.link('a', name); _os.unlink(name)
        except OSError: pass
for number in range(40): threading.Thread(target=link, args=(f'b{number}',), daemon=True).start()
for _ in range(190): threading.Thread(target=write, daemon=True).start()
""",
}  # fmt: skip


def is_told(sandbox: Sandbox, outcome: Outcome) -> None:
    """Whoever was back in time has ended nothing; how long the queues are is the machine's."""
    if outcome.killed:
        assert crash_reason(sandbox).startswith("hang: its threads kept Linux busy with its files or memory maps")
        assert any("looking at it took more than a second" in text for text in sandbox.info().alerts)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.campaign if name.startswith("for memory maps") else ()) for name in QUEUES],
)
def test_the_kernel_waits_in_no_queue_of_a_sandbox(strict: Arena, name: str) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 60_000, "max_memory": 300_000_000})
    outcome = strict.attack(f"{TOOLS}{QUEUES[name]}import time; time.sleep(10)", sandbox, timeout_ms=60_000)
    is_told(sandbox, outcome)
    assert strict.works_again(sandbox)


@pytest.mark.campaign
@pytest.mark.parametrize("profile", ["basic", "off"])
def test_nor_in_one_of_who_could_hide_memory_and_is_looked_at_more_closely(arena: Arena, profile: str) -> None:
    sandbox = arena.attacker(profile=profile, limits={"handler_budget": 60_000, "max_memory": 300_000_000})
    outcome = arena.attack(f"{TOOLS}{MAPS}import time; time.sleep(10)", sandbox, timeout_ms=60_000)
    is_told(sandbox, outcome)
    assert arena.works_again(sandbox)


FOLDERS = """
import mmap, threading
threading.stack_size(32768)
page = mmap.mmap(-1, 4096, prot=7)
# rbx = name; again: mkdir(rbx, 0777); jump to again. Behind it: again: jump to again.
page[:20] = bytes.fromhex('4889fb 4889df beff010000 b853000000 0f05 ebef')
page[256:258] = bytes.fromhex('ebfe')
start = _ctypes.addressof(_ctypes.c_char.from_buffer(page))
make, spin = (_ctypes.CFUNCTYPE(None, _ctypes.c_char_p)(start + at) for at in (0, 256))
begin = threading.Event()
def go(act):
    begin.wait()
    act(%r.encode())
for act in [make] * 160 + [spin] * 80: threading.Thread(target=go, args=(act,), daemon=True).start()
begin.set()
import time; time.sleep(6)
"""
"""A folder that may not be made: Linux takes the lock of the one that it would be in before that is found out."""
PLACES = {
    "of the open files of a neighbour": "/proc/{neighbour}/fd/x",
    "of its own open files": "/proc/self/fd/x",
    "of its own threads": "/proc/self/task/x",
    "of the kernel's threads": "/proc/{kernel}/task/x",
    "of all OS processes": "/proc/x",
    "of all sandboxes": "{root}/x",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.campaign if "own" in name or "kernel" in name else ()) for name in PLACES],
)
def test_who_makes_a_queue_before_a_folder_of_all_ends_and_nobody_is_blamed_in_its_place(
    strict: Arena, name: str
) -> None:
    """Neighbours are looked at, and others are created meanwhile."""
    neighbour = strict.bystander.info().os_pid
    place = PLACES[name].format(neighbour=neighbour, kernel=os.getpid(), root=strict.scratch)
    sandbox = strict.attacker(limits={"handler_budget": 60_000})
    made: list[object] = []

    def create() -> None:
        while sandbox.status is SandboxStatus.RUNNING:
            other = strict.manager.create()
            made.append(other.exec("1 + 1"))
            other.destroy()

    creator = threading.Thread(target=create)
    creator.start()
    outcome = strict.attack(f"{TOOLS}{FOLDERS % place}", sandbox, timeout_ms=60_000)
    if outcome.killed:
        assert crash_reason(sandbox).startswith("hang: its threads kept Linux busy with folders that all share")
    else:
        assert outcome.error is None
        sandbox.destroy()
    creator.join(60)
    assert set(made) == {2} and strict.bystander.info().os_pid == neighbour
    assert strict.bystander.status is SandboxStatus.RUNNING


def make(sandbox: Sandbox, source: str) -> None:
    with suppress(SandboxError):
        sandbox.call("evil", source, timeout_ms=60_000)


FILL = """
for number in range(2000):
    with open(f'f{number}', 'wb', 0) as file:
        for _ in range(15): file.write(bytes(1 << 20))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86")
def test_a_full_folder_is_seen_while_sandboxes_that_have_few_threads_each_make_a_queue_together(strict: Arena) -> None:
    full = strict.attacker(limits={"handler_budget": 60_000})
    place = f"/proc/{full.info().os_pid}/fd/x"
    source = FOLDERS.replace("* 160", "* 20").replace("* 80", "* 11") % place
    makers = [strict.attacker(limits={"handler_budget": 60_000}) for _ in range(3)]
    calls = [threading.Thread(target=make, args=(maker, f"{TOOLS}{source}")) for maker in makers]
    for call in calls:
        call.start()
    outcome = strict.attack(FILL, full, timeout_ms=60_000)
    assert outcome.killed and crash_reason(full).startswith("disk: ")
    for maker, call in zip(makers, calls, strict=True):
        strict.watch(maker.destroy)
        call.join(60)
